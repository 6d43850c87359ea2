// What stands in the place of an item when there is none.

import { closingView } from "../shared/closing";
import { ranker as strings } from "../strings";
import type { RankerEvent, View } from "./protocol";

/** Beside Python's own phases: all items at hand are answered, and Python had no time for more. */
export type Phase = View["phase"] | "waiting" | "last" | "between";

export function phaseOf(
  view: View,
  open: number,
  pending: readonly RankerEvent[],
  done: number,
): Phase {
  if (open > 0) return "ranking";
  // Who asked for more has answered nothing.
  const isAnswering = pending.some((event) => event.type !== "refresh");
  if (isAnswering) return done >= view.progress.total ? "last" : "waiting";
  return view.phase === "ranking" ? "between" : view.phase;
}

/** @param button Made by the widget; it asks Python again. */
export function closing(
  phase: Phase,
  done: number,
  total: number,
  button: (label: string) => HTMLElement,
): HTMLElement {
  if (phase === "error") return closingView(strings.error, button(strings.tryAgain));
  if (phase === "between") return closingView(strings.between, button(strings.checkAgain));
  if (phase === "waiting" || phase === "last") return closingView(strings[phase]);
  const { finished, empty } = strings;
  const words = phase === "finished" ? { ...finished, title: finished.title(done, total) } : empty;
  return closingView(words, button(strings.checkAgain));
}
