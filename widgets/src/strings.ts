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
  diffSame: "No word differs.",
  diffRemoved: (words: number) => `− ${words} ${words === 1 ? "word" : "words"}`,
  diffAdded: (words: number) => `+ ${words} ${words === 1 ? "word" : "words"}`,
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

/** "A is much better" and so on, from the first of a pair to the second. */
const scale = ([a = "A", b = "B"]: readonly string[]): string[] => {
  const words = ["much", "clearly", "slightly", "negligibly"];
  return [
    ...words.map((word) => `${a} is ${word} better`),
    "Both are equal",
    ...words.toReversed().map((word) => `${b} is ${word} better`),
  ];
};

const duration = (seconds: number): string => {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
};

const remaining = (seconds: number): string => {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than a minute left";
  if (minutes === 1) return "about 1 minute left";
  if (minutes < 90) return `about ${minutes} minutes left`;
  return `about ${Math.round(minutes / 60)} hours left`;
};

const answers = (count: number): string => `${count} ${count === 1 ? "answer" : "answers"}`;

/** A command, its key, and what its button says for the response of this letter. */
type Tool = ["comment" | "flag" | "rate" | "compare" | "edit" | "allBad" | "help", string, Label];
type Label = (letter: string) => string;

const toolList: Tool[] = [
  ["comment", "c", () => "Comment"],
  ["flag", "f", () => "Flag"],
  ["rate", "r", () => "Rate"],
  ["compare", "d", (letter) => `Compare ${letter}`.trim()],
  ["edit", "e", (letter) => `Edit ${letter}`.trim()],
  ["allBad", "b", () => "All bad"],
  ["help", "?", () => "Keys"],
];

export const ranker = {
  widget: "Rank responses",
  title: "Rank the responses",
  rule: (count: number) =>
    count === 2
      ? "Type 1–9 for how much better one is, then Enter."
      : `Type 1–${count} for each, then Enter. 1 is best, equal numbers tie.`,
  prompt: "Prompt",
  roles: { system: "System", user: "User", assistant: "Assistant" } as Record<string, string>,
  responses: "Responses",
  progress: "Progress",
  position: (position: number, total: number) => `${position} of ${total}`,
  positionLong: (position: number, total: number) => `Item ${position} of ${total}`,
  pace: (seconds: number, items: number) =>
    `${duration(seconds)} each, ${remaining(seconds * items)}`,
  unsent: (count: number) => `${count} unsaved`,
  submit: "Submit",
  skip: "Skip",
  undo: "Undo",
  more: "More",
  tryAgain: "Try again",
  checkAgain: "Check again",
  close: "Close",
  tools: "More to say",
  toolList,
  cardLabel: (letter: string, rank: number | null, tied: readonly string[]) =>
    rank === null
      ? `Response ${letter}, not ranked`
      : `Response ${letter}, rank ${rank}${tied.length ? `, tied with ${list(tied)}` : ""}`,
  pairLabel: (letter: string, chosen: boolean, verdict: string) =>
    `Response ${letter}, ${chosen ? verdict || "not the better one" : "not ranked"}`,
  bodyLabel: (letter: string) => `Text of response ${letter}`,
  rankGroup: (letter: string) => `Rank of response ${letter}`,
  rankOption: (rank: number) => `Rank ${rank}`,
  tied: (tied: readonly string[]) => `tied with ${list(tied)}`,
  noRank: "–",
  emptyAnswer: "(empty response)",
  board: "Rank board",
  tray: "Not ranked",
  chip: (letter: string, rank: number | null) =>
    `${letter}, ${rank === null ? "not ranked" : `rank ${rank}`}. Left and right move it.`,
  slot: (rank: number | null, letters: readonly string[]) =>
    `${rank === null ? "Not ranked" : `Rank ${rank}`}: ${letters.length ? list(letters) : "none"}`,
  scale,
  scaleGroup: "Which is better, and how much",
  scaleWords: [
    "much",
    "clearly",
    "slightly",
    "negligibly",
    "equal",
    "negligibly",
    "slightly",
    "clearly",
    "much",
  ],
  better: (letter: string) => `${letter} is better`,
  /** What the scale says of the first and of the second, or nothing. */
  verdicts: (choice: number | null): [string, string] => {
    if (choice === null) return ["", ""];
    if (choice === 5) return ["equal", "equal"];
    const words = scale(["", ""])[choice - 1]?.replace(/^ is /, "") ?? "";
    return choice < 5 ? [words, ""] : ["", words];
  },
  ratingGroup: (letter: string, criterion: string) => `Response ${letter}: ${criterion}`,
  ratingOption: (value: number, highest: number) => `${value} of ${highest}`,
  ratingRange: "Ratings go from 1 to 5.",
  rated: (letter: string, criterion: string, value: number) =>
    `Response ${letter}: ${criterion} ${value}.`,
  noCriteria: "This lab has no criteria to rate on.",
  noFlags: "This lab has no flags.",
  noEditing: "Editing is off in this lab.",
  notes: "Comment and flags",
  comment: "Comment",
  commentPlaceholder: "What decided it?",
  flags: "Flags",
  notesHint: "Goes with the answer. Escape returns to the responses.",
  editTitle: (letter: string) => `Edit response ${letter}`,
  editLabel: (letter: string) => `Text of response ${letter}`,
  editSave: "Save as a demonstration",
  editCancel: "Cancel",
  editHint: "What the model should have said. Ctrl+Enter saves, Escape cancels.",
  editEmpty: "A demonstration needs words: write what the model should have said.",
  editSent: (letter: string) => `Response ${letter} as you wrote it becomes a demonstration.`,
  compareTitle: (from: string, to: string) => `From ${from} to ${to}`,
  helpTitle: "Keys",
  help: (count: number, has: { criteria: boolean; flags: boolean; editing: boolean }) => {
    const pair = count === 2;
    const keys: [string, string, boolean][] = [
      ["1–4", "the first is better: much, clearly, slightly, negligibly", pair],
      ["5", "both are equal", pair],
      ["6–9", "the second is better: negligibly, slightly, clearly, much", pair],
      [`1–${count}`, "rank this response and go to the next; the same number ties", !pair],
      ["Enter", "submit", true],
      ["← →", "go to another response", true],
      ["+ -", "one rank better or worse; also Alt with ↑ ↓", !pair],
      ["Backspace", "clear", true],
      ["Space", "read on in a long response", true],
      ["s", "skip", true],
      ["b", "all are bad", true],
      ["u", "undo, also what is saved", true],
      ["Shift u", "redo", true],
      ["c", "comment; Escape or Ctrl+Enter returns", true],
      ["f", "flag; then 1, 2, … tick", has.flags],
      ["r", "rate this response; 1 to 5 for each criterion, r returns", has.criteria],
      ["d", "compare with the next better one, or the one before", true],
      ["e", "edit this response into a demonstration", has.editing],
      ["Escape", "close what is open", true],
      ["?", "these keys", true],
    ];
    return keys.flatMap(([key, what, shown]): [string, string][] => (shown ? [[key, what]] : []));
  },
  keysDescription: (count: number) =>
    count === 2
      ? "Keys: 1 to 4 the first is much, clearly, slightly, negligibly better, 5 equal, 6 to 9 the " +
        "second is better, Enter submits, s skips, u undoes, question mark shows all keys."
      : `Keys: 1 to ${count} rank this response and go to the next, the same number twice is a tie, ` +
        "arrows move, Backspace clears, Enter submits, s skips, u undoes, question mark shows all keys.",
  ranked: (letter: string, rank: number, next: string | null) =>
    `Response ${letter}: rank ${rank}.${next ? ` Now response ${next}.` : ""}`,
  cleared: (letter: string) => `Response ${letter}: rank cleared.`,
  choiceCleared: "Choice cleared.",
  complete: "All ranked. Enter submits.",
  enterSubmits: "Enter submits.",
  outOfRange: (count: number) => `Ranks go from 1 to ${count}.`,
  missing: (letters: readonly string[]) => `Not ranked yet: ${list(letters)}.`,
  noChoice: "Not chosen yet: type 1 to 9.",
  shownOrder: "This is exactly the order shown. Enter again if you mean it.",
  nothingToDo: "There is nothing to rank now.",
  notSaved: "This answer was not saved. Submit it again.",
  elsewhere: "The item before was dealt with in another view.",
  resent: (count: number) =>
    `${answers(count)} from before the restart ${count === 1 ? "is" : "are"} sent again.`,
  dropped: (count: number) =>
    `${answers(count)} from before the restart could not be sent again: ` +
    "the items are not open any more.",
  saveKey: "Every answer is saved as you submit it.",
  newItem: (position: number, total: number) =>
    `Item ${position} of ${total}. Response A has the focus.`,
  backAt: (position: number, total: number) =>
    `Back at item ${position} of ${total}. Response A has the focus.`,
  reveal: (order: string, agrees: number | null) =>
    `Reward model: ${order}.${agrees === null ? "" : ` You agree on ${Math.round(agrees * 100)}% of the pairs.`}`,
  revealTitle: "Last answer:",
  empty: { title: "Nothing to rank", text: "Generate responses first:", code: "lab.generate()" },
  finished: {
    title: (done: number, total: number) => `All ranked: ${done} of ${total}`,
    text: "Next:",
    code: "lab.update_reward()",
  },
  waiting: {
    title: "All items at hand are answered",
    text: "The kernel is busy. It goes on here as soon as the kernel hands out more.",
  },
  last: {
    title: "That was the last one",
    text: "Keep this page open until the kernel has saved the answers.",
  },
  between: { title: "No item is at hand" },
  error: { title: "The next item could not be read" },
} as const;
