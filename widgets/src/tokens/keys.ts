// From a key press to what it means in the token view.

import { digitOf, isShortcut } from "../shared/keys";
import { FIGURES, type Figure } from "./protocol";

export type Command =
  | { name: "figure"; figure: Figure }
  | { name: "step"; by: number }
  | { name: "line"; by: number }
  | { name: "edge"; last: boolean }
  | { name: "response"; by: number }
  | { name: "table" };

const FIXED: Record<string, Command> = {
  ArrowLeft: { name: "step", by: -1 },
  ArrowRight: { name: "step", by: 1 },
  ArrowUp: { name: "line", by: -1 },
  ArrowDown: { name: "line", by: 1 },
  Home: { name: "edge", last: false },
  End: { name: "edge", last: true },
  n: { name: "response", by: 1 },
  p: { name: "response", by: -1 },
  t: { name: "table" },
};

/** Commands that walk: they mean something only where the focus is on a token. */
export function walks(command: Command): boolean {
  return command.name === "step" || command.name === "line" || command.name === "edge";
}

/** The command of a key press, or null: with a modifier, while composing, or for other keys. */
export function commandOf(event: KeyboardEvent): Command | null {
  if (isShortcut(event)) return null;
  const figure = FIGURES[(digitOf(event) ?? 0) - 1];
  if (figure) return { name: "figure", figure };
  return event.shiftKey ? null : (FIXED[event.key] ?? null);
}
