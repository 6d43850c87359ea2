// What a kernel that dies leaves behind in the browser.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { content, items, Screen, view } from "./harness";
import { Kernel } from "./kernel";

const NAME = "rlhf-lab.unsent.lab-tester";

function open(number = 4, done: string[] = []) {
  const left = items(number).filter(({ key }) => !done.includes(key));
  const screen = new Screen({ content: content({ items: left, store_key: "lab-tester" }) });
  const kernel = new Kernel(screen.model, left);
  screen.card("A").focus();
  return { screen, kernel };
}

const kept = () => JSON.parse(localStorage.getItem(NAME) ?? "[]");

beforeEach(() => {
  localStorage.clear();
});

it("keeps answers until they are acknowledged", () => {
  const { screen, kernel } = open();
  screen.press("s", "s");
  expect(kept()).toMatchObject([{ item: "one" }, { item: "two" }]);
  kernel.run(1);
  expect(kept()).toMatchObject([{ item: "two" }]);
  kernel.run();
  expect(localStorage.getItem(NAME)).toBeNull();
});

it("sends them again when the cell is run after a restart, under the same ids", () => {
  const before = open();
  before.screen.press("2", "1", "2", "4", "Enter", "s");
  const ids = before.screen.events.map(({ id }) => id);
  before.screen.stop();

  const after = open();
  expect(after.screen.events.map(({ id }) => id)).toEqual(ids);
  expect(after.screen.events.map(({ seq }) => seq)).toEqual([1, 2]);
  expect(after.screen.shown).toBe("three");
  expect(after.screen.message).toBe("2 answers from before the restart are sent again.");
  after.screen.press("u", "u");
  expect(after.screen.shown).toBe("one");
  expect(after.screen.ranks).toBe("2124");
  after.kernel.run();
  expect(kept()).toEqual([]);
});

it("leaves those whose item is not at hand where they are, and sends them when it comes", () => {
  const before = open();
  before.screen.press("s", "s");
  const [one] = before.screen.events;
  before.screen.stop();

  const { screen, kernel } = open(4, ["one"]);
  expect(screen.events).toMatchObject([{ item: "two", seq: 1 }]);
  expect(screen.message).toBe("1 answer from before the restart is sent again.");
  kernel.run();
  expect(kept()).toMatchObject([{ item: "one", id: one?.id }]);
  screen.model.set("content", content({ items: items(4), store_key: "lab-tester" }));
  expect(screen.events).toMatchObject([{ item: "one", id: one?.id }]);
  expect(screen.events[0]).not.toHaveProperty("kept_since");
});

it("sends no answer again that was stored and taken back since", () => {
  const before = open();
  before.screen.press("2", "1", "2", "4", "Enter");
  const [sent] = before.screen.events;
  before.screen.stop();

  // Python has it, and the page never heard of that.
  const { screen } = open(4, ["one"]);
  expect(kept()).toMatchObject([{ item: "one" }]);
  const back = items(4).map((item) =>
    item.key === "one" ? { ...item, draft: sent as unknown as typeof item.draft } : item,
  );
  screen.model.receive(() => {
    screen.model.set("content", content({ items: back, store_key: "lab-tester" }));
    screen.model.set("view", view({ current: "one" }));
  });
  expect(screen.events).toEqual([]);
  expect(kept()).toEqual([]);
});

it("forgets after thirty days what has no item any more", () => {
  const days = (count: number) => count * 24 * 3600 * 1000;
  vi.useFakeTimers({ toFake: ["Date"] });
  const before = open();
  before.screen.press("s", "s");
  before.screen.stop();
  vi.setSystemTime(Date.now() + days(29));
  const later = open(4, ["one"]);
  later.kernel.run();
  expect(kept()).toMatchObject([{ item: "one" }]);
  later.screen.stop();
  vi.setSystemTime(Date.now() + days(2));
  const last = open(4, ["two"]);
  expect(last.screen.events).toEqual([]);
  vi.useRealTimers();
});

describe("an undo that was left behind", () => {
  const step = { type: "undo", item: "two" };
  const leave = (...events: object[]) => localStorage.setItem(NAME, JSON.stringify(events));

  it("says what it takes back, and so does a redo", () => {
    const { screen, kernel } = open();
    screen.press("s", "u", { key: "U", shiftKey: true }, "u");
    const [skip, undo, redo, again] = screen.events;
    expect([undo, redo, again]).toMatchObject([
      { of: skip?.id },
      { of: undo?.id },
      { of: skip?.id },
    ]);
    kernel.run();
    screen.press("s");
    kernel.run();
    const stored = kernel.stored.at(-1);
    screen.press("u");
    expect(screen.events).toMatchObject([{ type: "undo", of: stored?.id }]);
    kernel.run();
    screen.press("u");
    expect(screen.events[0]).not.toHaveProperty("of");
  });

  it("stays with the answer that it takes back", () => {
    const before = open();
    before.screen.press("s", "u");
    before.screen.stop();
    const { screen } = open(4, ["one"]);
    expect(screen.events).toEqual([]);
    screen.model.set("content", content({ items: items(4), store_key: "lab-tester" }));
    expect(screen.events.map(({ type }) => type)).toEqual(["skip", "undo"]);
  });

  it("is sent again where Python has what it takes back, and can check it", () => {
    leave({ ...step, seq: 2, id: "the-undo", of: "a-stored-answer" });
    const { screen } = open();
    expect(screen.events).toMatchObject([{ type: "undo", id: "the-undo", of: "a-stored-answer" }]);
    expect(screen.message).toBe("An undo from before the restart is sent again.");
  });

  it("is not sent again where nobody knows what it takes back, nor is what follows from it", () => {
    const redo = { type: "redo", item: "two", seq: 3, id: "the-redo", of: "the-undo" };
    leave({ ...step, seq: 2, id: "the-undo" }, redo);
    const { screen } = open();
    expect(screen.events).toEqual([]);
    expect(screen.message).toContain("An undo or redo from before the restart was not sent again");
    expect(kept()).toEqual([]);
  });
});

it("sends nothing again that the kernel still has", () => {
  const before = open();
  before.screen.press("s");
  const events = before.screen.events;
  before.screen.stop();
  const values = { events, content: content({ store_key: "lab-tester" }) };
  const after = new Screen(values);
  expect(after.events).toHaveLength(1);
  expect(after.shown).toBe("two");
  after.stop();
  const acked = new Screen({ ...values, acked_seq: 1 });
  expect(acked.events).toHaveLength(1);
  expect(kept()).toEqual([]);
});

it("waits with it while no item can be read", () => {
  const before = open();
  before.screen.press("s");
  before.screen.stop();
  const screen = new Screen({
    content: content({ items: [] }),
    view: view({ phase: "error", current: "" }),
  });
  expect(screen.events).toEqual([]);
  expect(kept()).toHaveLength(1);
  screen.model.set("view", view());
  screen.model.set("content", content({ store_key: "lab-tester" }));
  expect(screen.events).toHaveLength(1);
});

it("leaves another annotator's answers alone", () => {
  open().screen.press("s");
  const other = new Screen({ content: content({ store_key: "lab-other" }) });
  expect(other.events).toEqual([]);
  expect(kept()).toHaveLength(1);
});

it.each(["getItem", "setItem", "removeItem"] as const)(
  "goes on without a store: %s throws",
  (method) => {
    vi.spyOn(Storage.prototype, method).mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    const { screen, kernel } = open();
    screen.press("s");
    kernel.run();
    expect(kernel.stored).toHaveLength(1);
    expect(screen.shown).toBe("two");
  },
);

it("goes on where the browser has no store, or nonsense in it", () => {
  localStorage.setItem(NAME, '{"not": "a list"}');
  expect(open().screen.shown).toBe("one");
  localStorage.setItem(NAME, "[3, null, {]");
  expect(open().screen.shown).toBe("one");
  vi.stubGlobal("localStorage", undefined);
  const { screen } = open();
  screen.press("s");
  expect(screen.shown).toBe("two");
  vi.unstubAllGlobals();
});
