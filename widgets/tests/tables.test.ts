import axe from "axe-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Notice } from "../src/shared/protocol";
import tables from "../src/tables";
import type { Content, Detail, Page, Query, TableEvent, View } from "../src/tables/protocol";
import * as query from "../src/tables/query";
import { FakeModel } from "./harness";

const COLUMNS: Content["columns"] = [
  ["response", "text", false, []],
  ["version", "label", true, ["policy@0", "policy@1"]],
  ["when", "time", true, []],
  ["id", "id", false, []],
].map(([name, kind, sortable, choices]) => ({
  name: name as string,
  title: name as string,
  kind: kind as "text",
  sortable: sortable as boolean,
  shown: true,
  importance: 1,
  choices: (choices as string[]).map((label) => ({ key: `key-${label}`, label })),
}));

function page(changes: Partial<Page> = {}): Page {
  const asked: Query = {
    search: "",
    filters: {},
    sort: "",
    descending: false,
    page: 0,
    page_size: 25,
  };
  const first = (changes.page ?? 0) * 25;
  const total = changes.total ?? 120;
  const rows = Array.from({ length: Math.max(0, Math.min(25, total - first)) }, (_, n) => ({
    key: `r${first + n}`,
    cells: {
      response: `<b>answer</b> ${first + n}`,
      version: "policy@0",
      when: "2025-03-01",
      id: `id-${first + n}`,
    },
  }));
  return { ...asked, number: 0, phase: "ready", total, rows, ...changes };
}

function content(changes: Partial<Page> = {}): Content {
  return {
    name: "responses",
    searches: "responses",
    page_sizes: [25, 50],
    columns: structuredClone(COLUMNS),
    page: page(changes),
  };
}

class TableScreen {
  readonly model: FakeModel<View, Content, TableEvent>;
  readonly root: HTMLElement;
  readonly leaked: string[] = [];
  readonly stop: () => void;

  constructor(start: Content = content(), events: TableEvent[] = []) {
    this.model = new FakeModel({ view: { detail: null }, content: start, events });
    const notebook = document.createElement("div");
    document.body.replaceChildren(notebook);
    notebook.addEventListener("keydown", (event) => this.leaked.push(event.key));
    this.stop = tables.render({ model: this.model, el: notebook });
    this.root = notebook.querySelector<HTMLElement>(".rlhf-tables") ?? notebook;
  }

  get<T extends HTMLElement = HTMLElement>(selector: string): T {
    const found = this.root.querySelector<T>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  get rows(): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>("tbody tr")];
  }

  row(index: number): HTMLElement {
    const row = this.rows[index];
    if (!row) throw new Error(`no row ${index}`);
    return row;
  }

  text(index: number): string {
    return this.row(index).querySelector("td")?.textContent ?? "";
  }

  button(label: string): HTMLButtonElement {
    const all = [...this.root.querySelectorAll("button")];
    const found = all.find((one) => (one.getAttribute("aria-label") ?? one.textContent) === label);
    if (!found) throw new Error(`no button ${label}`);
    return found;
  }

  press(...keys: (string | KeyboardEventInit)[]): boolean[] {
    return keys.map((key) => {
      const init = typeof key === "string" ? { key } : key;
      const target = document.activeElement ?? document.body;
      return !target.dispatchEvent(
        new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }),
      );
    });
  }

  type(words: string, options: InputEventInit = {}): void {
    const search = this.get<HTMLInputElement>(".rt-search");
    search.focus();
    search.value = words;
    search.dispatchEvent(new InputEvent("input", { bubbles: true, ...options }));
  }

  choose(select: string, value: string): void {
    const list = this.get<HTMLSelectElement>(select);
    list.value = value;
    list.dispatchEvent(new Event("change"));
  }

  get events(): TableEvent[] {
    return this.model.get("events");
  }

  /** The last query that was sent. */
  get asked(): Extract<TableEvent, { type: "query" }> {
    const last = this.events.filter((event) => event.type === "query").at(-1);
    if (last?.type !== "query") throw new Error("nothing was asked");
    return last;
  }

  /** What Python does: answer the last query, or another one. */
  answer(changes: Partial<Page> = {}, columns = structuredClone(COLUMNS)): void {
    const { number, search, filters, sort, descending, page: at, page_size } = this.asked;
    const asked = { number, search, filters, sort, descending, page: at, page_size };
    this.model.set("content", { ...content({ ...asked, ...changes }), columns });
    this.acknowledge();
  }

  acknowledge(): void {
    this.model.set("acked_seq", this.events.at(-1)?.seq ?? this.model.get("acked_seq"));
  }

  tell(notice: Notice): void {
    this.model.set("notice", notice);
  }

  detail(row: string, changes: Partial<Detail> = {}): void {
    const texts = [{ label: "Response", note: "policy@0", html: "<p>whole</p>" }];
    const facts: [string, string][] = [["id", `id-${row}`]];
    this.model.set("view", {
      detail: { row, title: "response", error: "", facts, texts, ...changes },
    });
    this.acknowledge();
  }

  get focused(): string | undefined {
    return (document.activeElement as HTMLElement | null)?.dataset.key;
  }
}

// A page of rows is slow to make without a browser, and slower on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("what is asked", () => {
  const start = query.queryOf(page({ page: 3 }));

  it("starts on the first page when rows change", () => {
    expect(query.withSearch(start, "tea")).toMatchObject({ search: "tea", page: 0 });
    expect(query.withFilter(start, "version", "k")).toMatchObject({
      filters: { version: "k" },
      page: 0,
    });
    expect(query.withSort(start, "when", true)).toMatchObject({ sort: "when", page: 0 });
  });

  it("takes a filter away, and leaves the others", () => {
    const two = query.withFilter(query.withFilter(start, "a", "1"), "b", "2");
    expect(query.withFilter(two, "a", "").filters).toEqual({ b: "2" });
    expect(query.cleared(two).filters).toEqual({});
  });

  it("sorts names from A and times from the latest, then the other way, then not at all", () => {
    const steps = (column: (typeof COLUMNS)[number]) => {
      let asked = start;
      return [1, 2, 3].map(() => {
        asked = query.sortedBy(asked, column);
        return [asked.sort, asked.descending];
      });
    };
    const [, version, when] = COLUMNS;
    if (!version || !when) throw new Error("no columns");
    expect(steps(version)).toEqual([
      ["version", false],
      ["version", true],
      ["", false],
    ]);
    expect(steps(when)).toEqual([
      ["when", true],
      ["when", false],
      ["", false],
    ]);
  });

  it("stays within the pages there are, also when there are no rows", () => {
    expect(query.withPage(start, 9, 120).page).toBe(4);
    expect(query.withPage(start, -1, 120).page).toBe(0);
    expect(query.withPage(start, 4, 0).page).toBe(0);
    expect(query.pageCount(start, 125)).toBe(5);
    expect(query.pageCount(start, 126)).toBe(6);
  });

  it("keeps the first row on the page when pages change their size", () => {
    // Page 3 of 25 starts with row 75, which is on page 1 of 50 and page 0 of 100.
    expect(query.withPageSize(start, 50)).toMatchObject({ page: 1, page_size: 50 });
    expect(query.withPageSize(start, 100).page).toBe(0);
  });
});

describe("rows", () => {
  it("are put in as text, never as markup", () => {
    const screen = new TableScreen();
    expect(screen.text(0)).toBe("<b>answer</b> 0");
    expect(screen.root.querySelector("b")).toBeNull();
    expect(screen.rows).toHaveLength(25);
    expect(screen.get(".rt-range").textContent).toBe("rows 1–25 of 120");
    expect(screen.get(".rt-total").textContent).toBe("120");
    expect(screen.root.querySelector("a")).toBeNull();
  });

  it("say that a response is empty, and nothing where there is no comment", () => {
    const rows = [{ key: "r0", cells: { response: "", version: "" } }];
    const screen = new TableScreen(content({ total: 1, rows }));
    expect(screen.text(0)).toBe("(empty)");
    expect(screen.row(0).querySelector("td")?.hasAttribute("data-empty")).toBe(false);
    expect(screen.row(0).querySelectorAll("td")[1]?.textContent).toBe("");
  });

  it("are moved over with arrows, and leave no key to the notebook", () => {
    const screen = new TableScreen();
    screen.row(0).focus();
    screen.press("ArrowDown", "ArrowDown", "ArrowUp");
    expect(screen.focused).toBe("r1");
    screen.press("End");
    expect(screen.focused).toBe("r24");
    screen.press("ArrowDown", "Home", "ArrowUp");
    expect(screen.focused).toBe("r0");
    expect(screen.rows.filter((row) => row.tabIndex === 0)).toEqual([screen.row(0)]);
    expect(screen.leaked).toEqual([]);
    expect(screen.events).toEqual([]);
  });

  it("keep the focus when others take their place", () => {
    const screen = new TableScreen();
    screen.row(3).focus();
    screen.press("PageDown");
    expect(screen.asked).toMatchObject({ page: 1, number: 1 });
    screen.answer();
    expect(screen.focused).toBe("r25");
    expect(screen.row(0).getAttribute("aria-rowindex")).toBe("27");
  });

  it("are left alone by a cell that ran: the focus stays where it is", () => {
    const screen = new TableScreen();
    screen.model.set("content", content({ total: 3 }));
    expect(document.activeElement).toBe(document.body);
    expect(screen.rows).toHaveLength(3);
  });
});

describe("late answers", () => {
  it("do not overwrite newer ones", () => {
    const screen = new TableScreen();
    screen.button("Next page").click();
    screen.button("Next page").click();
    expect(screen.asked).toMatchObject({ page: 2, number: 2 });
    screen.model.set("content", content({ number: 1, page: 1 }));
    expect(screen.text(0)).toBe("<b>answer</b> 0");
    screen.model.set("content", content({ number: 2, page: 2 }));
    expect(screen.text(0)).toBe("<b>answer</b> 50");
    expect(screen.get(".rt-range").textContent).toBe("rows 51–75 of 120");
  });

  it("are those to another view of the same table, which this one follows", () => {
    const screen = new TableScreen();
    screen.model.set("content", content({ number: 7, page: 4, search: "tea" }));
    expect(screen.rows).toHaveLength(20);
    expect(screen.get<HTMLInputElement>(".rt-search").value).toBe("tea");
    screen.button("Previous page").click();
    expect(screen.asked).toMatchObject({ number: 8, page: 3, search: "tea" });
  });

  it("leave alone what somebody is typing", () => {
    const screen = new TableScreen();
    screen.type("te");
    vi.advanceTimersByTime(250);
    screen.type("tea");
    screen.answer({ total: 9 });
    expect(screen.rows).toHaveLength(9);
    expect(screen.get<HTMLInputElement>(".rt-search").value).toBe("tea");
    vi.advanceTimersByTime(250);
    expect(screen.asked).toMatchObject({ number: 2, search: "tea" });
  });

  it("of a page that was loaded again are numbered on from what it had asked", () => {
    const { page_size, search, filters, sort, descending } = page();
    const waiting = { page_size, search, filters, sort, descending, page: 1 };
    const screen = new TableScreen(content({ number: 3 }), [
      { seq: 5, id: "waiting-5", type: "query", number: 4, ...waiting },
    ]);
    expect(screen.rows).toHaveLength(25);
    screen.button("Next page").click(); // after page 1, which is on its way
    expect(screen.asked).toMatchObject({ number: 5, page: 2 });
  });
});

describe("search and filters", () => {
  it("wait for the end of a word, and not after Enter", () => {
    const screen = new TableScreen();
    screen.type("t");
    vi.advanceTimersByTime(249);
    screen.type("te");
    vi.advanceTimersByTime(249);
    expect(screen.events).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(screen.asked.search).toBe("te");
    screen.type("tea");
    screen.press("Enter");
    expect(screen.asked).toMatchObject({ search: "tea", number: 2 });
    vi.advanceTimersByTime(1000);
    expect(screen.events).toHaveLength(2);
  });

  it("are asked for together by who types and chooses at once", () => {
    const screen = new TableScreen();
    screen.type("tea");
    screen.choose('select[name="version"]', "key-policy@1");
    expect(screen.asked).toMatchObject({ search: "tea", filters: { version: "key-policy@1" } });
    vi.advanceTimersByTime(1000);
    expect(screen.events).toHaveLength(1);
    screen.answer();
    expect(screen.get<HTMLInputElement>(".rt-search").value).toBe("tea");
  });

  it("do not ask for half a sign that is being composed", () => {
    const screen = new TableScreen();
    screen.get(".rt-search").dispatchEvent(new Event("compositionstart"));
    screen.type("こ", { isComposing: true });
    vi.advanceTimersByTime(1000);
    expect(screen.events).toEqual([]);
    screen.model.set("content", content({ number: 1 }));
    expect(screen.get<HTMLInputElement>(".rt-search").value).toBe("こ");
    screen.get(".rt-search").dispatchEvent(new Event("compositionend"));
    vi.advanceTimersByTime(250);
    expect(screen.asked.search).toBe("こ");
  });

  it("take keys as text", () => {
    const screen = new TableScreen();
    screen.get(".rt-search").focus();
    expect(screen.press("/", "PageUp", " ", "a")).toEqual([false, false, false, false]);
    expect(screen.events).toEqual([]);
  });

  it("are reached by a slash, and left by an arrow or Escape", () => {
    const screen = new TableScreen();
    screen.row(2).focus();
    expect(screen.press("/")).toEqual([true]);
    expect(document.activeElement).toBe(screen.get(".rt-search"));
    screen.press("ArrowDown");
    expect(screen.focused).toBe("r2");
    screen.type("tea");
    screen.press("Enter", "Escape");
    expect(screen.asked).toMatchObject({ search: "", number: 2 });
  });

  it("send the key of a choice, and take it away", () => {
    const screen = new TableScreen();
    screen.choose('select[name="version"]', "key-policy@1");
    expect(screen.asked).toMatchObject({ filters: { version: "key-policy@1" }, page: 0 });
    screen.answer({ total: 0 });
    expect(screen.get(".rw-closing h2").textContent).toBe("No responses found");
    expect(screen.get(".rt-table").hidden).toBe(true);
    screen.button("Clear search and filters").click();
    expect(screen.asked).toMatchObject({ filters: {}, search: "" });
  });

  it("show values that a refresh found, without losing the one chosen", () => {
    const screen = new TableScreen();
    screen.choose('select[name="version"]', "key-policy@1");
    const more = structuredClone(COLUMNS);
    more[1]?.choices.push({ key: "new", label: "<i>new</i>" });
    screen.answer({}, more);
    const list = screen.get<HTMLSelectElement>('select[name="version"]');
    expect([...list.options].map((one) => one.textContent)).toEqual([
      "any",
      "policy@0",
      "policy@1",
      "<i>new</i>",
    ]);
    expect(list.value).toBe("key-policy@1");
  });
});

describe("order and pages", () => {
  it("is told by the heading, at once", () => {
    const screen = new TableScreen();
    screen.get('[data-column="when"] button').click();
    expect(screen.asked).toMatchObject({ sort: "when", descending: true });
    expect(screen.get('[data-column="when"]').getAttribute("aria-sort")).toBe("descending");
    expect(screen.get('[data-column="version"]').getAttribute("aria-sort")).toBe("none");
    expect(screen.get('[data-column="id"]').hasAttribute("aria-sort")).toBe(false);
    screen.answer();
    screen.get('[data-column="when"] button').click();
    expect(screen.asked).toMatchObject({ sort: "when", descending: false });
  });

  it("can be chosen from a list where there are no headings", () => {
    const screen = new TableScreen();
    screen.choose(".rt-order select", '["version","down"]');
    expect(screen.asked).toMatchObject({ sort: "version", descending: true });
    expect(screen.get('[data-column="version"]').getAttribute("aria-sort")).toBe("descending");
  });

  it("ends at the first and the last page, without losing the focus", () => {
    const screen = new TableScreen();
    const previous = screen.button("Previous page");
    previous.focus();
    previous.click();
    expect(screen.events).toEqual([]);
    expect(previous.getAttribute("aria-disabled")).toBe("true");
    expect(document.activeElement).toBe(previous);
    screen.button("Last page").click();
    expect(screen.asked.page).toBe(4);
    screen.answer();
    expect(screen.get(".rt-range").textContent).toBe("rows 101–120 of 120");
    expect(screen.button("Next page").getAttribute("aria-disabled")).toBe("true");
    screen.press("PageDown");
    expect(screen.events).toEqual([]);
  });

  it("may have pages of another size", () => {
    const screen = new TableScreen();
    screen.button("Last page").click();
    screen.answer();
    screen.choose(".rt-pager select", "50");
    expect(screen.asked).toMatchObject({ page_size: 50, page: 2 });
  });
});

describe("details", () => {
  it("open with Enter, follow the arrows, and close with Escape", () => {
    const screen = new TableScreen();
    screen.row(1).focus();
    screen.press("Enter");
    expect(screen.events.at(-1)).toMatchObject({ type: "detail", row: "r1" });
    expect(screen.get(".rt-details").textContent).toContain("Loading");
    expect(screen.row(1).getAttribute("aria-selected")).toBe("true");
    screen.detail("r1");
    expect(screen.get(".rt-text-body").innerHTML).toBe("<p>whole</p>");
    expect(screen.focused).toBe("r1");
    screen.press("ArrowDown", "ArrowDown");
    expect(screen.events.filter((event) => event.type === "detail")).toHaveLength(0);
    vi.advanceTimersByTime(120);
    expect(screen.events.at(-1)).toMatchObject({ type: "detail", row: "r3" });
    screen.press("Escape");
    expect(screen.get(".rt-details").hidden).toBe(true);
    expect(screen.focused).toBe("r3");
  });

  it("take the focus at the second Enter and give it back", () => {
    const screen = new TableScreen();
    screen.row(1).focus();
    screen.press("Enter");
    screen.detail("r1");
    screen.press("Enter");
    expect(document.activeElement).toBe(screen.get(".rt-details"));
    expect(screen.press("PageDown")).toEqual([false]);
    screen.button("Close details").click();
    expect(screen.focused).toBe("r1");
  });

  it("of another row than the one that is open are not shown", () => {
    const screen = new TableScreen();
    screen.row(1).click();
    screen.row(2).click();
    screen.detail("r1", { title: "late" });
    expect(screen.get(".rt-details-title").textContent).not.toBe("Late");
    screen.detail("r2");
    expect(screen.get(".rt-details-title").textContent).toBe("Response");
  });

  it("of the row that was open before come with the acknowledgement alone", () => {
    const screen = new TableScreen();
    screen.row(1).click();
    screen.detail("r1");
    screen.press("Escape");
    screen.row(1).click();
    expect(screen.get(".rt-details").textContent).toContain("Loading");
    // Python says what it said before: an equal value, which no host sends.
    screen.acknowledge();
    expect(screen.get(".rt-text-body").textContent).toBe("whole");
    expect(screen.get(".rt-details").hasAttribute("aria-busy")).toBe(false);
  });

  it("keep the focus when they are read again under it", () => {
    const screen = new TableScreen();
    const html = '<span class="rw-md-link" data-url="https://a.example/">a</span>';
    screen.row(1).click();
    screen.detail("r1", { texts: [{ label: "Response", note: "", html }] });
    screen.get(".rt-text-body button").focus();
    screen.detail("r1");
    expect(document.activeElement).toBe(screen.get(".rt-details"));
  });

  it("have code that scrolls in reach of the keyboard", () => {
    Object.defineProperty(HTMLElement.prototype, "scrollWidth", { value: 900, configurable: true });
    const screen = new TableScreen();
    screen.row(1).click();
    screen.detail("r1", { texts: [{ label: "Response", note: "", html: "<pre>x</pre>" }] });
    Reflect.deleteProperty(HTMLElement.prototype, "scrollWidth");
    expect(screen.get("pre").tabIndex).toBe(0);
  });

  it("are not opened by marking text, whose marks a shadow root keeps to itself", () => {
    const screen = new TableScreen();
    const host = document.createElement("div");
    document.body.append(host);
    const shadow = host.attachShadow({ mode: "open" });
    shadow.append(screen.root);
    const marked = { isCollapsed: false, toString: () => "some words" };
    const scope = Object.assign(shadow, { getSelection: () => marked });
    screen.row(2).dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }));
    expect(screen.events).toEqual([]);
    screen.row(2).focus();
    const copy = Object.assign(new Event("copy", { bubbles: true, cancelable: true }), {
      clipboardData: { setData: vi.fn() },
    });
    screen.row(2).dispatchEvent(copy);
    expect(copy.defaultPrevented).toBe(false);
    Object.assign(scope, { getSelection: () => ({ isCollapsed: true, toString: () => "" }) });
    screen.row(2).dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }));
    expect(screen.events).toMatchObject([{ type: "detail", row: "r2" }]);
  });

  it("put facts in as text, and say what went wrong", () => {
    const screen = new TableScreen();
    screen.row(0).click();
    screen.detail("r0", { facts: [["id", "<img src=x>"]] });
    expect(screen.root.querySelector("img")).toBeNull();
    expect(screen.get("dd.rt-id").textContent).toBe("<img src=x>");
    screen.detail("r0", { error: "It is <gone>." });
    expect(screen.get(".rt-error").textContent).toBe("It is <gone>.");
  });

  it("are read again with the rows", () => {
    const screen = new TableScreen();
    screen.row(1).click();
    screen.detail("r1");
    screen.button("Refresh").click();
    expect(screen.events).toMatchObject([{ type: "refresh" }, { type: "detail", row: "r1" }]);
  });

  it("close when their row leaves the page, and stay while it is there", () => {
    const screen = new TableScreen();
    screen.row(1).click();
    screen.detail("r1");
    screen.get('[data-column="when"] button').click();
    screen.answer();
    expect(screen.get(".rt-details").hidden).toBe(false);
    expect(screen.row(1).getAttribute("aria-selected")).toBe("true");
    screen.button("Next page").click();
    screen.answer();
    expect(screen.get(".rt-details").hidden).toBe(true);
  });

  it("do not open where an id is being copied", () => {
    const screen = new TableScreen();
    screen.row(0).querySelector<HTMLElement>(".rt-id")?.click();
    expect(screen.events).toEqual([]);
    screen.row(4).focus();
    const data = { setData: vi.fn() };
    const copy = Object.assign(new Event("copy", { bubbles: true, cancelable: true }), {
      clipboardData: data,
    });
    document.activeElement?.dispatchEvent(copy);
    expect(data.setData).toHaveBeenCalledWith("text/plain", "id-4");
    expect(copy.defaultPrevented).toBe(true);
    expect(screen.get(".rw-message").textContent).toBe("Copied id-4");
  });
});

describe("states", () => {
  it("says what to do when there are no rows at all", () => {
    const screen = new TableScreen(content({ total: 0 }));
    expect(screen.get(".rw-closing").textContent).toBe(
      "No responses yetGenerate some first: lab.generate()",
    );
    expect(screen.get(".rt-range").textContent).toBe("no rows");
  });

  it("says why rows could not be read, and asks again", () => {
    const screen = new TableScreen();
    screen.row(0).focus();
    screen.press("PageDown");
    screen.tell({ id: 1, tone: "error", text: "The disk is gone." });
    screen.answer({ phase: "error", total: 0, rows: [] });
    expect(screen.get(".rw-message").textContent).toBe("The disk is gone.");
    const again = screen.button("Try again");
    expect(document.activeElement).toBe(again);
    again.click();
    expect(screen.events.at(-1)).toMatchObject({ type: "refresh" });
    screen.model.set("content", content({ number: 1, page: 1 }));
    screen.acknowledge();
    expect(screen.rows).toHaveLength(25);
    expect(screen.focused).toBe("r25");
  });

  it("says after a second that the kernel is busy, and shows at once that rows are coming", () => {
    const screen = new TableScreen();
    screen.button("Next page").click();
    expect(screen.root.hasAttribute("data-reading")).toBe(true);
    expect(screen.get(".rw-message").textContent).toBe("");
    vi.advanceTimersByTime(1000);
    expect(screen.get(".rw-message").textContent).toContain("The kernel is busy");
    screen.answer();
    expect(screen.root.hasAttribute("data-reading")).toBe(false);
    expect(screen.get(".rw-message").textContent).toBe("");
  });

  it("does not turn rows pale for details", () => {
    const screen = new TableScreen();
    screen.row(0).click();
    expect(screen.root.hasAttribute("data-reading")).toBe(false);
    expect(screen.root.getAttribute("aria-busy")).toBe("true");
  });

  it("stops listening when it ends", () => {
    const screen = new TableScreen();
    screen.type("tea");
    screen.stop();
    vi.advanceTimersByTime(1000);
    expect(screen.events).toEqual([]);
    expect(screen.model.listeners).toBe(0);
  });
});

it.each([
  ["rows", { total: 3 }],
  ["nothing found", { total: 0, search: "tea" }],
  ["an error", { phase: "error", total: 0, rows: [] } as Partial<Page>],
])("has no accessibility violations with %s", async (_, changes) => {
  vi.useRealTimers();
  const screen = new TableScreen(content(changes));
  if (screen.rows.length && !screen.get(".rt-table").hidden) {
    screen.row(0).click();
    screen.detail("r0");
  }
  const found = await axe.run(screen.root, { rules: { "color-contrast": { enabled: false } } });
  expect(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html)])).toEqual([]);
});
