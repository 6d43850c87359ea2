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
  diffRemoved: (words: number) => `${words} ${words === 1 ? "word" : "words"} out`,
  diffAdded: (words: number) => `${words} ${words === 1 ? "word" : "words"} in`,
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

const percent = (share: number): string => `${Math.round(share * 100)}%`;

interface Rate {
  estimate: number;
  low: number;
  high: number;
  n: number;
}

export const comparer = {
  widget: "Compare two versions",
  title: "Which response is better?",
  titleAtEnd: "Which version is better?",
  rule: "You do not see which version wrote which.",
  lead: ({ estimate, low, high, n }: Rate) =>
    estimate === 0.5
      ? `Neither leads after ${n}: 50% [${Math.round(low * 100)}, ${Math.round(high * 100)}]`
      : `One of the two leads after ${n}: ` +
        `${percent(estimate)} [${Math.round(low * 100)}, ${Math.round(high * 100)}]`,
  progress: "Progress",
  prompt: "Prompt",
  roles: { system: "System", user: "User", assistant: "Assistant" } as Record<string, string>,
  position: (position: number, total: number) => `${position} of ${total}`,
  positionLong: (position: number, total: number) => `Pair ${position} of ${total}`,
  question: "Which is better, A or B?",
  answers: { A: "A is better", tie: "Tie", B: "B is better" },
  badges: { better: "better", tie: "tie" },
  cardLabel: (letter: string) => `Response ${letter}`,
  bodyLabel: (letter: string) => `Text of response ${letter}`,
  emptyAnswer: "(empty response)",
  submit: "Submit",
  skip: "Skip",
  undo: "Undo",
  diff: "Differences",
  reveal: "Stop and see",
  revealNow: "Show names now",
  revealAsk: (left: number) =>
    `Names would show, with ${left} ${left === 1 ? "pair" : "pairs"} left to compare: ` +
    "press the button again to see them, or go on.",
  keysButton: "Keys",
  keysTitle: "Keys",
  goOn: "Go on comparing",
  checkAgain: "Check again",
  keys: [
    [["1", "←"], "A is better"],
    [["2", "→"], "B is better"],
    [["0", "3", "="], "tie"],
    [["Enter"], "submit"],
    [["s"], "skip"],
    [["u"], "undo"],
    [["Shift+U"], "redo"],
    [["d"], "differences, word by word"],
    [["Space"], "scroll both"],
    [["?"], "these keys"],
  ] as [string[], string][],
  keysDescription:
    "Keys: 1 or left arrow for A, 2 or right arrow for B, 0 for a tie, Enter submits, s skips, " +
    "u undoes, d shows the differences, question mark lists all keys.",
  chosen: (choice: "A" | "B" | "tie") =>
    choice === "tie" ? "Tie. Enter submits." : `${choice} is better. Enter submits.`,
  missing: "Choose first: 1 for A, 2 for B, 0 for a tie.",
  nothingToDo: "There is nothing to compare now.",
  saveKey: "Every answer is saved as you submit it.",
  same: "The two are the same, word for word.",
  newPair: (position: number, total: number) => `Pair ${position} of ${total}.`,
  diffTitle: "From A to B",
  diffHidden: "Both responses.",
  waiting: { title: "One moment", text: "Waiting for Python.", code: "", button: "" },
  empty: {
    title: "Nothing to compare",
    text: "Have both versions answer the same prompts first:",
    code: 'lab.evaluate(baseline="policy@0")',
    button: "Check again",
  },
  error: {
    title: "The pairs could not be read",
    text: "What you have said is kept.",
    code: "",
    button: "Try again",
  },
  verdict: (verdict: "first" | "second" | "unclear" | null, winner: string) =>
    verdict === null
      ? "Nothing compared yet"
      : verdict === "unclear"
        ? "No difference shown"
        : `${winner} is preferred`,
  nothingCompared: "There is no win rate without a comparison.",
  prefers: (name: string) => `${name} better`,
  tied: "ties",
  skipped: "skipped",
  scaleLabel: (name: string, { estimate, low, high }: Rate) =>
    `Win rate of ${name}: ${percent(estimate)}, 95% interval ${percent(low)} to ${percent(high)}`,
  meaning: (
    unclear: boolean,
    name: string,
    { estimate, low, high, n }: Rate,
    needed: number | null,
  ) => {
    const rate = `${name} wins ${percent(estimate)} of ${n} pairs, with a 95% interval from ${percent(low)} to ${percent(high)}`;
    if (!unclear) return `${rate}: all of it above one half, so this is hardly chance.`;
    const more = needed
      ? ` A win rate of ${percent(estimate)} takes about ${needed} pairs to be told from chance.`
      : "";
    return `${rate}: one half is in it, so either may be the better one.${more}`;
  },
  tiesCount: "A tie counts as half a win for each.",
  stopped: (done: number, total: number) =>
    `These are ${done} of ${total} pairs. Who looks often and stops when it seems clear finds ` +
    "differences that are not there: decide beforehand how many to compare.",
  unlike: (count: number) =>
    `${count} of the pairs ${count === 1 ? "was" : "were"} drawn with different settings ` +
    "(temperature, length ...), and that may be what you saw.",
} as const;
