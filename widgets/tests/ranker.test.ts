import { describe, expect, it, vi } from "vitest";
import { content, item, items, Screen } from "./harness";
import { Kernel } from "./kernel";

/** One item with this many responses. */
const only = (count: number) => ({ content: content({ items: [item("one", count)] }) });

describe("ranking by keys", () => {
  it("ranks four candidates with ties in five keys", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("2", "1", "2", "4", "Enter");
    expect(screen.events).toHaveLength(1);
    expect(screen.events[0]).toMatchObject({
      type: "submit",
      item: "one",
      ranks: [2, 1, 2, 4],
      strength: null,
      ratings: [{}, {}, {}, {}],
      comment: "",
      flags: [],
    });
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
    const screen = new Screen(only(3));
    screen.card("A").focus();
    screen.press("4");
    expect(screen.message).toBe("Ranks go from 1 to 3.");
    expect(screen.focusedLabel).toBe("Response A, not ranked");
  });

  it("ranks nine candidates", () => {
    const screen = new Screen(only(9));
    screen.card("A").focus();
    screen.press(..."987654321", "Enter");
    expect(screen.events[0]).toMatchObject({ ranks: [9, 8, 7, 6, 5, 4, 3, 2, 1] });
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

  it("moves a card a rank up or down", () => {
    const screen = new Screen();
    const [up, down] = [
      { key: "ArrowUp", altKey: true },
      { key: "ArrowDown", altKey: true },
    ];
    screen.card("B").focus();
    const ranks = [up, up, "+", "-", "+", "+", "+", down, down, down, down, down].map((key) => {
      screen.press(key);
      return screen.ranks[1];
    });
    expect(ranks.join("")).toBe("4323211" + "234––");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    expect(screen.announced).toBe("Response B, not ranked");
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
    expect(screen.ranks).toBe("12––");
    screen.press({ key: "!", code: "Digit1", shiftKey: true });
    expect(screen.ranks).toBe("12––");
    screen.card("A").focus();
    screen.press({ key: "'", code: "Digit4" });
    expect(screen.ranks).toBe("42––");
  });

  it("takes what a key types before its place: - is where others have 6, + where they have 1", () => {
    const screen = new Screen(only(9));
    screen.card("A").focus();
    screen.press("4", "ArrowLeft", { key: "-", code: "Digit6" });
    expect(screen.ranks[0]).toBe("5");
    screen.press({ key: "+", code: "Digit1" }, { key: "+", code: "Digit1" });
    expect(screen.ranks[0]).toBe("3");
    const pair = new Screen(only(2));
    pair.card("A").focus();
    pair.press({ key: "-", code: "Digit6" }, "Enter");
    expect(pair.events[0]).toMatchObject({ ranks: [2, 1], strength: "negligibly" });
  });

  it("ignores a key held down", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", { key: "1", repeat: true }, { key: "s", repeat: true });
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    expect(screen.events).toEqual([]);
  });

  it("asks once whether the order shown is meant", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "3", "4", "Enter");
    expect(screen.events).toEqual([]);
    expect(screen.message).toBe("This is exactly the order shown. Enter again if you mean it.");
    screen.press("4", "Enter");
    expect(screen.events).toEqual([]);
    screen.press("ArrowLeft", "Enter");
    expect(screen.events[0]).toMatchObject({ ranks: [1, 2, 3, 4] });
  });

  it("asks nothing about ties in the order shown", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "2", "3", "3", "Enter");
    expect(screen.events).toHaveLength(1);
  });
});

describe("the notebook around it", () => {
  const keys = [..."abcdefhijklmorstuvxyzADMUZ0123456789?+-", "Escape", "Tab", "Delete", " "];
  const combinations = [
    { key: "Enter", shiftKey: true },
    { key: "Enter", ctrlKey: true },
    { key: "Enter", altKey: true },
    { key: "ArrowUp", altKey: true },
    { key: "s", ctrlKey: true },
    { key: "s", metaKey: true },
  ];

  it("sees no key, whatever element has the focus", () => {
    const screen = new Screen({ content: content({ items: items(1) }) });
    const focusable = "button, [tabindex]";
    const count = screen.all(focusable).length + 1;
    const arrows = ["ArrowUp", "ArrowDown", "ArrowLeft", "Enter"];
    for (let index = 0; index < count; index += 1) {
      [screen.root, ...screen.all(focusable)][index]?.focus();
      screen.press(...(index % 6 === 0 ? keys : ["a", "b", "1"]), ...combinations, ...arrows);
    }
    expect(screen.leaked).toEqual([]);
  });

  it.each(["c", "f", "e", "d", "?", "r"])("sees no key in what %s opens", (opener) => {
    const all = { criteria: ["helpful"], flags: ["unsafe"], editing: true };
    const screen = new Screen({ content: content({ ...all, items: items(1) }) });
    screen.card("A").focus();
    screen.press(opener);
    const opened = screen.all(".rr-drawer *, .rr-ratings *");
    for (const element of opened.filter(({ tabIndex }) => tabIndex >= 0)) {
      element.focus();
      screen.press("a", "1", "ArrowUp", " ", ...combinations, "Enter", "Escape");
    }
    expect(screen.leaked).toEqual([]);
  });

  it("is not run again by Shift+Enter, which submits nothing", () => {
    const screen = new Screen();
    screen.card("A").focus();
    screen.press("1", "1", "1", "1", { key: "Enter", shiftKey: true });
    expect(screen.events).toEqual([]);
  });

  it("keeps the browser's own shortcuts, but not its dialog for saving the page", () => {
    const screen = new Screen();
    screen.card("A").focus();
    const copy = { key: "c", ctrlKey: true };
    const save = { key: "s", ctrlKey: true };
    expect(screen.press(copy, "F5", "Tab", save)).toEqual([false, false, false, true]);
    expect(screen.message).toBe("Every answer is saved as you submit it.");
  });

  it("keeps that dialog away from its texts, too, but no letter typed with Ctrl and Alt", () => {
    const screen = new Screen({ content: content({ items: items(1) }) });
    screen.card("A").focus();
    screen.press("c");
    const polish = { key: "s", ctrlKey: true, altKey: true };
    expect(screen.press({ key: "S", metaKey: true }, polish)).toEqual([true, false]);
  });
});

describe("mouse and touch", () => {
  it("ranks with the buttons of a card and submits with the button", () => {
    const screen = new Screen(only(3));
    const radios = screen.all("[role=radio]");
    for (const index of [1, 3, 8]) radios[index]?.click();
    expect(screen.ranks).toBe("213");
    screen.button("Submit").click();
    expect(screen.events[0]).toMatchObject({ type: "submit", ranks: [2, 1, 3] });
  });

  it("has one Tab stop in each radio group, and arrows choose within it", () => {
    const screen = new Screen();
    const radios = screen.all("[role=radio]").slice(0, 4);
    expect(radios.map((radio) => radio.tabIndex)).toEqual([0, -1, -1, -1]);
    radios[0]?.focus();
    screen.press("ArrowRight");
    expect(document.activeElement).toBe(radios[1]);
    expect(screen.ranks).toBe("2–––");
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
    expect(screen.focusedLabel).toBe("Response A, not ranked");
    expect(document.activeElement?.textContent).toContain("Answer A to two");
    expect(screen.announced).toBe("Item 4 of 16. Response A has the focus.");
  });

  it("stays inside when all is ranked, so that u still undoes", () => {
    const screen = new Screen();
    const kernel = new Kernel(screen.model, items(1));
    screen.card("A").focus();
    screen.press("s");
    kernel.run();
    expect(screen.shown).toBe("All ranked: 1 of 1");
    expect(document.activeElement).toBe(screen.root);
    screen.press("u");
    expect(screen.shown).toBe("one");
    expect(screen.focusedLabel).toBe("Response A, not ranked");
  });
});

it("makes texts that scroll stops for Tab, and leaves them their arrows", () => {
  const sizes = (name: "scrollHeight" | "scrollWidth", selector: string) =>
    vi.spyOn(Element.prototype, name, "get").mockImplementation(function (this: Element) {
      return this.matches(selector) ? 500 : 0;
    });
  sizes("scrollHeight", ".rr-card:first-child .rr-body");
  sizes("scrollWidth", "pre");
  const wide = item("one", 3);
  for (const card of wide.cards) card.html = "<pre>wide</pre>";
  const screen = new Screen({ content: content({ items: [wide] }) });
  const [body, ...rest] = screen.all(".rr-body");
  expect(body?.getAttribute("aria-label")).toBe("Text of response A");
  expect([body, ...rest].map((one) => one?.tabIndex)).toEqual([0, -1, -1]);
  expect(screen.all("pre").map((one) => one.tabIndex)).toEqual([0, 0, 0]);
  body?.focus();
  expect(screen.press("ArrowDown", " ")).toEqual([false, false]);
  expect(screen.press("ArrowRight")).toEqual([true]);
  screen.all("pre")[1]?.focus();
  expect(screen.press("ArrowRight", "ArrowDown")).toEqual([false, false]);
  screen.press("2");
  expect(screen.ranks).toBe("–2–");
});

it("ends without leaving a listener on the model", () => {
  const screen = new Screen();
  expect(screen.model.listeners).toBe(4);
  screen.stop();
  expect(screen.model.listeners).toBe(0);
});
