import { describe, expect, it, vi } from "vitest";
import { foresee, Order } from "../src/comparer/order";
import type { ComparerEvent } from "../src/comparer/protocol";
import { content, PAIRS, pair, CompareScreen as Screen, view } from "./comparer-harness";

describe("comparing by keys", () => {
  it("takes two keys for a pair", () => {
    const screen = new Screen().focus();
    screen.press("1", "Enter", "2", "Enter", "0", "Enter");
    expect(screen.said).toEqual(["one A", "two B", "three tie"]);
    expect(screen.events[0]).toMatchObject({ type: "submit", strength: null });
  });

  it.each([
    ["1", "A"],
    ["ArrowLeft", "A"],
    ["2", "B"],
    ["ArrowRight", "B"],
    ["0", "tie"],
    ["3", "tie"],
    ["=", "tie"],
  ])("chooses with %s", (key, choice) => {
    const screen = new Screen().focus();
    screen.press(key);
    expect(screen.chosen).toEqual([choice]);
    expect(screen.events).toEqual([]);
  });

  it("takes digits from a French keyboard, and = and ? with Shift", () => {
    const screen = new Screen().focus();
    screen.press({ key: "é", code: "Digit2" });
    expect(screen.chosen).toEqual(["B"]);
    screen.press({ key: "1", code: "Digit1", shiftKey: true });
    expect(screen.chosen).toEqual(["A"]);
    screen.press({ key: "=", code: "Digit0", shiftKey: true });
    expect(screen.chosen).toEqual(["tie"]);
    screen.press({ key: "!", code: "Digit1", shiftKey: true });
    expect(screen.chosen).toEqual(["tie"]);
    screen.press({ key: "?", code: "Slash", shiftKey: true });
    expect(screen.get(".rc-keys").hidden).toBe(false);
  });

  it("marks the better card, says what was chosen, and changes or takes it back", () => {
    const screen = new Screen().focus();
    screen.press("1");
    expect(screen.get("[data-letter=A] .rc-badge").textContent).toBe("better");
    expect(screen.get("[data-letter=B] .rc-badge").textContent).toBe("");
    expect(screen.announced).toBe("A is better. Enter submits.");
    screen.press("0");
    expect(screen.all(".rc-badge").map((badge) => badge.textContent)).toEqual(["tie", "tie"]);
    screen.press("Backspace");
    expect(screen.chosen).toEqual([]);
    expect(screen.all("[data-marked]")).toEqual([]);
  });

  it("says what is missing instead of submitting", () => {
    const screen = new Screen().focus();
    screen.press("Enter");
    expect(screen.events).toEqual([]);
    expect(screen.message).toBe("Choose first: 1 for A, 2 for B, 0 for a tie.");
  });

  it("skips, undoes and does again", () => {
    const screen = new Screen().focus();
    screen.press("s", "u", { key: "U", shiftKey: true });
    expect(screen.said).toEqual(["skip one", "undo two", "redo one"]);
    expect(screen.prompt).toBe("PromptPrompt two");
  });

  it("ignores keys held down", () => {
    const screen = new Screen().focus();
    screen.press("1", { key: "Enter", repeat: true }, { key: "s", repeat: true });
    expect(screen.events).toEqual([]);
  });

  it("submits with Enter on an answer, but leaves Enter on other buttons to them", () => {
    const screen = new Screen();
    screen.button("B is better").focus();
    screen.button("B is better").click();
    screen.press("Enter");
    expect(screen.said).toEqual(["one B"]);
    screen.button("Skip").focus();
    expect(screen.press("Enter")).toEqual([false]);
  });

  it("sends how long it took", () => {
    vi.useFakeTimers();
    const screen = new Screen().focus();
    vi.advanceTimersByTime(2500);
    screen.press("1", "Enter");
    vi.advanceTimersByTime(1000);
    screen.press("1", "Enter");
    vi.useRealTimers();
    expect(screen.events.map((e) => "seconds" in e && e.seconds)).toEqual([2.5, 1]);
  });
});

describe("the notebook around it", () => {
  it("sees no key, whatever element has the focus", () => {
    const screen = new Screen();
    const count = screen.all("button, [tabindex]").length + 1;
    for (let index = 0; index < count; index += 1) {
      const element = [screen.root, ...screen.all("button, [tabindex]")][index];
      element?.focus();
      screen.press(..."abdjm0123", "Escape", "Delete", "ArrowUp", "ArrowLeft", {
        key: "Enter",
        shiftKey: true,
      });
    }
    expect(screen.leaked).toEqual([]);
    expect(screen.events).toEqual([]);
  }, 30_000);

  it("keeps the browser's own shortcuts, but not its dialog for saving the page", () => {
    const screen = new Screen().focus();
    const keys = [{ key: "c", ctrlKey: true }, "F5", "Tab", { key: "s", ctrlKey: true }];
    expect(screen.press(...keys)).toEqual([false, false, false, true]);
    expect(screen.message).toBe("Every answer is saved as you submit it.");
  });
});

describe("ahead of the kernel", () => {
  it("shows the next pair at once, and says what waits", () => {
    vi.useFakeTimers();
    const screen = new Screen().focus();
    screen.press("1", "Enter");
    expect(screen.prompt).toContain("Prompt two");
    expect(screen.position).toBe("2 of 4");
    expect(screen.message).toBe("Saving …");
    screen.press("2", "Enter");
    vi.advanceTimersByTime(1000);
    expect(screen.message).toContain("The kernel is busy: 2 answers wait");
    screen.press("u");
    vi.advanceTimersByTime(1000);
    expect(screen.message).toContain("The kernel is busy: 2 answers wait");
    vi.useRealTimers();
  });

  it("shows the next pair where a page loaded again does not know the one taken back", () => {
    const undo = { seq: 8, id: "undo-8", type: "undo" as const, item: "two" };
    const start = view({ answered: ["gone"], progress: { done: 1, total: 5 } });
    const screen = new Screen(start, PAIRS, { events: [undo], acked_seq: 7 }).focus();
    expect(screen.prompt).toContain("Prompt one");
    screen.answer(
      view({ back: { item: "gone", event: "undo-8" }, progress: { done: 0, total: 5 } }),
      null,
      [pair("gone"), ...PAIRS],
    );
    expect(screen.prompt).toContain("Prompt gone");
  });

  it("waits where all that was handed out is answered and more is to come", () => {
    const screen = new Screen(view({ progress: { done: 0, total: 9 } }), PAIRS.slice(0, 1)).focus();
    screen.press("1", "Enter");
    expect(screen.get(".rc-stage").textContent).toContain("One moment");
    expect(document.activeElement).toBe(screen.root);
    screen.answer(
      view({ answered: ["one"], progress: { done: 1, total: 9 } }),
      null,
      PAIRS.slice(1),
    );
    expect(screen.prompt).toContain("Prompt two");
    expect(document.activeElement).toBe(screen.get(".rc-bar"));
  });

  it("shows what was undone at once, with what had been chosen", () => {
    const screen = new Screen().focus();
    screen.press("2", "Enter", "0", "Enter", "u");
    expect(screen.prompt).toContain("Prompt two");
    expect(screen.chosen).toEqual(["tie"]);
    screen.press("u");
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.chosen).toEqual(["B"]);
    expect(screen.position).toBe("1 of 4");
    screen.press("1", "Enter");
    expect(screen.prompt).toContain("Prompt two");
    expect(screen.said).toEqual(["one B", "two tie", "undo three", "undo two", "one A"]);
  });

  it("undoes what Python has stored, although the pair has left what was handed out", () => {
    const screen = new Screen().focus();
    screen.press("2", "Enter");
    const stored = view({ answered: ["one"], progress: { done: 1, total: 4 } });
    screen.answer(stored, null, PAIRS.slice(1));
    screen.press("u");
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.chosen).toEqual(["B"]);
    const undone = view({ undone: ["one"], back: { item: "one", event: "u1" } });
    screen.answer(undone, null, PAIRS);
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.chosen).toEqual(["B"]);
  });

  it("goes to what Python brought back where the page could not know it", () => {
    const screen = new Screen(view({ progress: { done: 1, total: 5 } })).focus();
    screen.press("u");
    expect(screen.prompt).toContain("Prompt one");
    const back = { item: "zero", event: "u1" };
    const undone = view({ back, drafts: { zero: "A" }, progress: { done: 0, total: 5 } });
    screen.answer(undone, null, [pair("zero"), ...PAIRS]);
    expect(screen.prompt).toContain("Prompt zero");
    expect(screen.chosen).toEqual(["A"]);
  });

  it("leaves the pair on the screen when one before it was not saved, and shows that one next", () => {
    const screen = new Screen().focus();
    screen.press("1", "Enter", "2");
    const notice = { id: 1, tone: "error" as const, text: "Not saved: disk full." };
    screen.answer(view(), notice);
    expect(screen.prompt).toContain("Prompt two");
    expect(screen.chosen).toEqual(["B"]);
    expect(screen.message).toBe("Not saved: disk full.");
    screen.press("Enter");
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.chosen).toEqual(["A"]);
  });

  it("keeps an error on the page when the last pair comes again", () => {
    const screen = new Screen(view({ progress: { done: 0, total: 1 } }), PAIRS.slice(0, 1)).focus();
    screen.press("1", "Enter");
    const notice = { id: 1, tone: "error" as const, text: "Not saved: disk full." };
    screen.answer(view({ progress: { done: 0, total: 1 } }), notice);
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.message).toBe("Not saved: disk full.");
    expect(screen.get("[role=alert]").textContent).toBe("Not saved: disk full.");
  });

  it("takes up events that a page sent before it was loaded again", () => {
    const events: ComparerEvent[] = [
      { seq: 8, id: "x", type: "submit", item: "one", choice: "B", strength: null, seconds: 1 },
    ];
    const screen = new Screen(view(), PAIRS, { events, acked_seq: 7 }).focus();
    expect(screen.prompt).toContain("Prompt two");
    screen.press("u");
    expect(screen.chosen).toEqual(["B"]);
  });
});

describe("what Python will say", () => {
  const base = { seq: 1, id: "x", item: "" };
  const submit = (item: string): ComparerEvent => ({
    ...base,
    type: "submit",
    item,
    choice: "A",
    strength: null,
    seconds: 1,
  });
  const undo: ComparerEvent = { ...base, type: "undo" };
  const redo: ComparerEvent = { ...base, type: "redo" };

  it.each<[string, ComparerEvent[], string[], string | null]>([
    ["nothing", [], ["a", "b"], null],
    ["an undo of what is stored", [undo], ["a"], "b"],
    ["two undos and a redo", [undo, undo, redo], ["a"], null],
    ["a redo of what Python has", [redo], ["a", "b", "c"], null],
    ["no redo after an answer", [undo, submit("b"), redo], ["a", "b"], null],
    ["more undos than there are", [undo, undo, undo], [], null],
    ["an answer after an undo", [submit("d"), undo, submit("d")], ["a", "b", "d"], null],
  ])("foresees %s", (_, events, answered, turned) => {
    const start = view({ answered: ["a", "b"], undone: ["c"] });
    expect(foresee(start, events)).toMatchObject({ answered, turned });
  });

  it("remembers no more than 200 pairs", () => {
    const order = new Order();
    const many = Array.from({ length: 260 }, (_, n) => pair(`p${n}`));
    order.update(content(many), view(), []);
    expect(order.current).toBeNull();
    order.update(content(many.slice(-30)), view(), []);
    expect(order.current?.key).toBe("p230");
  });
});
