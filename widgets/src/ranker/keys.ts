// From a key press to what it means while ranking.

/** Commands that need nothing more; most have a button too. */
export type Plain =
  | "submit"
  | "skip"
  | "undo"
  | "redo"
  | "rate"
  | "comment"
  | "flag"
  | "allBad"
  | "edit"
  | "compare"
  | "help"
  | "close";

/** Commands that mean the cards of the item. */
export type ItemCommand =
  | { name: "rank"; rank: number }
  | { name: "step" | "row"; by: number }
  /** `place` is the digit of the key that typed the sign, where it has one. */
  | { name: "raise"; by: number; place?: number }
  | { name: "edge"; last: boolean }
  | { name: "scroll"; pages: number }
  | { name: "clear" };

export type Command = ItemCommand | { name: Plain };

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
  Escape: { name: "close" },
  "-": { name: "raise", by: 1 },
  s: { name: "skip" },
  u: { name: "undo" },
  r: { name: "rate" },
  c: { name: "comment" },
  f: { name: "flag" },
  b: { name: "allBad" },
  e: { name: "edit" },
  d: { name: "compare" },
};

/** Keys that many keyboards have with Shift only. */
const WITH_SHIFT: Record<string, Command> = {
  "?": { name: "help" },
  "+": { name: "raise", by: -1 },
};

const WITH_ALT: Record<string, Command> = {
  ArrowUp: { name: "raise", by: -1 },
  ArrowDown: { name: "raise", by: 1 },
};

/** The command of a key press, or null: while composing, or for keys that mean nothing here. */
export function commandOf(event: KeyboardEvent): Command | null {
  if (event.isComposing || event.ctrlKey || event.metaKey) return null;
  if (event.altKey) return WITH_ALT[event.key] ?? null;
  if (/^[1-9]$/.test(event.key)) return { name: "rank", rank: Number(event.key) };
  // On some keyboards (French, Czech) digits need Shift; there the key's place counts as well, but
  // what it types goes before: "-" is where others have 6, and "+" where they have 1.
  const digit = event.shiftKey ? undefined : /^Digit([1-9])$/.exec(event.code)?.[1];
  const place = digit === undefined ? {} : { place: Number(digit) };
  const command = WITH_SHIFT[event.key] ?? (event.shiftKey ? shifted(event) : plain(event));
  if (command?.name === "raise") return { ...command, ...place };
  return command ?? (digit === undefined ? null : { name: "rank", rank: Number(digit) });
}

function shifted(event: KeyboardEvent): Command | null {
  return event.key.toLowerCase() === "u" ? { name: "redo" } : null;
}

function plain(event: KeyboardEvent): Command | null {
  return FIXED[event.key] ?? FIXED[event.key.toLowerCase()] ?? null;
}

/** Whether a key held down may repeat this: nothing that ranks or sends. */
export function repeats(command: Command): boolean {
  return ["step", "row", "scroll"].includes(command.name);
}

export function aboutItem(command: Command): command is ItemCommand {
  const names = ["rank", "step", "row", "raise", "edge", "scroll", "clear"];
  return names.includes(command.name);
}
