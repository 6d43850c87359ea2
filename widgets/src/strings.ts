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
  none: "–",
  now: "just now",
  ago: (count: number, unit: "minute" | "hour" | "day") =>
    `${count} ${unit === "minute" ? "min" : unit === "hour" ? "h" : count === 1 ? "day" : "days"} ago`,
  summary: (present: readonly string[], count: number) =>
    `${present.length ? `Present: ${present.join(" with ")}. ` : ""}${count} ${
      count === 1 ? "version" : "versions"
    }.`,
  present: "present",
  marked: "marked",
  figure: (name: string) => FIGURES[name] ?? name.replaceAll("_", " "),
  accuracy: "Held-out accuracy",
  judgments: "Judgments learned from",
  columns: {
    policy: ["Policy", "Round", "Score", "KL", "Win rate", "Judgments", "Made"],
    reward: ["Reward model", "Update", "Loss", "", "Held-out accuracy", "Judgments", "Made"],
  },
  against: (baseline: string) => `vs ${baseline}`,
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
  undoHint: "Go back to the parent of the present policy; the reward model stays. As lab.undo().",
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
    "Keys: arrows move, Enter or c checks out, x compares with the present version or the marked " +
    "one, Space marks, u undoes a round, b goes back to before the last checkout, digits find a " +
    "version by its number.",
  saving: "Working …",
  waiting: () =>
    "Still working: weights are being loaded, or the kernel is busy with a cell. Nothing is lost " +
    "by waiting. If the kernel was restarted, run the cell again.",
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
    noEvaluation: "Not evaluated yet:",
    evaluateCode: "lab.evaluate()",
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
