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
  busy: "The kernel is busy. The rows come as soon as it is free.",
  empty: (name: string) => ({
    title: `No ${name} yet`,
    ...(emptyTables[name] ?? { text: "", code: "" }),
  }),
  noMatch: {
    title: (name: string) => `No ${name} found`,
    text: "Try fewer words or filters.",
    action: "Clear search and filters",
  },
  error: { title: "The rows could not be read", action: "Try again" },
} as const;
