// One row of a table, whole.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { overflow } from "./screen";
import { TableScreen } from "./tables-screen";

// A page of rows is slow to make without a browser, and slower on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
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
    const restore = overflow("scrollWidth");
    const screen = new TableScreen();
    screen.row(1).click();
    screen.detail("r1", { texts: [{ label: "Response", note: "", html: "<pre>x</pre>" }] });
    restore();
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
