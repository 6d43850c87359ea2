// All that may be said beside ranks.

import { describe, expect, it } from "vitest";
import { content, item, items, Screen } from "./harness";

const all = {
  criteria: ["helpful", "harmless"],
  flags: ["unsafe", "off topic"],
  editing: true,
};

function start(changes = {}) {
  const screen = new Screen({ content: content({ ...all, ...changes }) });
  screen.card("A").focus();
  return screen;
}

const focused = () => document.activeElement as HTMLElement;

describe("ratings", () => {
  it("are out of sight until asked for, then there for every card and item", () => {
    const screen = start();
    expect(screen.all(".rr-ratings").every((ratings) => ratings.hidden)).toBe(true);
    screen.press("r");
    expect(screen.all(".rr-ratings").some((ratings) => ratings.hidden)).toBe(false);
    screen.press("s");
    expect(screen.all(".rr-ratings").some((ratings) => ratings.hidden)).toBe(false);
    screen.button("Rate").click();
    expect(screen.all(".rr-ratings").every((ratings) => ratings.hidden)).toBe(true);
  });

  it("are given by digits, one criterion after the other, for the card that had the focus", () => {
    const screen = start();
    screen.card("B").focus();
    screen.press("r", "4", "2");
    expect(screen.announced).toBe("Response B: harmless 2.");
    screen.press("r");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    screen.press("1", "1", "1", "ArrowLeft", "ArrowLeft", "ArrowLeft", "1", "Enter");
    expect(screen.events[0]).toMatchObject({
      ranks: [1, 1, 1, 1],
      ratings: [{}, { helpful: 4, harmless: 2 }, {}, {}],
    });
  });

  it("take no digit above five, and change by arrows, and clear", () => {
    const screen = start();
    screen.press("r", "6");
    expect(screen.message).toBe("Ratings go from 1 to 5.");
    screen.press("3", "ArrowUp", "ArrowRight");
    expect(focused().getAttribute("aria-label")).toBe("4 of 5");
    expect(focused().getAttribute("aria-checked")).toBe("true");
    screen.press("ArrowDown", "ArrowLeft");
    expect(focused().getAttribute("aria-label")).toBe("5 of 5");
    screen.press("Backspace", "Escape", "4", "1", "1", "1", "Enter");
    expect(screen.events[0]).toMatchObject({ ratings: [{ helpful: 4 }, {}, {}, {}] });
  });

  it("are not offered without criteria", () => {
    const screen = start({ criteria: [] });
    expect(screen.button("Rate").hidden).toBe(true);
    screen.press("r");
    expect(screen.message).toBe("This lab has no criteria to rate on.");
  });
});

describe("a comment", () => {
  it("is text, whatever letters it has, and goes with the answer", () => {
    const screen = start();
    screen.press("1", "c");
    screen.type("bus 123 ?");
    expect(screen.events).toEqual([]);
    expect(screen.ranks).toBe("1–––");
    screen.press("Escape");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    screen.press("1", "1", "2", "Enter");
    expect(screen.events[0]).toMatchObject({ ranks: [1, 1, 1, 2], comment: "bus 123 ?" });
  });

  it("leaves Enter to the text, and returns with Ctrl+Enter", () => {
    const screen = start();
    screen.press("c");
    expect(screen.press("Enter", "ArrowUp", "Backspace", " ")).toEqual([
      false,
      false,
      false,
      false,
    ]);
    screen.press({ key: "Enter", ctrlKey: true });
    expect(screen.focusedLabel).toBe("Response A, not ranked");
    expect(screen.get(".rr-drawer").hidden).toBe(true);
    expect(screen.events).toEqual([]);
  });

  it("is kept while the person looks at other items, and its button says that there is one", () => {
    const screen = start();
    screen.press("s", "c");
    screen.type("hm");
    screen.press("Escape", "u");
    expect(screen.shown).toBe("one");
    expect(screen.button("Comment").textContent).toBe("cComment");
    screen.press("s");
    expect(screen.shown).toBe("two");
    expect(screen.button("Comment").textContent).toBe("cComment, said");
    expect(screen.button("Comment").hasAttribute("data-on")).toBe(true);
    screen.press("c");
    expect((focused() as HTMLTextAreaElement).value).toBe("hm");
  });

  it("has a button that is no switch, and says whether what it opens is open", () => {
    const screen = start();
    const states = () =>
      ["Comment", "Keys"].map((name) => screen.button(name).getAttribute("aria-expanded"));
    expect(states()).toEqual(["false", "false"]);
    screen.press("c");
    expect(states()).toEqual(["true", "false"]);
    screen.press("Escape", "?");
    expect(states()).toEqual(["false", "true"]);
    expect(screen.all("[aria-pressed]")).toEqual([]);
  });

  it("goes with a skip too", () => {
    const screen = start();
    screen.press("c");
    screen.type("not a prompt");
    screen.press("Escape", "s");
    expect(screen.events[0]).toMatchObject({ type: "skip", comment: "not a prompt", flags: [] });
  });
});

describe("flags", () => {
  it("are ticked by number after f", () => {
    const screen = start();
    screen.press("f", "2", "1", "1", "Escape", "s");
    expect(screen.events[0]).toMatchObject({ type: "skip", flags: ["off topic"] });
  });

  it("are not offered where there are none", () => {
    const screen = start({ flags: [] });
    expect(screen.button("Flag").hidden).toBe(true);
    screen.press("f");
    expect(screen.message).toBe("This lab has no flags.");
    screen.press("c");
    expect(screen.get(".rr-flags").hidden).toBe(true);
  });

  it("and criteria that the lab has no longer are left out", () => {
    const old = item("one", 3, [1, 1, 2]);
    if (old.draft) {
      old.draft.flags = ["rude", "unsafe"];
      old.draft.ratings = [{ kind: 3, helpful: 4 }, {}, {}];
    }
    const screen = start({ items: [old] });
    screen.press("Enter");
    expect(screen.events[0]).toMatchObject({ flags: ["unsafe"] });
    expect(screen.events[0]).toHaveProperty("ratings", [{ helpful: 4 }, {}, {}]);
  });

  it("have one of their own for items whose responses are all bad", () => {
    const screen = start();
    screen.press("f", "1", "Escape", "b");
    expect(screen.events[0]).toMatchObject({
      type: "submit",
      ranks: [1, 1, 1, 1],
      flags: ["unsafe", "all bad"],
    });
  });
});

describe("editing", () => {
  it("sends the response as the person would have had it", () => {
    const screen = start();
    screen.card("C").focus();
    screen.press("e");
    expect((focused() as HTMLTextAreaElement).value).toBe("Answer C to one");
    screen.type(", but better");
    screen.press({ key: "Enter", ctrlKey: true });
    expect(screen.events[0]).toMatchObject({
      type: "demonstrate",
      item: "one",
      card: 2,
      text: "Answer C to one, but better",
    });
    expect(screen.shown).toBe("one");
    expect(screen.focusedLabel).toBe("Response C, not ranked");
    expect(screen.message).toBe("Response C as you wrote it becomes a demonstration.");
  });

  it("keeps what was written after Cancel, and with another item on the screen", () => {
    const screen = start();
    screen.press("e");
    screen.type("!");
    screen.button("Cancel").click();
    expect(screen.events).toEqual([]);
    screen.press("e");
    expect((focused() as HTMLTextAreaElement).value).toBe("Answer A to one!");
    screen.press("Escape", "s");
    expect(screen.message).toBe("What you wrote for A is not saved. Undo leads back to it.");
    screen.press("e");
    expect((focused() as HTMLTextAreaElement).value).toBe("Answer A to two");
    screen.press("Escape", "u", "e");
    expect((focused() as HTMLTextAreaElement).value).toBe("Answer A to one!");
  });

  it("sends no empty demonstration", () => {
    const screen = start();
    screen.press("e");
    (focused() as HTMLTextAreaElement).value = " ";
    screen.button("Save as a demonstration").click();
    expect(screen.events).toEqual([]);
    expect(screen.message).toContain("A demonstration needs words");
  });

  it("is not offered where it is off", () => {
    const screen = start({ editing: false });
    expect(screen.button("Edit A").hidden).toBe(true);
    screen.press("e");
    expect(screen.message).toBe("Editing is off in this lab.");
  });
});

describe("comparing", () => {
  const title = (screen: Screen) => screen.get(".rr-sheet-title").textContent;

  it("is with the card before, or the nearest that is ranked better", () => {
    const screen = start();
    screen.press("d");
    expect(title(screen)).toBe("From B to A");
    screen.card("C").focus();
    screen.press("d");
    expect(title(screen)).toBe("From B to C");
    screen.card("A").focus();
    screen.press("2", "4", "3", "1");
    for (const [letter, other] of ["AD", "BC", "CA", "DC"]) {
      screen.card(letter ?? "").focus();
      screen.press("d");
      expect(title(screen)).toBe(`From ${other} to ${letter}`);
    }
  });

  it("shows texts as text, and goes with Escape or when asked again", () => {
    const hostile = item("one", 2);
    const [a, b] = hostile.cards;
    if (a) a.text = "<script>1</script>";
    if (b) b.text = "";
    const screen = start({ items: [hostile] });
    screen.press("d");
    expect(screen.all(".rr-drawer :is(img, script)")).toEqual([]);
    expect(screen.get(".rw-diff-text").textContent).toBe("<script>1</script>");
    screen.press("Escape");
    expect(screen.get(".rr-drawer").hidden).toBe(true);
    expect(screen.focusedLabel).toBe("Response A, not ranked");
    screen.press("d");
    screen.press("d");
    expect(screen.get(".rr-drawer").hidden).toBe(true);
  });
});

describe("the help", () => {
  it("names every key that does something here, and no other", () => {
    const screen = start();
    screen.press("?");
    const text = screen.get(".rr-help").textContent ?? "";
    for (const what of ["rank this response", "flag", "rate", "edit", "redo", "compare"]) {
      expect(text).toContain(what);
    }
    screen.press("?");
    expect(screen.get(".rr-drawer").hidden).toBe(true);
    expect(screen.focusedLabel).toBe("Response A, not ranked");
    const bare = start({ criteria: [], flags: [], editing: false });
    bare.press("?");
    expect(bare.get(".rr-help").textContent).not.toContain("criterion");
    expect(bare.get(".rr-help").textContent).not.toContain("demonstration");
  });

  it("stays open from item to item, while other sheets close", () => {
    const screen = start();
    screen.press("?", "s");
    expect(screen.get(".rr-drawer").hidden).toBe(false);
    screen.press("c", "Escape", "d", "s");
    expect(screen.get(".rr-drawer").hidden).toBe(true);
  });
});

describe("two candidates", () => {
  const pair = (number = 2) => start({ items: items(number, 2) });

  it.each([
    ["1", [1, 2], "much"],
    ["2", [1, 2], "clearly"],
    ["3", [1, 2], "slightly"],
    ["4", [1, 2], "negligibly"],
    ["5", [1, 1], null],
    ["6", [2, 1], "negligibly"],
    ["7", [2, 1], "slightly"],
    ["8", [2, 1], "clearly"],
    ["9", [2, 1], "much"],
  ])("take two keys: %s and Enter", (key, ranks, strength) => {
    const screen = pair();
    screen.press(key, "Enter");
    expect(screen.events).toMatchObject([{ type: "submit", ranks, strength }]);
    expect(screen.shown).toBe("two");
    screen.press("u");
    expect(screen.get(".rr-scale [aria-checked=true]").textContent).toBe(key);
  });

  it("say in words what was chosen", () => {
    const screen = pair();
    screen.press("7");
    expect(screen.announced).toBe("B is slightly better. Enter submits.");
    expect(screen.card("B").getAttribute("aria-label")).toBe("Response B, slightly better");
    expect(screen.get(".rr-chosen").textContent).toBe("B is slightly better");
    screen.press("Backspace", "Enter");
    expect(screen.events).toEqual([]);
    expect(screen.message).toBe("Not chosen yet: type 1 to 9.");
  });

  it("are chosen by mouse and by arrows too", () => {
    const screen = pair();
    const radios = screen.all(".rr-scale [role=radio]");
    expect(radios).toHaveLength(9);
    radios[2]?.click();
    radios[2]?.focus();
    screen.press("ArrowLeft", "Enter");
    expect(screen.events[0]).toMatchObject({ ranks: [1, 2], strength: "clearly" });
  });

  it("move between the two by arrows, and have no board", () => {
    const screen = pair();
    screen.press("ArrowRight");
    expect(screen.focusedLabel).toBe("Response B, not ranked");
    screen.press("1");
    expect(screen.focusedLabel).toBe("Response B, not the better one");
    expect(screen.all(".rr-board")).toEqual([]);
  });

  it("need a strength again where the draft has none", () => {
    const screen = start({ items: [item("one", 2, [1, 2])] });
    screen.press("Enter");
    expect(screen.events).toEqual([]);
  });
});
