// A table: its rows, and what stands there without any.

import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Page } from "../src/tables/protocol";
import { content, TableScreen } from "./tables-screen";

// A page of rows is slow to make without a browser, and slower on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("rows", () => {
  it("are put in as text, never as markup", () => {
    const screen = new TableScreen();
    expect(screen.words(0)).toBe("<b>answer</b> 0");
    expect(screen.root.querySelector("b")).toBeNull();
    expect(screen.rows).toHaveLength(25);
    expect(screen.get(".rt-range").textContent).toBe("rows 1–25 of 120");
    expect(screen.get(".rt-total").textContent).toBe("120");
    expect(screen.root.querySelector("a")).toBeNull();
  });

  it("say that a response is empty, and nothing where there is no comment", () => {
    const rows = [{ key: "r0", cells: { response: "", version: "" } }];
    const screen = new TableScreen(content({ total: 1, rows }));
    expect(screen.words(0)).toBe("(empty)");
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

describe("states", () => {
  it("take the focus from a heading that goes, not to the notebook", () => {
    const screen = new TableScreen();
    screen.type("uuu");
    screen.get(".rt-sort").focus();
    vi.advanceTimersByTime(250);
    screen.answer({ total: 0, rows: [] });
    expect(document.activeElement).toBe(screen.get(".rw-closing button"));
  });

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
