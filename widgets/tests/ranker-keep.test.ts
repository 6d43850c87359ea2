// What a kernel that dies leaves behind in the browser.

import { beforeEach, expect, it, vi } from "vitest";
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

it("drops those whose item is not open any more, and says so", () => {
  const before = open();
  before.screen.press("s", "s");
  before.screen.stop();

  const after = open(4, ["one"]);
  expect(after.screen.events).toMatchObject([{ item: "two", seq: 1 }]);
  expect(after.screen.message).toBe(
    "1 answer from before the restart is sent again. " +
      "1 answer from before the restart could not be sent again: the items are not open any more.",
  );
  expect(kept()).toMatchObject([{ item: "two" }]);
});

it("drops an undo together with the answer that it takes back", () => {
  const before = open();
  before.screen.press("s", "u");
  before.screen.stop();
  const after = open(4, ["one"]);
  expect(after.screen.events).toEqual([]);
  expect(after.screen.message).toContain("2 answers from before the restart could not be sent");
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
