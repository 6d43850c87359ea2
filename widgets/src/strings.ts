// Every word the front end shows, in one place; one object for each widget, so that a bundle holds
// its own words alone.

import { hosted } from "./shared/host";
import { percent, signed } from "./shared/numbers";
import type { Interval } from "./shared/protocol";

const list = (letters: readonly string[]): string =>
  letters.length < 2
    ? letters.join("")
    : `${letters.slice(0, -1).join(", ")} and ${letters.at(-1) ?? ""}`;

const answers = (count: number): string => `${count} ${count === 1 ? "answer" : "answers"}`;

export const shared = {
  prompt: "Prompt",
  roles: { system: "System", user: "User", assistant: "Assistant" } as Record<string, string>,
  emptyAnswer: "(empty response)",
  saving: "Saving …",
  /** @param count How many answers wait; 0 where all that waits takes answers back. */
  waiting: (count: number) =>
    hosted("The kernel is busy", "The server does not answer") +
    (count === 0 ? ". " : `: ${answers(count)} ${count === 1 ? "waits" : "wait"} to be saved. `) +
    "Keep this page open." +
    hosted(" If the kernel was restarted, run the cell again.", ""),
  resent: (count: number) =>
    count === 0
      ? "An undo from before the restart is sent again."
      : `${answers(count)} from before the restart ${count === 1 ? "is" : "are"} sent again.`,
  stepDropped:
    "An undo or redo from before the restart was not sent again: it could have changed another " +
    "answer.",
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
  toolSaid: ", said",
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
  board: "Rank board",
  tray: "Not ranked",
  chip: (letter: string, rank: number | null) =>
    `${letter}, ${rank === null ? "not ranked" : `rank ${rank}`}. Left and right move it, Space goes to its text.`,
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
  editLeft: (letters: readonly string[]) =>
    `What you wrote for ${list(letters)} is not saved. Undo leads back to it.`,
  waitsForText: "Another item waits until you close this text. What you write is kept.",
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
  saveKey: "Every answer is saved as you submit it.",
  newItem: (position: number, total: number) =>
    `Item ${position} of ${total}. Response A has the focus.`,
  backAt: (position: number, total: number) =>
    `Back at item ${position} of ${total}. Response A has the focus.`,
  reveal: (order: string, agrees: number | null) =>
    `Reward model: ${order}.${agrees === null ? "" : ` You agree on ${Math.round(agrees * 100)}% of the pairs.`}`,
  revealTitle: "Last answer:",
  empty: {
    title: "Nothing to rank",
    get text(): string {
      return hosted("Generate responses first:", "Responses come here once some are generated.");
    },
    get code(): string {
      return hosted("lab.generate()", "");
    },
  },
  finished: {
    title: (done: number, total: number) => `All ranked: ${done} of ${total}`,
    get text(): string {
      return hosted("Next:", "Thank you. More comes here by itself.");
    },
    get code(): string {
      return hosted("lab.update_reward()", "");
    },
  },
  waiting: {
    title: "All items at hand are answered",
    get text(): string {
      return hosted(
        "The kernel is busy. It goes on here as soon as the kernel hands out more.",
        "It goes on here as soon as the server hands out more.",
      );
    },
  },
  last: {
    title: "That was the last one",
    get text(): string {
      const host = hosted("kernel", "server");
      return `Keep this page open until the ${host} has saved the answers.`;
    },
  },
  others: {
    title: "Nothing to rank at the moment",
    text: "Others are answering what is left. New items come here when theirs are given back.",
  },
  between: { title: "No item is at hand" },
  error: { title: "The next item could not be read" },
} as const;

export const comparer = {
  widget: "Compare two versions",
  title: "Which response is better?",
  titleAtEnd: "Which version is better?",
  rule: "You do not see which version wrote which.",
  lead: ({ estimate, low, high, n }: Interval) =>
    estimate === 0.5
      ? `Neither leads after ${n} answers: 50% [${Math.round(low * 100)}, ${Math.round(high * 100)}]`
      : `One of the two leads after ${n} answers: ` +
        `${percent(estimate)} [${Math.round(low * 100)}, ${Math.round(high * 100)}]`,
  progress: "Progress",
  position: (position: number, total: number) => `${position} of ${total}`,
  positionLong: (position: number, total: number) => `Pair ${position} of ${total}`,
  question: "Which is better, A or B?",
  answers: { A: "A is better", tie: "Tie", B: "B is better" },
  badges: { better: "better", tie: "tie" },
  cardLabel: (letter: string) => `Response ${letter}`,
  bodyLabel: (letter: string) => `Text of response ${letter}`,
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
  waiting: {
    title: "One moment",
    get text(): string {
      return hosted("Waiting for Python.", "Waiting for the server.");
    },
    code: "",
    button: "",
  },
  empty: {
    title: "Nothing to compare",
    get text(): string {
      return hosted(
        "Have both versions answer the same prompts first:",
        "Both versions must have answered the same prompts: an evaluation has them do so.",
      );
    },
    get code(): string {
      return hosted('lab.evaluate(baseline="policy@0")', "");
    },
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
  scaleLabel: (name: string, { estimate, low, high }: Interval) =>
    `Win rate of ${name}: ${percent(estimate)}, 95% interval ${percent(low)} to ${percent(high)}`,
  meaning: (
    unclear: boolean,
    name: string,
    { estimate, low, high, n }: Interval,
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

const tokenFigures = {
  log_ratio: "Log-ratio",
  kl: "KL",
  value: "Value",
  advantage: "Advantage",
  reward: "Reward",
} as const;

const inNats = "nats";
const inDeviations = "deviations of the score";

interface TokenSettings {
  kl_coef: number;
  temperature: number;
  gamma: number;
  lam: number;
}

interface TokenReaders {
  policy: string;
  reward: string | null;
  settings: TokenSettings;
}

interface TokenResponse {
  name: string;
  written_by: string | null;
  ended: boolean;
  score: number | null;
  ids: readonly number[];
}

export const tokens = {
  widget: "Tokens of a response",
  title: "Where the credit went",
  readers: ({ policy, reward, settings }: TokenReaders) =>
    `Read by ${policy}, ${reward ? `scored by ${reward}` : "no reward model"}, ` +
    `temperature ${settings.temperature}`,
  figure: "Colour tokens by",
  figures: tokenFigures,
  columns: {
    logp: "log policy",
    ref_logp: "log reference",
    log_ratio: "Log-ratio (k1)",
    kl: "KL (k3)",
    value: "Value",
    reward: "Reward",
    advantage: "Advantage",
    return: "Return",
  },
  units: {
    log_ratio: inNats,
    kl: inNats,
    value: inDeviations,
    advantage: inDeviations,
    reward: inDeviations,
  },
  notes: {
    log_ratio: () =>
      "log policy − log reference. Blue, with a line above: the policy made this token likelier. " +
      "Orange, with a line below: less likely.",
    kl: () =>
      "The estimate k3 of how far the policy moved from the reference at this token. Never " +
      "negative, so only blue.",
    value: () =>
      "What the value role expects of the rest before this token. 0 is the mean score of the " +
      "reference.",
    advantage: ({ settings }: TokenReaders) =>
      "How much better it went on than the value role expected (GAE, " +
      `γ ${settings.gamma}, λ ${settings.lam}). A PPO step also whitens it over its batch.`,
    reward: ({ settings }: TokenReaders) =>
      `−${settings.kl_coef} for each nat of log-ratio, and the score at the last token.`,
  } as Record<keyof typeof tokenFigures, (report: TokenReaders) => string>,
  scale: "Scale of the colours, in steps that grow with the square root",
  responses: "Responses",
  response: (number: number) => `Response ${number}`,
  responseNote: ({ written_by, score }: TokenResponse) =>
    [written_by ?? "", score === null ? "" : signed(score, 2)].filter(Boolean).join(", "),
  about: ({ name, written_by, ended, score, ids }: TokenResponse) =>
    `${ids.length} ${ids.length === 1 ? "token" : "tokens"} of ${name}` +
    `${written_by ? `, written by ${written_by}` : ""}` +
    `${ended ? "" : ", cut off before its end"}` +
    `${score === null ? "" : `, score ${signed(score, 3)}`}.`,
  text: "Tokens of the response",
  inspector: "Numbers of the token",
  place: (position: number, total: number) => `${position} of ${total}`,
  what: (id: number, kind: string, whole: string) =>
    `id ${id}${kind === "special" ? ", special" : ""}` +
    `${kind === "bytes" ? `, ${whole ? `part of ${whole}` : "no whole character"}` : ""}`,
  thisToken: "this token",
  sum: "sum",
  mean: "mean",
  figuresCaption: "Figures of this token, with sums and means over the response",
  rewardParts: (price: number, ratio: string, score: string | null) =>
    `Reward: −${price} × (${ratio})${score === null ? "" : `, and the score ${score}`}`,
  leftOut: (names: readonly string[]) => `Left out: ${list(names)}.`,
  noFigure: "This response does not have that figure.",
  tokenLabel: (words: string, figure: keyof typeof tokenFigures, value: string) =>
    `${words}, ${tokenFigures[figure]} ${value}`,
  chosen: (figure: keyof typeof tokenFigures, shown: number, total: number) =>
    `${tokenFigures[figure]}${total > 1 ? `, response ${shown} of ${total}` : ""}.`,
  special: (name: string) => `special token ${name}`,
  bytes: (hex: string, whole: string) => `bytes ${hex}${whole ? `, part of ${whole}` : ""}`,
  spaces: (count: number) => (count === 1 ? "space" : `${count} spaces`),
  newline: "line break",
  quoted: (text: string) => `“${text}”`,
  nothing: "∅",
  marks: { space: "␣", newline: "⏎", tab: "⇥" },
  table: "Table of all tokens",
  tableCaption: "Every token with every figure",
  token: "Token",
  id: "id",
  showTable: "Show table",
  hideTable: "Hide table",
  copy: "Copy table",
  copied: (count: number) => `${count} tokens copied, with tabs between the columns.`,
  notCopied: "This page may not copy by itself: mark the table and copy it.",
  onlyOne: "There is only one response.",
  keys: [
    ["1–5", "figure"],
    ["← →", "token"],
    ["↑ ↓", "line"],
    ["n p", "response"],
    ["t", "table"],
  ] as [string, string][],
  closing: {
    empty: { title: "No response to look at", text: "Pass one:", code: "lab.tokens(response_id)" },
    loading: { title: "Reading …", text: "Each role reads every token once.", code: "" },
    error: { title: "The tokens could not be read", text: "The line below says why.", code: "" },
  },
} as const;

const FIGURES: Record<string, string> = {
  score: "Score",
  kl: "KL, nats",
  steps: "PPO steps",
  loss: "Loss",
  prequential_accuracy: "Accuracy before learning",
  calibration_error: "Calibration error",
};

export const versions = {
  widget: "Versions",
  title: "Versions",
  tree: "Versions, oldest first",
  now: "just now",
  ago: (count: number, unit: "minute" | "hour" | "day") =>
    `${count} ${unit === "minute" ? "min" : unit === "hour" ? "h" : count === 1 ? "day" : "days"} ago`,
  summary: (present: readonly string[], count: number) =>
    `${present.length ? `Present: ${present.join(" with ")}. ` : ""}${count} ${
      count === 1 ? "version" : "versions"
    }.`,
  present: "present",
  awaited: "asked for",
  marked: "marked",
  figure: (name: string) => FIGURES[name] ?? name.replaceAll("_", " "),
  accuracy: "Held-out accuracy",
  judgments: "Judgments learned from",
  columns: {
    policy: ["Policy", "Round", "Score", "KL", "Win rate", "Judgments", "Made"],
    reward: ["Reward model", "Update", "Loss", "", "Held-out accuracy", "Judgments", "Made"],
  },
  against: (baseline: string) => `vs ${baseline}`,
  by: (judge: string) => `by ${judge}`,
  /** Between the figures of a row, for those who do not see its columns. */
  words: {
    trainedWith: ", trained with ",
    round: (role: string) => (role === "reward" ? ", update " : ", round "),
    score: "score ",
    loss: "loss ",
    kl: "KL ",
    nats: " nats",
    won: "won ",
    accuracy: "accuracy ",
    judgments: " judgments",
    made: ", made ",
  },
  checkout: "Check out",
  checkoutName: (name: string) => `Check out ${name}`,
  compare: "Compare",
  compareEnd: "End comparison",
  mark: "Mark",
  unmark: "Unmark",
  undo: "Undo",
  undoTo: (name: string) => `Undo to ${name}`,
  get undoHint(): string {
    const hint = "Go back to the parent of the present policy; the reward model stays.";
    return hint + hosted(" As lab.undo().", "");
  },
  back: (names: readonly string[]) => `Back to ${names.join(" with ")}`,
  backHint: "Take the last checkout back.",
  refresh: "Refresh",
  keys: [
    ["↑ ↓", "move"],
    ["Enter", "check out"],
    ["x", "compare"],
    ["Space", "mark"],
    ["u", "undo"],
    ["0–9", "find"],
  ] as [string, string][],
  keysDescription:
    "Keys: arrows move, Enter or c checks out, x compares with the present version and again ends " +
    "it, Space marks another one to compare with, u undoes a round, b goes back to before the last " +
    "checkout, digits find a version by its number.",
  saving: "Working …",
  waiting: () =>
    hosted(
      "Still working: weights are being loaded, or the kernel is busy with a cell. Nothing is " +
        "lost by waiting. If the kernel was restarted, run the cell again.",
      "The server does not answer yet. Nothing is lost by waiting.",
    ),
  working: "loading …",
  stillWorking: "Still working on the last step.",
  alreadyPresent: (name: string) => `${name} is present already.`,
  nothingToUndo: "The present policy is the start: there is nothing to undo.",
  nothingToGoBackTo: "No checkout was made here: there is nothing to go back to.",
  notFound: (typed: string) => `No version begins with “${typed}”.`,
  noneChosen: "Choose a version first.",
  chooseOther: (name: string) => `${name} is marked. Choose the version to compare it with.`,
  otherRole: (mark: string, name: string) =>
    `${mark} is marked, and ${name} is of another role: choose two of one role.`,
  nowMarked: (name: string) => `${name} is marked for comparison.`,
  unmarked: "No version is marked.",
  comparing: (first: string, second: string) => `Comparing ${first} with ${second}.`,
  details: {
    title: "Details",
    from: (parent: string) => `from ${parent}`,
    start: "the start",
    made: "Made",
    trainedWith: "Trained with",
    record: "Record of judgments",
    events: (count: number) => `${count} ${count === 1 ? "event" : "events"}`,
    trained: "Trained with it",
    evaluations: "Win rate on held-out prompts",
    verdicts: { better: "better", unclear: "unclear", worse: "worse" },
    n: (n: number) => `n=${n}`,
    noEvaluation: "Not evaluated yet",
    get evaluateCode(): string {
      return hosted("lab.evaluate()", "");
    },
  },
  spark: {
    score: "Score from the start to here",
    accuracy: "Held-out accuracy from the start to here",
    label: (what: string, points: readonly string[]) => `${what}: ${points.join(", ")}`,
  },
  comparison: {
    title: (first: string, second: string) => `${first} and ${second}`,
    figure: "Figure",
    difference: "Change",
    won: (second: string, first: string, rate: string, n: number, verdict: string) =>
      `${second} won ${rate} against ${first} on ${n} held-out prompts: ${verdict}.`,
    notEvaluated: "Not evaluated against each other.",
    ask: "What they write",
    meet: (name: string) => `Both come from ${name}.`,
    after: (second: string, first: string) => `${second} was made from ${first}.`,
  },
  empty: {
    title: "Only the start so far",
    text: "Each reward update makes a reward version, and each PPO run a policy version:",
    steps: [
      ["lab.generate()", "responses to rank"],
      ["lab.rank()", "judgments"],
      ["lab.update_reward()", "reward@0"],
      ["lab.ppo().run()", "policy@1"],
    ] as [string, string][],
    end: "Then you compare, go back and branch here.",
  },
  error: { title: "The versions could not be read", again: "Try again" },
} as const;

const number = (value: number): string => value.toLocaleString("en-US");
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const sortOption = (title: string, kind: string, descending: boolean): string => {
  if (kind === "time") return `${title}, ${descending ? "latest" : "earliest"} first`;
  if (kind === "number") return `${title}, ${descending ? "largest" : "smallest"} first`;
  return `${title}, ${descending ? "Z to A" : "A to Z"}`;
};

const emptyTables: Record<string, { text: string; code: string }> = {
  prompts: { text: "Add some first:", code: 'lab.add_prompts(rl.load_prompts("starter"))' },
  responses: { text: "Generate some first:", code: "lab.generate()" },
  judgments: { text: "Rank responses first:", code: "lab.rank()" },
};

export const tables = {
  widget: (name: string) => `Table of ${name}`,
  title: capital,
  total: (total: number, narrowed: boolean) =>
    narrowed ? `${number(total)} found` : number(total),
  toolbar: "Search and filters",
  search: (searches: string) => `Search ${searches}`,
  any: "any",
  clear: "Clear",
  refresh: "Refresh",
  sortBy: "Sort",
  tableOrder: "Last stored first",
  sortOption,
  sorted: (title: string, kind: string, descending: boolean) =>
    `Sorted by ${sortOption(title, kind, descending)}.`,
  unsorted: "Sorted as stored, the last first.",
  pages: "Pages",
  range: (from: number, to: number, total: number) =>
    total ? `rows ${number(from)}–${number(to)} of ${number(total)}` : "no rows",
  pageSize: "Per page",
  first: "First page",
  previous: "Previous page",
  next: "Next page",
  last: "Last page",
  details: (title: string) => (title ? `Details of the ${title}` : "Details"),
  close: "Close details",
  loading: "Loading …",
  facts: "Record",
  emptyText: "(empty)",
  opened: "Details are open. Enter again goes to them, Escape closes them.",
  copied: (id: string) => `Copied ${id}`,
  keys: [
    ["/", "search"],
    ["↑ ↓", "rows"],
    ["Enter", "details"],
    ["PgUp PgDn", "pages"],
    ["Esc", "close"],
  ] as [string, string][],
  keysDescription:
    "Keys: arrows move over rows, Enter opens details, Escape closes them, Page Up and Page Down " +
    "turn pages, slash goes to the search, Control C copies the id.",
  get busy(): string {
    const host = hosted("The kernel is busy", "The server does not answer yet");
    return `${host}. The rows come as soon as it ${hosted("is free", "does")}.`;
  },
  empty: (name: string) => {
    const { text, code } = emptyTables[name] ?? { text: "", code: "" };
    return { title: `No ${name} yet`, text: hosted(text, ""), code: hosted(code, "") };
  },
  noMatch: {
    title: (name: string) => `No ${name} found`,
    text: "Try fewer words or filters.",
    action: "Clear search and filters",
  },
  error: { title: "The rows could not be read", action: "Try again" },
} as const;

export const monitor = {
  widget: "Training monitor",
  progress: "Progress of the run",
  stop: "Stop after this step",
  stopping: "Stopping …",
  asking: "Asking the run to stop …",
  heard: (note: string) => `The run has heard it. ${note}`,
  cannotHear:
    "The kernel is busy with the run and hears no page here. Use the notebook's own stop button " +
    "(interrupt the kernel): it ends the run at once and keeps all whole steps.",
  waiting: "Not started",
  running: (step: number, total: number, phase: string) =>
    (total ? `Step ${step} of ${total}` : "Running") + (phase ? `: ${phase}` : ""),
  ends: { finished: "Finished", stopped: "Stopped early", failed: "Ended by an error" } as Record<
    string,
    string
  >,
  over: (how: string, done: number, total: number) =>
    total ? `${how}, ${done} of ${total} steps` : how,
  took: (time: string) => `in ${time}`,
  spent: (time: string) => `${time} so far`,
  left: (time: string) => `about ${time} left`,
  alarm: (name: string) => `Alarm: ${name}`,
  when: (first: number, last: number, times: number) =>
    times === 1 ? `step ${first}` : `steps ${first} to ${last}, ${times} times`,
  target: (value: string) => `target ${value}`,
  look: "Values at",
  at: (step: number, latest: boolean) => (latest ? `step ${step}, the latest` : `step ${step}`),
  none: "No step yet",
  table: "Table",
  tableCaption: "Values of every step, the newest first",
  step: "Step",
  newer: "Newer",
  older: "Older",
  rows: (first: number, last: number, total: number) =>
    `${first} to ${last} of ${total}, newest first`,
  samples: (step: number) => `Responses of step ${step}, before and now`,
  before: (version: string) => `Before, ${version}`,
  now: (step: number) => `Now, step ${step}`,
  score: (value: string) => `score ${value}`,
} as const;
