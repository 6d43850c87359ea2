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

const signed = (value: number, digits: number): string =>
  `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

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
  prompt: "Prompt",
  roles: { system: "System", user: "Prompt", assistant: "Assistant" } as Record<string, string>,
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
