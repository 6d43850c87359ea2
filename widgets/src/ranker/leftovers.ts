// What a page left behind whose kernel died: which of it is sent again, and when.

import { isAnswer } from "../shared/undo";
import { ranker as strings } from "../strings";
import type { Keep } from "./keep";
import type { Content, RankerEvent, View } from "./protocol";

export interface Sorted {
  /** To be sent again, in the order in which they happened. */
  again: RankerEvent[];
  /** About items that are not at hand: perhaps saved, perhaps handed out again later. */
  waiting: RankerEvent[];
  /** Steps of which nobody knows what they would take back. */
  dropped: RankerEvent[];
}

/** Sort what was left behind, for these items at hand. */
export function sortLeftovers(
  leftovers: readonly RankerEvent[],
  items: ReadonlySet<string>,
): Sorted {
  const sorted: Sorted = { again: [], waiting: [], dropped: [] };
  const lists = new Map<string, RankerEvent[]>();
  for (const event of leftovers) {
    const list = listOf(event);
    lists.set(event.id, list);
    list.push(event);
  }
  return sorted;

  function listOf(event: RankerEvent): RankerEvent[] {
    if (event.type === "refresh") return sorted.dropped;
    if (event.type !== "undo" && event.type !== "redo") {
      return items.has(event.item) ? sorted.again : sorted.waiting;
    }
    // A step goes with what it takes back. What is not here Python has, and checks it. A step that
    // does not say what it takes back would take back whatever is last now.
    return event.of === undefined ? sorted.dropped : (lists.get(event.of) ?? sorted.again);
  }
}

export class Leftovers {
  private sought = false;
  /** Ids of those that wait for their items. */
  private waiting = new Set<string>();
  private seen: Content | null = null;

  constructor(private readonly keep: Keep) {}

  /**
   * What is to be sent again now, and what to tell of it. Nothing is told of what waits: if it was
   * not saved its item comes again, and then it is sent.
   *
   * @param here Ids of the events that the host still has.
   */
  take(content: Content, view: View, here: ReadonlySet<string>): [RankerEvent[], string] {
    const { again, dropped } = this.sort(content, view, here) ?? { again: [], dropped: [] };
    const answers = again.filter(({ type }) => type !== "undo" && type !== "redo").length;
    const told = [
      ...(again.length ? [strings.resent(answers)] : []),
      ...(dropped.some(({ type }) => type !== "refresh") ? [strings.stepDropped] : []),
    ];
    return [again, told.join(" ")];
  }

  private sort(content: Content, view: View, here: ReadonlySet<string>): Sorted | null {
    const none = content.items.length === 0;
    if (view.phase === "error" || (view.phase === "ranking" && none)) return null;
    if (this.sought) return this.sortLater(content);
    this.sought = true;
    this.seen = content;
    const stored = this.keep.all();
    this.keep.drop(stored.filter((event) => here.has(event.id)));
    const sorted = sortLeftovers(
      stored.filter((event) => !here.has(event.id)),
      keysOf(content),
    );
    this.keep.drop(sorted.dropped);
    this.waiting = new Set(sorted.waiting.map((event) => event.id));
    return sorted;
  }

  /** Other items were handed out: some may be those that were waited for. */
  private sortLater(content: Content): Sorted | null {
    if (this.waiting.size === 0 || content === this.seen) return null;
    this.seen = content;
    const outdated = this.outdated(content);
    this.keep.drop(outdated);
    const isWaiting = ({ id }: RankerEvent) =>
      this.waiting.has(id) && !outdated.some((o) => o.id === id);
    const { again, waiting } = sortLeftovers(this.keep.all().filter(isWaiting), keysOf(content));
    this.waiting = new Set(waiting.map((event) => event.id));
    return { again, waiting: [], dropped: [] };
  }

  /**
   * Answers to items that come with what was said of them, and the steps that take those back: they
   * come because an answer was taken back or failed since, so what waited here is not meant any more.
   */
  private outdated(content: Content): RankerEvent[] {
    const said = new Set(content.items.filter(({ draft }) => draft).map(({ key }) => key));
    const stored = this.keep.all().filter(({ id }) => this.waiting.has(id));
    const answers = stored.filter((event) => isAnswer(event) && said.has(event.item));
    const ids = new Set(answers.map(({ id }) => id));
    const isOf = (event: RankerEvent) => "of" in event && ids.has(event.of ?? "");
    return [...answers, ...stored.filter(isOf)];
  }
}

function keysOf(content: Content): Set<string> {
  return new Set(content.items.map((item) => item.key));
}
