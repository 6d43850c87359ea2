// What a person asks of a table: search, filters, order and pages.

import { beforeEach, describe, expect, it, vi } from "vitest";
import * as query from "../src/tables/query";
import { COLUMNS, content, page, TableScreen } from "./tables-screen";

// A page of rows is slow to make without a browser, and slower on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
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

describe("late answers", () => {
  it("do not overwrite newer ones", () => {
    const screen = new TableScreen();
    screen.button("Next page").click();
    screen.button("Next page").click();
    expect(screen.asked).toMatchObject({ page: 2, number: 2 });
    screen.model.set("content", content({ number: 1, page: 1 }));
    expect(screen.words(0)).toBe("<b>answer</b> 0");
    screen.model.set("content", content({ number: 2, page: 2 }));
    expect(screen.words(0)).toBe("<b>answer</b> 50");
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
