// What the page does while Python has no time, and when Python says otherwise.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SubmitEvent } from "../src/ranker/protocol";
import { content, item, items, Screen, view } from "./harness";
import { Kernel } from "./kernel";

function start(number = 5, window = number) {
  const screen = new Screen({ content: content({ items: [] }) });
  const kernel = new Kernel(screen.model, items(number), window);
  screen.card("A").focus();
  return { screen, kernel };
}

const stored = (kernel: Kernel) => kernel.stored.map((event) => event.item);

describe("while the kernel is busy", () => {
  it("shows the next item at once", () => {
    const { screen } = start();
    screen.press("1", "1", "2", "2", "Enter");
    expect(screen.shown).toBe("two");
    expect(screen.ranks).toBe("––––");
    expect(screen.get(".rr-position").textContent).toBe("2 of 5");
    expect(screen.focusedLabel).toBe("Response A, not ranked");
  });

  it("takes thirty answers, and sends each once and in order", () => {
    const { screen, kernel } = start(30);
    for (let n = 0; n < 30; n += 1) {
      screen.press("1", "1", String(1 + (n % 4)), "2", "Enter");
    }
    expect(screen.shown).toBe("That was the last one");
    expect(screen.get(".rr-unsent").textContent).toBe("30 unsaved");
    kernel.run(4);
    kernel.run(19);
    kernel.run();
    expect(stored(kernel)).toEqual(items(30).map(({ key }) => key));
    expect(kernel.stored.map((event) => (event as SubmitEvent).ranks[2])).toEqual(
      Array.from({ length: 30 }, (_, n) => 1 + (n % 4)),
    );
    expect(screen.shown).toBe("All ranked: 30 of 30");
    expect(screen.get(".rr-unsent").hidden).toBe(true);
  });

  it("does not move the person when Python deals with what was sent", () => {
    const { screen, kernel } = start();
    screen.press("1", "1", "2", "2", "Enter", "s", "3", "1");
    const card = document.activeElement;
    kernel.run(1);
    kernel.run();
    expect(document.activeElement).toBe(card);
    expect(screen.shown).toBe("three");
    expect(screen.ranks).toBe("31––");
    expect(screen.get(".rr-position").textContent).toBe("3 of 5");
  });

  it("says so when the items at hand are answered, and goes on when more come", () => {
    const { screen, kernel } = start(5, 2);
    screen.press("s", "s");
    expect(screen.shown).toBe("All items at hand are answered");
    screen.press("1", "c", "Enter");
    expect(screen.message).toBe("There is nothing to rank now.");
    expect(screen.events).toHaveLength(2);
    kernel.run();
    expect(screen.shown).toBe("three");
    expect(screen.focusedLabel).toBe("Response A, not ranked");
    expect(stored(kernel)).toEqual(["one", "two"]);
  });

  it("shows what waits after the page was loaded again, and goes on behind it", () => {
    const skip = { type: "skip" as const, item: "one", comment: "", flags: [], seconds: 1 };
    const screen = new Screen({ events: [{ seq: 8, id: "x", ...skip }], acked_seq: 7 });
    expect(screen.shown).toBe("two");
    expect(screen.message).toBe("Saving …");
  });

  describe("for longer than a second", () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it("says how many answers wait, and counts on at once", () => {
      const { screen, kernel } = start();
      screen.press("s");
      expect(screen.message).toBe("Saving …");
      expect(screen.root.getAttribute("aria-busy")).toBe("true");
      vi.advanceTimersByTime(1000);
      expect(screen.message).toContain("The kernel is busy: 1 answer waits");
      screen.press("s");
      expect(screen.message).toContain("The kernel is busy: 2 answers wait");
      screen.press("u");
      expect(screen.message).toContain("The kernel is busy: 2 answers wait");
      expect(screen.message).toContain("Keep this page open.");
      kernel.run();
      expect(screen.message).toBe("");
      expect(screen.root.getAttribute("aria-busy")).toBe("false");
    });
  });
});

describe("undo and redo", () => {
  it("brings back an answer that is not sent yet, at once and with its draft", () => {
    const { screen, kernel } = start();
    screen.press("2", "1", "2", "4", "Enter", "1", "u");
    expect(screen.shown).toBe("one");
    expect(screen.ranks).toBe("2124");
    expect(screen.announced).toBe("Back at item 1 of 5. Response A has the focus.");
    screen.press("4", "Enter");
    expect(screen.shown).toBe("two");
    expect(screen.ranks).toBe("1–––");
    kernel.run();
    expect(kernel.seen.map(({ type }) => type)).toEqual(["submit", "undo", "submit"]);
    expect(kernel.stored).toMatchObject([{ item: "one", ranks: [4, 1, 2, 4] }]);
    expect(screen.shown).toBe("two");
  });

  it("goes sixty deep, through what is stored and what is not", () => {
    const { screen, kernel } = start(80, 20);
    for (let n = 0; n < 60; n += 1) {
      screen.press("1", "1", "1", "2", "Enter");
      if (n % 10 === 9 && n < 50) kernel.run();
    }
    expect(screen.get(".rr-position").textContent).toBe("61 of 80");
    const seen: string[] = [];
    for (let n = 0; n < 60; n += 1) {
      screen.press("u");
      expect(screen.ranks).toBe("1112");
      seen.push(screen.shown);
    }
    const keys = items(60).map(({ key }) => key);
    expect(seen).toEqual(keys.toReversed());
    expect(screen.get(".rr-position").textContent).toBe("1 of 80");
    kernel.run();
    expect(kernel.stored).toEqual([]);
    expect(screen.shown).toBe("one");
  });

  it("redoes what it undid, and forgets that with a new answer", () => {
    const { screen, kernel } = start();
    const redo = { key: "U", shiftKey: true };
    screen.press("s", "s", "u", "u");
    expect(screen.shown).toBe("one");
    screen.press(redo);
    expect(screen.shown).toBe("two");
    screen.press(redo);
    expect(screen.shown).toBe("three");
    screen.press("u", "1", "1", "1", "1", "Enter", redo);
    expect(screen.shown).toBe("three");
    kernel.run();
    expect(stored(kernel)).toEqual(["one", "two"]);
    expect(kernel.stored[1]).toMatchObject({ type: "submit" });
    expect(screen.message).toBe("There is nothing to redo.");
  });

  it("goes where Python says when the page does not know what was before", () => {
    const { screen, kernel } = start(5, 5);
    kernel.stored = [];
    screen.press("s");
    kernel.run();
    const later = new Screen({
      content: content({ items: items(5).slice(1) }),
      view: view({ current: "two" }),
    });
    later.card("A").focus();
    later.press("u");
    expect(later.shown).toBe("two");
    later.model.set("content", content({ items: items(5) }));
    later.model.set("view", view({ current: "one" }));
    expect(later.shown).toBe("two");
    later.model.set("acked_seq", 1);
    expect(later.shown).toBe("one");
    expect(later.focusedLabel).toBe("Response A, not ranked");
  });

  it("starts an item that was all bad from nothing", () => {
    const { screen } = start();
    screen.press("1", "b");
    expect(screen.events.at(-1)).toMatchObject({ ranks: [1, 1, 1, 1], flags: ["all bad"] });
    expect(screen.shown).toBe("two");
    screen.press("u");
    expect(screen.ranks).toBe("1–––");
    screen.press("2", "2", "2", "2", "Enter");
    expect(screen.events.at(-1)).toMatchObject({ ranks: [2, 2, 2, 2], flags: [] });
  });
});

describe("an answer that could not be stored", () => {
  it("comes back with its draft and the reason", () => {
    const { screen, kernel } = start();
    kernel.failing.add("one");
    screen.press("2", "1", "2", "4", "Enter");
    expect(screen.shown).toBe("two");
    kernel.run();
    expect(screen.shown).toBe("one");
    expect(screen.ranks).toBe("2124");
    expect(screen.message).toBe("Not saved: one. Disk full.");
    expect(screen.get("[role=alert]").textContent).toBe("Not saved: one. Disk full.");
    kernel.failing.clear();
    screen.press("Enter");
    kernel.run();
    expect(stored(kernel)).toEqual(["one"]);
    expect(screen.shown).toBe("two");
    expect(screen.message).toBe("");
  });

  it("waits until the person is through with the item before it", () => {
    const { screen, kernel } = start();
    kernel.failing.add("one");
    screen.press("2", "1", "2", "4", "Enter", "1");
    kernel.run();
    expect(screen.shown).toBe("two");
    expect(screen.ranks).toBe("1–––");
    expect(screen.message).toBe("Not saved: one. Disk full.");
    screen.press("1", "1", "1", "Enter");
    expect(screen.shown).toBe("one");
    expect(screen.message).toBe("Not saved: one. Disk full.");
  });

  it("comes back although Python dealt with those after it only later", () => {
    const { screen, kernel } = start();
    kernel.failing.add("one");
    screen.press("2", "1", "2", "4", "Enter", "s", "s");
    kernel.run(1);
    expect(screen.shown).toBe("four");
    kernel.run();
    expect(screen.shown).toBe("one");
    expect(screen.ranks).toBe("2124");
    expect(stored(kernel)).toEqual(["two", "three"]);
  });

  it("does not keep later answers from being stored", () => {
    const { screen, kernel } = start();
    kernel.failing.add("two");
    screen.press("s", "s", "s");
    kernel.run();
    expect(stored(kernel)).toEqual(["one", "three"]);
    expect(screen.shown).toBe("two");
    expect(screen.get(".rr-position").textContent).toBe("3 of 5");
  });
});

it("goes on when another view dealt with the item on the screen", () => {
  const screen = new Screen();
  screen.card("A").focus();
  screen.press("1");
  screen.model.set("view", view({ answered: ["one"], current: "two" }));
  expect(screen.shown).toBe("two");
  expect(screen.message).toBe("The item before was dealt with in another view.");
});

it("goes on where it was when an undo failed, and says why", () => {
  const { screen, kernel } = start(3);
  screen.press("s");
  kernel.run();
  screen.press("u");
  expect(screen.shown).toBe("one");
  screen.model.set("notice", { id: 9, tone: "error", text: "Not undone. Disk full." });
  screen.model.set("acked_seq", 2);
  expect(screen.shown).toBe("two");
  expect(screen.message).toBe("Not undone. Disk full.");
});

it("names no answer in the next undo when Python did not do the last one", () => {
  const { screen, kernel } = start(4);
  screen.press("s", "s", "s");
  kernel.run();
  screen.press("u");
  expect(screen.events.at(-1)).toHaveProperty("of");
  screen.model.receive(() => {
    screen.model.set("notice", { id: 9, tone: "error", text: "Not undone. Disk full." });
    screen.model.set("acked_seq", screen.events.at(-1)?.seq ?? 0);
  });
  expect(screen.shown).toBe("four");
  screen.press("u");
  expect(screen.events.at(-1)).toMatchObject({ type: "undo" });
  expect(screen.events.at(-1)).not.toHaveProperty("of");
  kernel.run();
  expect(screen.shown).toBe("three");
  screen.press("u");
  kernel.run();
  expect(screen.shown).toBe("two");
});

it("starts anew an item that is handed out once more", () => {
  const { screen, kernel } = start(2);
  screen.press("2", "1", "2", "4", "Enter");
  kernel.run();
  expect(stored(kernel)).toEqual(["one"]);
  const view = screen.model.get("view");
  screen.model.receive(() => {
    screen.model.set("content", content({ items: [item("one")] }));
    screen.model.set("view", { ...view, current: "one" });
  });
  expect(screen.shown).toBe("one");
  expect(screen.ranks).toBe("––––");
});

it("shows no item twice where Python handed out the same again", () => {
  const { screen, kernel } = start(2);
  screen.press("s");
  kernel.run();
  screen.model.set("content", content({ items: [item("two"), item("two")] }));
  screen.press("s");
  expect(screen.shown).toBe("That was the last one");
});
