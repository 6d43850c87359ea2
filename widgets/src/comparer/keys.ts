// From a key press to what it means while comparing.

import { digitOf, isShortcut } from "../shared/keys";
import type { Choice } from "./protocol";

export type Command =
  | { name: "choose"; choice: Choice }
  | { name: "scroll"; pages: number }
  | { name: "submit" | "skip" | "undo" | "redo" | "diff" | "keys" | "clear" | "saveKey" };

const LETTERS: Record<string, Command> = {
  s: { name: "skip" },
  u: { name: "undo" },
  d: { name: "diff" },
};

const FIXED: Record<string, Command> = {
  ArrowLeft: { name: "choose", choice: "A" },
  ArrowRight: { name: "choose", choice: "B" },
  Enter: { name: "submit" },
  Backspace: { name: "clear" },
  Delete: { name: "clear" },
  PageUp: { name: "scroll", pages: -1 },
  PageDown: { name: "scroll", pages: 1 },
  " ": { name: "scroll", pages: 1 },
};

const DIGITS: Record<number, Choice> = { 1: "A", 2: "B", 0: "tie", 3: "tie" };

/** The command of a key press, or null: with a modifier, while composing, or for other keys. */
export function commandOf(event: KeyboardEvent): Command | null {
  if (!event.isComposing && (event.ctrlKey || event.metaKey)) {
    return event.key.toLowerCase() === "s" ? { name: "saveKey" } : null;
  }
  if (isShortcut(event)) return null;
  // Signs that need Shift on some keyboards and not on others.
  if (event.key === "?") return { name: "keys" };
  if (event.key === "=") return { name: "choose", choice: "tie" };
  const choice = DIGITS[digitOf(event) ?? -1];
  if (choice) return { name: "choose", choice };
  if (event.shiftKey) return event.key.toLowerCase() === "u" ? { name: "redo" } : null;
  return FIXED[event.key] ?? LETTERS[event.key.toLowerCase()] ?? null;
}
