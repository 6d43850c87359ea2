// What stands in the place of an item when there is none.

import { h } from "../shared/dom";
import { ranker as strings } from "../strings";
import type { RankerEvent, View } from "./protocol";

/** Beside Python's own phases: all items at hand are answered, and Python had no time for more. */
export type Phase = View["phase"] | "others" | "waiting" | "last" | "between";

export function phaseOf(
  view: View,
  open: number,
  sent: readonly RankerEvent[],
  done: number,
): Phase {
  // Who asked for more has answered nothing.
  const pending = sent.filter((event) => event.type !== "refresh").length;
  if (open > 0) return "ranking";
  // Also while it asks again: "waiting" is for the kernel here.
  if (view.phase === "waiting") return "others";
  if (pending > 0) return done >= view.progress.total ? "last" : "waiting";
  return view.phase === "ranking" ? "between" : view.phase;
}

/** @param button Made by the widget; it asks Python again. */
export function closing(
  phase: Phase,
  done: number,
  total: number,
  button: (label: string) => HTMLElement,
): HTMLElement {
  const box = (title: string, ...rest: HTMLElement[]) =>
    h("div", { class: "rw-closing" }, h("h2", {}, title), ...rest);
  const lines = (text: string, code: string) => h("p", {}, `${text} `, h("code", {}, code));
  if (phase === "error") return box(strings.error.title, button(strings.tryAgain));
  if (phase === "between") return box(strings.between.title, button(strings.checkAgain));
  if (phase === "others") {
    const { title, text } = strings.others;
    return box(title, h("p", {}, text), button(strings.checkAgain));
  }
  if (phase === "waiting" || phase === "last") {
    const words = strings[phase];
    return box(words.title, h("p", {}, words.text));
  }
  const words = phase === "finished" ? strings.finished : strings.empty;
  const title = phase === "finished" ? strings.finished.title(done, total) : strings.empty.title;
  return box(title, lines(words.text, words.code), button(strings.checkAgain));
}
