// What a kernel that dies leaves behind in the browser of somebody who compares.

import { beforeEach, describe, expect, it } from "vitest";
import type { ComparerEvent } from "../src/comparer/protocol";
import { CompareScreen, content, PAIRS, pair, view } from "./comparer-harness";

const NAME = "rlhf-lab.unsent.lab-tester-versions";

function open(start = view(), items = PAIRS, events: ComparerEvent[] = []) {
  const kept = { ...content(items), store_key: "lab-tester-versions" };
  return new CompareScreen(start, items, { content: kept, events });
}

const kept = () => JSON.parse(localStorage.getItem(NAME) ?? "[]");
const ids = (screen: CompareScreen) => screen.events.map(({ id }) => id);

beforeEach(() => {
  localStorage.clear();
});

it("keeps answers until they are acknowledged", () => {
  const screen = open().focus();
  screen.press("1", "Enter", "s");
  expect(kept()).toMatchObject([{ item: "one", choice: "A" }, { item: "two" }]);
  screen.answer(view({ answered: ["one", "two"], progress: { done: 2, total: 4 } }));
  expect(localStorage.getItem(NAME)).toBeNull();
});

it("sends them again when the cell is run after a restart, under the same ids", () => {
  const before = open().focus();
  before.press("1", "Enter", "2", "Enter");
  const sent = ids(before);
  before.stop();

  const after = open().focus();
  expect(after.said).toEqual(["one A", "two B"]);
  expect(ids(after)).toEqual(sent);
  expect(after.position).toBe("3 of 4");
  expect(after.message).toBe("2 answers from before the restart are sent again.");
  after.press("u");
  expect(after.chosen).toEqual(["B"]);
});

it("leaves what the host still has to the host, when the page is loaded again", () => {
  const before = open().focus();
  before.press("1", "Enter");
  const { events } = before;
  before.stop();
  const after = open(view(), PAIRS, events);
  expect(after.events).toEqual(events);
  expect(after.message).not.toContain("restart");
  expect(kept()).toMatchObject([{ item: "one" }]);
});

it("keeps no question for the names, and no look for more", () => {
  const screen = open(view({ answered: ["one"], progress: { done: 1, total: 4 } }));
  screen.button("Stop and see").click();
  screen.button("Show names now").click();
  expect(screen.said).toEqual(["reveal"]);
  expect(kept()).toEqual([]);
});

it("sends an answer again when its pair comes, not when it comes with what was said of it", () => {
  const before = open().focus();
  before.press("1", "Enter", "2", "Enter");
  before.stop();
  const left = PAIRS.slice(2);
  const after = open(view({ progress: { done: 2, total: 4 } }), left);
  expect(after.said).toEqual([]);
  expect(kept()).toHaveLength(2);
  const [one, two] = PAIRS as [(typeof PAIRS)[0], (typeof PAIRS)[0]];
  after.answer(view({ drafts: { one: "B" } }), null, [one, two, ...left]);
  expect(after.said).toEqual(["two B"]);
  expect(kept()).toMatchObject([{ item: "two" }]);
});

it("sends no skip again that was taken back since", () => {
  const before = open().focus();
  before.press("s");
  before.stop();
  const left = PAIRS.slice(1);
  const after = open(view({ progress: { done: 1, total: 4 } }), left).focus();
  after.press("u");
  after.answer(view({ back: { item: "one", event: "u1" } }), null, [pair("one"), ...left]);
  expect(after.said).toEqual([]);
  expect(after.prompt).toContain("Prompt one");
  expect(kept()).toEqual([]);
});

describe("an undo", () => {
  it("says what it takes back, as far as the page knows, and so does a redo", () => {
    const start = view({
      answered: ["one", "two"],
      undone: ["three"],
      ids: { one: "j1", two: "j2", three: "j3" },
      progress: { done: 2, total: 4 },
    });
    const screen = open(start).focus();
    screen.press("u", { key: "U", shiftKey: true }, "1", "Enter", "u");
    const [undo, redo, submit, again] = screen.events;
    expect([undo, redo]).toMatchObject([{ of: "j2" }, { of: "j2" }]);
    expect(again).toMatchObject({ type: "undo", of: submit?.id });
  });

  it("says nothing of what was answered before the page had it", () => {
    const screen = open(view({ answered: ["one"] })).focus();
    screen.press("u");
    expect(screen.events[0]).not.toHaveProperty("of");
  });

  it("is sent again with its answer", () => {
    const before = open().focus();
    before.press("1", "Enter", "u", "2", "Enter");
    before.stop();
    const after = open();
    expect(after.said).toEqual(["one A", "undo two", "one B"]);
    expect(after.position).toBe("2 of 4");
  });

  it("of what Python has is sent again, and the answer after it when the pair is back", () => {
    const start = view({ answered: ["one"], ids: { one: "j1" }, progress: { done: 1, total: 4 } });
    const before = open(start).focus();
    before.press("u", "2", "Enter");
    expect(before.said).toEqual(["undo two", "one B"]);
    before.stop();

    const after = open(start, PAIRS.slice(1));
    expect(after.said).toEqual(["undo two"]);
    after.answer(view({ drafts: { one: "A" } }), null, [pair("one"), ...PAIRS.slice(1)]);
    expect(after.said).toEqual(["one B"]);
  });

  it("that brought nothing back leaves no answer that is sent much later", () => {
    const start = view({ answered: ["one"], ids: { one: "j1" }, progress: { done: 1, total: 4 } });
    const before = open(start).focus();
    before.press("u", "2", "Enter");
    before.stop();
    const left = PAIRS.slice(1);
    const after = open(start, left);
    after.answer(view({ progress: { done: 1, total: 4 } }), null, left.slice(1));
    after.answer(view({ drafts: { one: "A" } }), null, [pair("one"), ...left]);
    expect(after.said).toEqual([]);
    expect(kept()).toEqual([]);
  });

  it("that does not say what it takes back is not sent again, and that is told", () => {
    const before = open(view({ answered: ["one"] })).focus();
    before.press("u");
    before.stop();
    const after = open();
    expect(after.said).toEqual([]);
    expect(after.message).toContain("could have changed another answer");
    expect(kept()).toEqual([]);
  });
});
