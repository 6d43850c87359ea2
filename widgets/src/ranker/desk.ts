// Which item comes next, before Python had the time to say so: what Python said last, and on top of
// it every event that Python has not dealt with. No DOM here.

import type { Handed } from "../shared/leftovers";
import { Draft } from "./draft";
import type { Content, Item, RankerEvent, View } from "./protocol";

/** Items kept in memory, so that an undo shows them at once: the handed out and the last judged. */
const REMEMBERED = 200;

/** What Python has, and who is asked next for it. */
export interface News {
  /** Go to this item: Python took back or put back something that the page did not foresee. */
  goTo: string | null;
  /** Judgments that were sent and are open again: they were not stored. */
  failed: string[];
}

/** What there is to rank, for what a page left behind. */
export function handedOut({ items }: Content, { phase }: View): Handed {
  return {
    isKnown: phase !== "error" && (phase !== "ranking" || items.length > 0),
    items: new Set(items.map(({ key }) => key)),
    said: new Set(items.filter(({ draft }) => draft).map(({ key }) => key)),
  };
}

/** A judgment; `id` is that of its event. */
interface Act {
  item: string;
  id: string;
}

/** A judgment that was taken back, and the event that did it. */
interface Undone extends Act {
  undo: string;
}

export class Desk {
  /** Keys of the items to rank, the next one first. */
  open: string[] = [];
  /** How many items are done, as far as the page knows. */
  done = 0;
  private readonly items = new Map<string, Item>();
  private readonly drafts = new Map<string, Draft>();
  /** Judged on this page and dealt with by Python, the latest last. */
  private past: Act[] = [];
  /** Taken back on this page, the latest last. */
  private undone: Undone[] = [];
  private unsettled: readonly RankerEvent[] = [];
  /** Settled since all was: what became of them is known when the last one is. */
  private settled: RankerEvent[] = [];
  /** What an undo would take back now, and what a redo would, by the ids of their events. */
  private ends: { undo: string | undefined; redo: string | undefined } = {
    undo: undefined,
    redo: undefined,
  };
  /** Items that were dealt with. */
  private readonly closed = new Set<string>();

  /** Take in what Python and the queue hold now. */
  update(content: Content, view: View, pending: readonly RankerEvent[]): News {
    for (const item of content.items) this.remember(item);
    const still = new Set(pending.map((event) => event.id));
    const settled = this.unsettled.filter((event) => !still.has(event.id));
    const known = new Set(this.unsettled.map((event) => event.id));
    this.unsettled = [...pending];
    for (const event of pending) if (!known.has(event.id)) this.recall(event);

    const opened = this.openedBy(content, view);
    for (const event of settled) play(event, this.past, this.undone);
    this.settled.push(...settled);
    this.forget(content, opened);
    const news = this.reconcile(opened, view.current);

    const past = [...this.past];
    const undone = [...this.undone];
    this.open = opened;
    for (const event of pending) {
      const { closed, reopened } = play(event, past, undone);
      this.open = this.open.filter((key) => key !== closed && key !== reopened);
      if (reopened && this.items.has(reopened)) this.open.unshift(reopened);
    }
    const added = this.open.filter((key) => !opened.includes(key)).length;
    const gone = opened.filter((key) => !this.open.includes(key)).length;
    this.done = Math.max(0, view.progress.done + gone - added);
    this.ends = { undo: past.at(-1)?.id, redo: undone.at(-1)?.undo };
    return news;
  }

  /** The id of the event that an undo or redo would take back; undefined if not of this page. */
  takenBackBy(type: "undo" | "redo"): string | undefined {
    return this.ends[type];
  }

  item(key: string): Item | null {
    return this.items.get(key) ?? null;
  }

  /** What was said of an item, kept for as long as the item is. */
  draft(item: Item): Draft {
    const draft =
      this.drafts.get(item.key) ??
      new Draft(
        item.cards.map((card) => card.letter),
        item.draft,
      );
    this.drafts.set(item.key, draft);
    return draft;
  }

  /** Keys that Python has open, its first one first. */
  private openedBy(content: Content, view: View): string[] {
    const answered = new Set(view.answered);
    const open = content.items.map((item) => item.key).filter((key) => !answered.has(key));
    if (!open.includes(view.current)) return open;
    return [view.current, ...open.filter((key) => key !== view.current)];
  }

  /**
   * Who is asked once more for an item that was dealt with starts anew. What was said stays where it
   * was taken back, or could not be saved: then Python has it open, and says what to start from.
   */
  private forget(content: Content, opened: string[]): void {
    const events = [...this.settled, ...this.unsettled];
    const isBack = events.some(({ type }) => type === "undo" || type === "redo");
    for (const { key, draft } of content.items) {
      if (!opened.includes(key)) this.closed.add(key);
      else if (this.closed.delete(key) && draft === null && !isBack) this.drafts.delete(key);
    }
    const here = new Set(content.items.map((item) => item.key));
    for (const key of this.drafts.keys()) if (!here.has(key)) this.closed.add(key);
  }

  /** What was foreseen and came otherwise. Only when all is dealt with: until then both are true. */
  private reconcile(opened: string[], current: string): News {
    if (this.unsettled.length || !this.settled.length) return { goTo: null, failed: [] };
    const settled = this.settled;
    this.settled = [];
    const submitted = settled.flatMap((event) =>
      event.type === "submit" || event.type === "skip" ? [event.item] : [],
    );
    const isOpen = ({ item }: Act) => opened.includes(item);
    const failed = this.past.filter(isOpen).map(({ item }) => item);
    const isStep = settled.some(({ type }) => type === "undo" || type === "redo");
    if (isStep && (failed.length || !this.undone.every(isOpen))) {
      // A step that Python did not do: the page no longer knows what the next one takes back, and
      // must not name what is not the latest.
      this.past = [];
      this.undone = [];
    }
    this.past = this.past.filter((act) => !isOpen(act));
    this.undone = this.undone.filter(isOpen);
    const last = settled.at(-1)?.type;
    const goTo = (last === "undo" || last === "redo") && opened.includes(current) ? current : null;
    return { goTo, failed: failed.filter((key) => submitted.includes(key)) };
  }

  private remember(item: Item): void {
    this.items.delete(item.key);
    this.items.set(item.key, item);
    for (const key of this.items.keys()) {
      if (this.items.size <= REMEMBERED) break;
      this.items.delete(key);
      this.drafts.delete(key);
      this.closed.delete(key);
    }
  }

  /** A judgment sent before the page was loaded again: an undo must find what was said. */
  private recall(event: RankerEvent): void {
    if (event.type !== "submit" || this.drafts.get(event.item)?.touched) return;
    const item = this.items.get(event.item);
    this.drafts.delete(event.item);
    if (item) this.draft({ ...item, draft: event });
  }
}

/** Do to the two stacks what an event does, and say which item it closes or opens again. */
function play(
  event: RankerEvent,
  past: Act[],
  undone: Undone[],
): { closed?: string; reopened?: string } {
  if (event.type === "submit" || event.type === "skip") {
    past.push({ item: event.item, id: event.id });
    undone.length = 0;
    return { closed: event.item };
  }
  if (event.type === "undo") {
    const act = past.pop();
    if (act === undefined) return {};
    undone.push({ ...act, undo: event.id });
    return { reopened: act.item };
  }
  if (event.type === "redo") {
    const act = undone.pop();
    if (act === undefined) return {};
    past.push({ item: act.item, id: act.id });
    return { closed: act.item };
  }
  return {};
}
