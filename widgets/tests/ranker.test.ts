import { beforeEach, describe, expect, it, vi } from "vitest";
import { item, Screen, view } from "./harness";

describe("ranking by keys", () => {
  it("ranks four candidates with ties in five keys", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("2", "1", "2", "4", "Enter");
    expect(screen.events).toHaveLength(1);
    expect(screen.events[0]).toMatchObject({ type: "submit", item: "one", ranks: [2, 1, 2, 4] });
  });

  it("moves on to the next card after a digit and stays on the last", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    screen.press("2", "3", "4");
    expect(screen.focusedLabel).toBe("Response D, rank 4");
  });

  it("names ties on the card and to a screen reader", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("2", "2", "2");
    expect(screen.card("B").getAttribute("aria-label")).toBe(
      "Response B, rank 2, tied with A and C",
    );
    expect(screen.card("A").textContent).toContain("tied with B and C");
    expect(screen.announced).toBe("Response C: rank 2. Now response D.");
  });

  it("says what is missing instead of submitting, and goes there", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "ArrowRight", "2", "Enter");
    expect(screen.events).toEqual([]);
    expect(screen.message).toBe("Not ranked yet: B and D.");
    expect(screen.announced).toBe("Not ranked yet: B and D.");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
  });

  it("takes only ranks that the item has", () => {
    const screen = new Screen(view({ item: item("pair", 2) }));
    screen.card("A").focus();
    screen.press("3");
    expect(screen.message).toBe("Ranks go from 1 to 2.");
    expect(screen.focusedLabel).toBe("Response A, not ranked");
  });

  it("moves with arrows, Home and End, and not past the ends", () => {
    const screen = new Screen();
    screen.card("A").focus();
    const visited = ["ArrowLeft", "ArrowRight", "ArrowDown", "End", "ArrowRight", "Home"].map(
      (key) => {
        screen.press(key);
        return screen.focusedLabel?.slice(9, 10);
      },
    );
    expect(visited).toEqual(["A", "B", "C", "D", "D", "A"]);
  });

  it("clears with Backspace, first the current card, then the one before", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "Backspace");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    screen.press("Backspace");
    expect(screen.focusedLabel).toBe("Response A, not ranked");
  });

  it("takes digits from the number row of a French keyboard, with and without Shift", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press({ key: "&", code: "Digit1" }, { key: "2", code: "Digit2", shiftKey: true });
    expect(screen.card("A").getAttribute("aria-label")).toContain("rank 1");
    expect(screen.card("B").getAttribute("aria-label")).toContain("rank 2");
    screen.press({ key: "!", code: "Digit1", shiftKey: true });
    expect(screen.card("C").getAttribute("aria-label")).toContain("not ranked");
  });

  it("ignores a key held down", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", { key: "1", repeat: true }, { key: "s", repeat: true });
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    expect(screen.events).toEqual([]);
  });

  it("skips and undoes", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("s");
    expect(screen.events.at(-1)).toMatchObject({ type: "skip", item: "one", ranks: [] });
    screen.answer(view({ item: item("two") }));
    screen.press("u");
    expect(screen.events.at(-1)).toMatchObject({ type: "undo", item: "two" });
  });
});

describe("the notebook around it", () => {
  const keys = [..."abcdfhijklmorstuvxyzADMZ0123456789", "Enter", "Escape", "Tab", "Delete", " "];
  const combinations = [
    { key: "Enter", shiftKey: true },
    { key: "Enter", ctrlKey: true },
    { key: "Enter", altKey: true },
    { key: "s", ctrlKey: true },
    { key: "s", metaKey: true },
  ];

  it("sees no key, whatever element has the focus", () => {
    const screen = new Screen();
    const count = screen.all("button, [tabindex]").length + 1;
    for (let index = 0; index < count; index += 1) {
      const element = [screen.root, ...screen.all("button, [tabindex]")][index];
      element?.focus();
      screen.press(...keys, ...combinations, "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight");
    }
    expect(screen.leaked).toEqual([]);
  });

  it("is not run again by Shift+Enter, which submits nothing", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "3", "4", { key: "Enter", shiftKey: true });
    expect(screen.events).toEqual([]);
  });

  it("keeps the browser's own shortcuts, but not its dialog for saving the page", () => {
    const screen = new Screen();
    screen.card("A").focus();
    const copy = { key: "c", ctrlKey: true };
    expect(screen.press(copy, "F5", "Tab", { key: "s", ctrlKey: true })).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(screen.message).toBe("Every answer is saved as you submit it.");
  });
});

describe("mouse and touch", () => {
  it("ranks with the buttons of a card and submits with the button", () => {
    const screen = new Screen(view({ item: item("pair", 2) }));
    screen.all("[role=radio]")[1]?.click();
    screen.all("[role=radio]")[2]?.click();
    expect(screen.get("[role=radio][aria-checked=true]").textContent).toBe("2");
    screen.button("Submit").click();
    expect(screen.events[0]).toMatchObject({ type: "submit", ranks: [2, 1] });
  });

  it("has one Tab stop in each radio group, and arrows choose within it", () => {
    const screen = new Screen();
    const radios = screen.all("[role=radio]").slice(0, 4);
    expect(radios.map((radio) => radio.tabIndex)).toEqual([0, -1, -1, -1]);
    radios[0]?.focus();
    screen.press("ArrowRight");
    expect(document.activeElement).toBe(radios[1]);
    expect(radios.map((radio) => radio.getAttribute("aria-checked"))).toEqual([
      "false",
      "true",
      "false",
      "false",
    ]);
    expect(radios.map((radio) => radio.tabIndex)).toEqual([-1, 0, -1, -1]);
  });

  it("leaves Enter on Skip to the button", () => {
    const screen = new Screen();
    screen.button("Skip").focus();
    expect(screen.press("Enter")).toEqual([false]);
  });
});

describe("focus", () => {
  it("is not taken by a cell that shows the widget", () => {
    new Screen();
    expect(document.activeElement).toBe(document.body);
  });

  it("goes to the first card of the next item where the person works in the widget", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "1", "1", "1", "Enter");
    screen.answer(view({ item: item("two"), progress: { done: 3, total: 16 } }));
    expect(screen.focusedLabel).toBe("Response A, not ranked");
    expect(document.activeElement?.textContent).toContain("Answer A to two");
    expect(screen.announced).toBe("Item 4 of 16. Response A has the focus.");
  });

  it("stays inside when all is ranked, so that u still undoes", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("s");
    screen.answer(view({ phase: "finished", item: null, progress: { done: 16, total: 16 } }));
    expect(document.activeElement).toBe(screen.root);
    screen.press("u");
    expect(screen.events.at(-1)).toMatchObject({ type: "undo", item: "" });
  });
});

describe("what it shows", () => {
  it("shows position, prompt and candidates", () => {
    const screen = new Screen();
    expect(screen.get(".rr-position").textContent).toBe("3 of 16");
    expect(screen.get(".rr-prompt").textContent).toContain("Prompt one");
    expect(
      screen.all(".rr-card").map((card) => card.querySelector(".rr-body")?.textContent),
    ).toEqual([..."ABCD"].map((letter) => `Answer ${letter} to one`));
  });

  it("starts from the ranks that an undo brought back", () => {
    const screen = new Screen(view({ item: item("one", 4, [1, 3, 3, 2]) }));
    screen.card("A").focus();
    screen.press("Enter");
    expect(screen.events[0]?.ranks).toEqual([1, 3, 3, 2]);
  });

  it("says what to do when there is nothing to rank", () => {
    const screen = new Screen(
      view({ phase: "empty", item: null, progress: { done: 0, total: 0 } }),
    );
    expect(screen.get(".rr-stage").textContent).toContain("Nothing to rank");
    expect(screen.get(".rr-stage").textContent).toContain("lab.generate()");
    expect(screen.button("Submit").hidden).toBe(true);
    screen.button("Check again").click();
    expect(screen.events[0]).toMatchObject({ type: "refresh" });
  });

  it("says what comes next when all is ranked", () => {
    const done = { done: 16, total: 16 };
    const screen = new Screen(view({ phase: "finished", item: null, progress: done }));
    expect(screen.get(".rr-stage").textContent).toContain("All ranked: 16 of 16");
    expect(screen.get(".rr-stage").textContent).toContain("Next: lab.update_reward()");
  });

  it("keeps the ranks under an error, and announces it", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "3", "4", "Enter");
    const notice = { id: 1, tone: "error" as const, text: "Not saved: disk full." };
    screen.answer(view(), notice);
    expect(screen.message).toBe("Not saved: disk full.");
    expect(screen.get("[role=alert]").textContent).toBe("Not saved: disk full.");
    screen.press("Enter");
    expect(screen.events).toHaveLength(1);
    expect(screen.events[0]?.ranks).toEqual([1, 2, 3, 4]);
  });

  it("offers to try again when the next item could not be read", () => {
    const notice = { id: 1, tone: "error" as const, text: "The next item could not be read." };
    const screen = new Screen(view({ phase: "error", item: null }), { notice });
    screen.button("Try again").click();
    expect(screen.events[0]).toMatchObject({ type: "refresh" });
  });

  it("marks an answer without text", () => {
    const empty = item("one", 2);
    empty.cards[0] = { letter: "A", html: "" };
    expect(new Screen(view({ item: empty })).card("A").textContent).toContain("(empty response)");
  });
});

describe("while the kernel is busy", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("says at once that it saves, and later how many wait", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "3", "4", "Enter");
    expect(screen.message).toBe("Saving …");
    expect(screen.root.getAttribute("aria-busy")).toBe("true");
    vi.advanceTimersByTime(1000);
    expect(screen.message).toContain("The kernel is busy: 1 answer waits");
    screen.answer(view({ item: item("two") }));
    expect(screen.message).toBe("");
    expect(screen.root.getAttribute("aria-busy")).toBe("false");
  });

  it("changes and sends nothing more until the answer is saved", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "3", "4", "Enter", "Enter", "1", "u", "s", "Backspace");
    expect(screen.events).toHaveLength(1);
    expect(screen.card("D").getAttribute("aria-label")).toBe("Response D, rank 4");
    expect(screen.message).toBe("Still saving the last answer.");
  });

  it("shows what waits after the page was loaded again", () => {
    const events = [{ seq: 8, id: "x", type: "skip" as const, item: "one", ranks: [], seconds: 1 }];
    const screen = new Screen(view(), { events, acked_seq: 7 });
    expect(screen.message).toBe("Saving …");
  });
});

it("ends without leaving a listener on the model", () => {
  const screen = new Screen();
  expect(screen.model.listeners).toBe(4);
  screen.stop();
  expect(screen.model.listeners).toBe(0);
});
