// From a key press to what it means while ranking.

export type Command =
  | { name: "rank"; rank: number }
  | { name: "step"; by: number }
  | { name: "row"; by: number }
  | { name: "edge"; last: boolean }
  | { name: "scroll"; pages: number }
  | { name: "submit" | "skip" | "undo" | "clear" | "saveKey" };

const FIXED: Record<string, Command> = {
  ArrowLeft: { name: "step", by: -1 },
  ArrowRight: { name: "step", by: 1 },
  ArrowUp: { name: "row", by: -1 },
  ArrowDown: { name: "row", by: 1 },
  Home: { name: "edge", last: false },
  End: { name: "edge", last: true },
  PageUp: { name: "scroll", pages: -1 },
  PageDown: { name: "scroll", pages: 1 },
  " ": { name: "scroll", pages: 1 },
  Enter: { name: "submit" },
  Backspace: { name: "clear" },
  Delete: { name: "clear" },
  s: { name: "skip" },
  u: { name: "undo" },
};

/** The command of a key press, or null: with a modifier, while composing, or for other keys. */
export function commandOf(event: KeyboardEvent): Command | null {
  if (event.isComposing) return null;
  if (event.ctrlKey || event.metaKey) {
    return event.key.toLowerCase() === "s" ? { name: "saveKey" } : null;
  }
  if (event.altKey) return null;
  // On some keyboards (French) digits need Shift; there the key's place counts as well.
  const digit = /^[1-9]$/.exec(event.key)?.[0] ?? /^Digit([1-9])$/.exec(event.code)?.[1];
  if (digit && (/^[1-9]$/.test(event.key) || !event.shiftKey)) {
    return { name: "rank", rank: Number(digit) };
  }
  return event.shiftKey ? null : (FIXED[event.key] ?? FIXED[event.key.toLowerCase()] ?? null);
}
