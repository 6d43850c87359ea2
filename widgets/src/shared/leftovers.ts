// What a page left behind whose kernel died: which of it is sent again, and when.

import { shared as strings } from "../strings";
import type { Keep } from "./keep";
import type { WidgetEvent } from "./protocol";
import { isAnswer, isStep } from "./undo";

export interface Sorted<Sent> {
  /** To be sent again, in the order in which they happened. */
  again: Sent[];
  /** About items that are not at hand: perhaps saved, perhaps handed out again later. */
  waiting: Sent[];
  /** Steps of which nobody knows what they would take back. */
  dropped: Sent[];
}

/** What Python has handed out, by the keys of the items. */
export interface Handed {
  /** Whether Python could say what there is to judge. */
  isKnown: boolean;
  items: ReadonlySet<string>;
  /** Of these, the items that come with what was said of them. */
  said: ReadonlySet<string>;
}

/** Sort what was left behind, for these items at hand. */
export function sortLeftovers<Sent extends WidgetEvent>(
  leftovers: readonly Sent[],
  items: ReadonlySet<string>,
): Sorted<Sent> {
  const sorted: Sorted<Sent> = { again: [], waiting: [], dropped: [] };
  const lists = new Map<string, Sent[]>();
  for (const event of leftovers) {
    const list = listOf(event);
    lists.set(event.id, list);
    list.push(event);
  }
  return sorted;

  function listOf(event: Sent): Sent[] {
    // A step goes with what it takes back. What is not here Python has, and checks it. A step that
    // does not say what it takes back would take back whatever is last now.
    if (isStep(event)) return event.of ? (lists.get(event.of) ?? sorted.again) : sorted.dropped;
    if (!hasItem(event)) return sorted.dropped;
    return items.has(event.item) ? sorted.again : sorted.waiting;
  }
}

export class Leftovers<Sent extends WidgetEvent> {
  private sought = false;
  /** Ids of those that wait for their items. */
  private waiting = new Set<string>();
  /** Of these, answers given after a step that was sent again, until it is known what came of it. */
  private afterStep = new Set<string>();
  private seen = "";

  constructor(private readonly keep: Keep<Sent>) {}

  /** Whether nothing is left behind: then there is no need to ask. */
  get areTaken(): boolean {
    return this.sought && this.waiting.size === 0;
  }

  /**
   * What is to be sent again now, and what to tell of it. Nothing is told of what waits: if it was
   * not saved its item comes again, and then it is sent.
   *
   * @param here Ids of the events that the host still has.
   */
  take(handed: Handed, here: ReadonlySet<string>): [Sent[], string] {
    const { again, dropped } = this.sort(handed, here) ?? { again: [], dropped: [] };
    const told = [
      ...(again.length ? [strings.resent(again.filter((event) => !isStep(event)).length)] : []),
      ...(dropped.some(isStep) ? [strings.stepDropped] : []),
    ];
    return [again, told.join(" ")];
  }

  private sort(handed: Handed, here: ReadonlySet<string>): Sorted<Sent> | null {
    if (!handed.isKnown) return null;
    const seen = JSON.stringify([[...handed.items], [...handed.said]]);
    if (this.sought) {
      if (this.areTaken || seen === this.seen) return null;
      this.seen = seen;
      return this.sortLater(handed);
    }
    this.sought = true;
    this.seen = seen;
    const stored = this.keep.all();
    this.keep.drop(stored.filter((event) => here.has(event.id)));
    const sorted = sortLeftovers(
      stored.filter((event) => !here.has(event.id)),
      handed.items,
    );
    this.keep.drop(sorted.dropped);
    this.waiting = idsOf(sorted.waiting);
    const step = stored.findIndex((event) => isStep(event) && sorted.again.includes(event));
    if (step >= 0) this.afterStep = idsOf(stored.slice(step));
    return sorted;
  }

  /** Other items were handed out: some may be those that were waited for. */
  private sortLater(handed: Handed): Sorted<Sent> {
    this.keep.drop(this.outdated(handed.said));
    const left = this.keep.all().filter((event) => this.waiting.has(event.id));
    const { again, waiting } = sortLeftovers(left, handed.items);
    this.waiting = idsOf(waiting);
    this.afterStep.clear();
    return { again, waiting: [], dropped: [] };
  }

  /**
   * Answers to items that come with what was said of them, and the steps that take those back: they
   * come because an answer was taken back or failed since, so what waited here is not meant any more.
   * Unless it was given after a step that was sent again: that brought the item back.
   */
  private outdated(said: ReadonlySet<string>): Sent[] {
    const stored = this.keep.all().filter(({ id }) => this.waiting.has(id));
    const isOld = (event: Sent) => !this.afterStep.has(event.id);
    const answers = stored.filter((e) => isAnswer(e) && said.has(e.item) && isOld(e));
    const ids = idsOf(answers);
    return [...answers, ...stored.filter((event) => isStep(event) && ids.has(event.of ?? ""))];
  }
}

function idsOf(events: readonly WidgetEvent[]): Set<string> {
  return new Set(events.map((event) => event.id));
}

function hasItem<Sent extends WidgetEvent>(event: Sent): event is Sent & { item: string } {
  return "item" in event && typeof event.item === "string";
}
