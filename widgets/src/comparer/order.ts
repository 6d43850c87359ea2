// Which pair comes next, before Python had the time to say so: what Python said last, and on top of
// it every event that Python has not dealt with. No DOM here.

import type { Handed } from "../shared/leftovers";
import { Remembered } from "../shared/remembered";
import { isAnswer, play } from "../shared/undo";
import type { Choice, ComparerEvent, Content, Item, View } from "./protocol";

interface Foreseen {
  answered: string[];
  undone: string[];
  /** The pair that the last undo brought back, if it is still to be judged. */
  turned: string | null;
}

/** What Python will say of these events. */
export function foresee(view: View, pending: readonly ComparerEvent[]): Foreseen {
  const answered = [...view.answered];
  const undone = [...view.undone];
  let turned: string | null = null;
  for (const event of pending) {
    const { closed, reopened } = play(event, answered, undone);
    if (closed ?? reopened) turned = reopened ?? null;
    else if (event.type === "undo" || event.type === "redo") turned = null;
  }
  return { answered, undone, turned };
}

/** What there is to compare, for what a page left behind. */
export function handedOut({ items }: Content, { phase, drafts, back }: View): Handed {
  return {
    isKnown: phase !== "error",
    items: new Set(items.map(({ key }) => key)),
    // A skip that was taken back has no draft.
    said: new Set([...Object.keys(drafts), ...(back ? [back.item] : [])]),
  };
}

export class Order {
  /** The pair to show, or null. */
  current: Item | null = null;
  /** How many pairs are done, as far as the page knows. */
  done = 0;
  private readonly choices = new Map<string, Choice>();
  private readonly items = new Remembered<Item>((key) => this.choices.delete(key));
  private drafts: Record<string, Choice> = {};
  private backSeen: string | null | undefined;
  /** What an undo would take back now, and what a redo would bring back, by the judgment's id. */
  private ends: { undo: string | undefined; redo: string | undefined } = {
    undo: undefined,
    redo: undefined,
  };

  /** Take in what Python and the queue hold now. */
  update(content: Content, view: View, pending: readonly ComparerEvent[]): void {
    for (const item of content.items) this.items.add(item);
    for (const event of pending) {
      if (event.type === "submit") this.choices.set(event.item, event.choice);
    }
    this.drafts = view.drafts;
    const { answered, undone, turned } = foresee(view, pending);
    const ids = new Map(Object.entries(view.ids));
    for (const event of pending) if (isAnswer(event)) ids.set(event.item, event.id);
    this.ends = { undo: ids.get(answered.at(-1) ?? ""), redo: ids.get(undone.at(-1) ?? "") };
    this.done = Math.max(0, view.progress.done + answered.length - view.answered.length);
    const closed = new Set(answered);
    const open = content.items.map((item) => item.key).filter((key) => !closed.has(key));
    // A page that was loaded again has no longer what was answered before: meanwhile, the next pair.
    const back = turned !== null && this.items.has(turned) ? turned : undefined;
    const next = back ?? this.broughtBack(view, open) ?? this.staying(open, closed) ?? open[0];
    this.current = (next !== undefined && this.items.get(next)) || null;
  }

  /** The id of the judgment that an undo or redo would be about, if the page knows it. */
  meantBy(type: "undo" | "redo"): string | undefined {
    return this.ends[type];
  }

  /** What was chosen for a pair before it was taken back, or null. */
  choice(key: string): Choice | null {
    return this.choices.get(key) ?? this.drafts[key] ?? null;
  }

  /** What Python brought back and the page did not foresee, once for each undo. */
  private broughtBack(view: View, open: string[]): string | undefined {
    const event = view.back?.event ?? null;
    const isNew = this.backSeen !== undefined && event !== this.backSeen;
    this.backSeen = event;
    return isNew && view.back && open.includes(view.back.item) ? view.back.item : undefined;
  }

  /** What is on the screen stays there until it is dealt with. */
  private staying(open: string[], closed: Set<string>): string | undefined {
    const key = this.current?.key;
    if (key === undefined || closed.has(key)) return undefined;
    return open.includes(key) ? key : undefined;
  }
}
