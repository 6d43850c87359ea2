// Every word the front end shows, in one place; one object for each widget, so that a bundle holds
// its own words alone.

const list = (letters: readonly string[]): string =>
  letters.length < 2
    ? letters.join("")
    : `${letters.slice(0, -1).join(", ")} and ${letters.at(-1) ?? ""}`;

export const shared = {
  saving: "Saving …",
  waiting: (count: number) =>
    `The kernel is busy: ${count} ${count === 1 ? "answer waits" : "answers wait"} to be saved. ` +
    "Keep this page open. If the kernel was restarted, run the cell again.",
} as const;

export const links = {
  hint: (host: string) => `Opens ${host} after asking`,
  title: "Open this address?",
  from: "A model or a file wrote this link. Nothing has been loaded from it.",
  mailTitle: "Write to this address?",
  mailFrom: "A model or a file wrote this link. Your mail program opens.",
  address: "Full address",
  otherSite: (said: string) => `The link's text names another site: ${said}`,
  foreignLetters: (name: string) =>
    `${name} stands for letters beyond a to z, which may only look like those you know.`,
  userName: "What stands before the @ is no site but a name to log in with.",
  number: "The site is a bare number without a name.",
  unencrypted: "The connection would not be encrypted.",
  open: "Open in a new tab",
  write: "Open the mail program",
  cancel: "Cancel",
} as const;

export const ranker = {
  widget: "Rank responses",
  title: "Rank the responses",
  rule: "1 is best. Equal numbers tie.",
  prompt: "Prompt",
  roles: { system: "System", user: "User", assistant: "Assistant" } as Record<string, string>,
  responses: "Responses",
  position: (position: number, total: number) => `${position} of ${total}`,
  positionLong: (position: number, total: number) => `Item ${position} of ${total}`,
  submit: "Submit",
  skip: "Skip",
  undo: "Undo",
  tryAgain: "Try again",
  checkAgain: "Check again",
  cardLabel: (letter: string, rank: number | null, tied: readonly string[]) =>
    rank === null
      ? `Response ${letter}, not ranked`
      : `Response ${letter}, rank ${rank}${tied.length ? `, tied with ${list(tied)}` : ""}`,
  bodyLabel: (letter: string) => `Text of response ${letter}`,
  rankGroup: (letter: string) => `Rank of response ${letter}`,
  rankOption: (rank: number) => `Rank ${rank}`,
  tied: (tied: readonly string[]) => `tied with ${list(tied)}`,
  noRank: "–",
  emptyAnswer: "(empty response)",
  keys: (count: number): [string, string][] => [
    [`1–${count}`, "rank"],
    ["← →", "move"],
    ["Enter", "submit"],
    ["s", "skip"],
    ["u", "undo"],
  ],
  keysDescription: (count: number) =>
    `Keys: 1 to ${count} rank this response and go to the next, the same number twice is a tie, ` +
    "arrows move, Backspace clears, Enter submits, s skips, u undoes.",
  ranked: (letter: string, rank: number, next: string | null) =>
    `Response ${letter}: rank ${rank}.${next ? ` Now response ${next}.` : ""}`,
  cleared: (letter: string) => `Response ${letter}: rank cleared.`,
  complete: "All ranked. Enter submits.",
  outOfRange: (count: number) => `Ranks go from 1 to ${count}.`,
  missing: (letters: readonly string[]) => `Not ranked yet: ${list(letters)}.`,
  stillSaving: "Still saving the last answer.",
  nothingToDo: "There is nothing to rank now.",
  saveKey: "Every answer is saved as you submit it.",
  newItem: (position: number, total: number) =>
    `Item ${position} of ${total}. Response A has the focus.`,
  empty: { title: "Nothing to rank", text: "Generate responses first:", code: "lab.generate()" },
  finished: {
    title: (done: number, total: number) => `All ranked: ${done} of ${total}`,
    text: "Next:",
    code: "lab.update_reward()",
  },
  error: { title: "The next item could not be read" },
} as const;
