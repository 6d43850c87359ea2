// Answers that are given, taken back and given again: what an event does before Python had the time
// to do it. No DOM here.

import type { WidgetEvent } from "./protocol";

/** Whether an event says something of an item, which Python then stores. */
export function isAnswer<Sent extends WidgetEvent>(
  event: Sent,
): event is Sent & { type: "submit" | "skip"; item: string } {
  return event.type === "submit" || event.type === "skip";
}

/** Whether an event takes something back; `of` is the id of what, where the page knows it. */
export function isStep<Sent extends WidgetEvent>(
  event: Sent,
): event is Sent & { type: "undo" | "redo"; of?: string } {
  return event.type === "undo" || event.type === "redo";
}

/** The item that an event closes, or opens again. */
export interface Played {
  closed?: string;
  reopened?: string;
}

/** Do to the items answered and taken back, the latest last, what an event does. */
export function play(event: WidgetEvent, past: string[], undone: string[]): Played {
  if (isAnswer(event)) {
    past.push(event.item);
    undone.length = 0;
    return { closed: event.item };
  }
  if (event.type === "undo") {
    const reopened = past.pop();
    if (reopened === undefined) return {};
    undone.push(reopened);
    return { reopened };
  }
  if (event.type === "redo") {
    const closed = undone.pop();
    if (closed === undefined) return {};
    past.push(closed);
    return { closed };
  }
  return {};
}
