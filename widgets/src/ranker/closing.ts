// What stands in the place of an item when there is none.

import { closingView } from "../shared/closing";
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
  if (phase === "error") return closingView(strings.error, button(strings.tryAgain));
  if (phase === "waiting" || phase === "last") return closingView(strings[phase]);
  const again = button(strings.checkAgain);
  if (phase !== "finished") {
    return closingView(strings[phase === "ranking" ? "empty" : phase], again);
  }
  return closingView({ ...strings.finished, title: strings.finished.title(done, total) }, again);
}
