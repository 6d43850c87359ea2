// From a key press to what it means in the tree of versions.

import { isShortcut } from "../shared/keys";

export type Command =
  | { name: "step"; by: number }
  | { name: "edge"; last: boolean }
  | { name: "parent" | "child" | "mark" | "checkout" | "compare" | "undo" | "back" | "escape" }
  | { name: "type"; text: string };

const PAGE = 10;

const FIXED: Record<string, Command> = {
  ArrowUp: { name: "step", by: -1 },
  ArrowDown: { name: "step", by: 1 },
  PageUp: { name: "step", by: -PAGE },
  PageDown: { name: "step", by: PAGE },
  ArrowLeft: { name: "parent" },
  ArrowRight: { name: "child" },
  Home: { name: "edge", last: false },
  End: { name: "edge", last: true },
  Enter: { name: "checkout" },
  Escape: { name: "escape" },
  " ": { name: "mark" },
};

const LETTERS: Record<string, Command> = {
  c: { name: "checkout" },
  x: { name: "compare" },
  u: { name: "undo" },
  b: { name: "back" },
};

/**
 * The command of a key press, or null: with a modifier, while composing, or for other keys.
 *
 * @param typing Whether a name is being typed: then every letter belongs to it.
 */
export function commandOf(event: KeyboardEvent, typing: boolean): Command | null {
  if (isShortcut(event)) return null;
  const fixed = FIXED[event.key];
  if (fixed) return fixed;
  if (event.key.length !== 1) return null;
  const text = event.key.toLowerCase();
  return (typing ? null : LETTERS[text]) ?? { name: "type", text };
}

/** The name that was typed begins here: by its number alone, or as it is written. */
export function matches(name: string, typed: string): boolean {
  return name.startsWith(typed) || name.slice(name.indexOf("@") + 1).startsWith(typed);
}

/**
 * Where typed letters lead: to the very number, in the same role if it has it; else to the next
 * name that begins so, from the present place on and around the end.
 */
export function find(names: readonly string[], from: number, typed: string): number {
  const role = names[from]?.split("@")[0] ?? "";
  const exact = names.indexOf(`${role}@${typed}`);
  if (exact >= 0) return exact;
  // One letter goes on from where it is; a longer name may be the one that stands there.
  const first = typed.length === 1 ? 1 : 0;
  for (let step = 0; step < names.length; step += 1) {
    const index = (Math.max(from, 0) + first + step) % names.length;
    if (matches(names[index] ?? "", typed)) return index;
  }
  return -1;
}
