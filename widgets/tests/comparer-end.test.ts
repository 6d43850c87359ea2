import { beforeEach, describe, expect, it } from "vitest";
import type { View } from "../src/comparer/protocol";
import { PAIRS, pair, result, CompareScreen as Screen, view } from "./comparer-harness";
import { overflow } from "./screen";

describe("the lead", () => {
  it("says how far apart the two are and not which leads", () => {
    const lead = { estimate: 0.571, low: 0.42, high: 0.71, n: 40 };
    expect(new Screen(view({ lead })).get(".rc-rule").textContent).toBe(
      "One of the two leads after 40 answers: 57% [42, 71]",
    );
    const even = { estimate: 0.5, low: 0.35, high: 0.65, n: 40 };
    expect(new Screen(view({ lead: even })).get(".rc-rule").textContent).toBe(
      "Neither leads after 40 answers: 50% [35, 65]",
    );
  });
});

describe("the end", () => {
  it("names the versions, counts, and says in words that there is no difference", () => {
    const screen = new Screen(view({ phase: "finished", result: result() }), []);
    const text = screen.get(".rc-stage").textContent ?? "";
    expect(text).toContain("No difference shown");
    expect(text).toContain("policy@1 wins 56% of 24 pairs");
    expect(text).toContain("95% interval from 37% to 74%");
    expect(text).toContain("takes about 246 pairs");
    expect(text).toContain("A tie counts as half a win");
    const counts = screen.all(".rc-counts > div").map((row) => row.textContent);
    expect(counts).toEqual(["policy@09", "policy@112", "ties3", "skipped1"]);
    expect(screen.get(".rc-scale").getAttribute("aria-label")).toBe(
      "Win rate of policy@1: 56%, 95% interval 37% to 74%",
    );
    expect(screen.get(".rc-dot").style.left).toBe("56.25%");
    expect(screen.button("Submit").hidden).toBe(true);
    expect(screen.button("Stop and see").hidden).toBe(true);
  });

  it("tells of the winner, whichever side of one half it is on", () => {
    const rate = { estimate: 0.2, low: 0.08, high: 0.4, n: 20 };
    const lost = result({ verdict: "second", rate, ties: 0 });
    const screen = new Screen(view({ phase: "finished", result: lost }), []);
    const text = screen.get(".rc-stage").textContent ?? "";
    expect(text).toContain("policy@0 is preferred");
    expect(text).toContain("policy@0 wins 80% of 20 pairs, with a 95% interval from 60% to 92%");
    expect(text).toContain("hardly chance");
    expect(text).not.toContain("A tie counts");
  });

  it("says that nothing was compared where all was skipped", () => {
    const none = result({ rate: null, verdict: null, needed: null, ties: 0 });
    const screen = new Screen(view({ phase: "finished", result: none }), []);
    expect(screen.get("h2").textContent).toBe("Nothing compared yet");
    expect(screen.all(".rc-scale")).toEqual([]);
  });

  it("goes back with undo at once", () => {
    const done = view({ phase: "finished", answered: ["one"], progress: { done: 1, total: 1 } });
    const screen = new Screen(view({ progress: { done: 0, total: 1 } }), PAIRS.slice(0, 1)).focus();
    screen.press("1", "Enter");
    screen.answer({ ...done, result: result() });
    expect(screen.root.dataset.phase).toBe("result");
    expect(document.activeElement).toBe(screen.root);
    screen.press("u");
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.chosen).toEqual(["A"]);
  });

  it("warns of different settings and of stopping early", () => {
    const early = result({ done: 10, total: 25, unlike: 2 });
    const screen = new Screen(view({ result: early }));
    const text = screen.get(".rc-stage").textContent ?? "";
    expect(text).toContain("These are 10 of 25 pairs");
    expect(text).toContain("2 of the pairs were drawn with different settings");
  });
});

describe("stopping to see", () => {
  const some = view({ answered: ["one"], progress: { done: 1, total: 4 } });

  it("asks twice, since names cannot be forgotten", () => {
    const screen = new Screen(some).focus();
    screen.button("Stop and see").click();
    expect(screen.events).toEqual([]);
    expect(screen.message).toContain("with 3 pairs left");
    screen.button("Show names now").click();
    expect(screen.said).toEqual(["reveal"]);
    screen.answer({ ...some, result: result({ done: 1, total: 4 }) });
    expect(screen.root.dataset.phase).toBe("result");
    expect(screen.position).toBe("1 of 4");
  });

  it("forgets the question when the person goes on", () => {
    const screen = new Screen(some).focus();
    screen.button("Stop and see").click();
    screen.press("1");
    expect(screen.button("Stop and see").textContent).toBe("Stop and see");
    expect(screen.message).toBe("");
    screen.button("Stop and see").click();
    screen.press("Escape");
    screen.button("Stop and see").click();
    expect(screen.events).toEqual([]);
  });

  it("is not offered before anything was compared", () => {
    expect(new Screen().button("Stop and see").hidden).toBe(true);
  });

  it("goes on with the pair that was on the screen", () => {
    const screen = new Screen({ ...some, result: result({ done: 1, total: 4 }) });
    expect(screen.root.dataset.phase).toBe("result");
    screen.button("Go on comparing").focus();
    screen.button("Go on comparing").click();
    expect(screen.prompt).toContain("Prompt two");
    expect(screen.events).toEqual([]);
    expect(document.activeElement).toBe(screen.get(".rc-bar"));
    screen.press("1", "Enter");
    expect(screen.prompt).toContain("Prompt three");
  });
});

describe("what it shows", () => {
  it("shows the prompt and both responses, and marks one without text", () => {
    const empty = pair("one");
    empty.cards[1] = { letter: "B", html: "", text: "" };
    const screen = new Screen(view(), [empty]);
    expect(screen.prompt).toContain("Prompt one");
    expect(screen.all(".rc-body").map((body) => body.textContent)).toEqual([
      "Left of one",
      "(empty response)",
    ]);
  });

  it("shows the differences of this pair and the next until it is told otherwise", () => {
    const items = [pair("one", ["red cat", "blue cat"]), pair("two", ["big dog", "big fish"])];
    const screen = new Screen(view(), items).focus();
    screen.press("d");
    expect(screen.get(".rc-cards").hidden).toBe(true);
    expect(screen.get(".rc-diff").textContent).toContain("red");
    expect(screen.button("Differences").getAttribute("aria-pressed")).toBe("true");
    screen.press("1", "Enter");
    expect(screen.get(".rc-diff").textContent).toContain("fish");
    screen.press("d");
    expect(screen.get(".rc-cards").hidden).toBe(false);
    expect(screen.get(".rc-diff").hidden).toBe(true);
  });

  it("reads on in the differences while they are shown, and in both responses else", () => {
    const screen = new Screen().focus();
    const scrolled: string[] = [];
    Element.prototype.scrollBy = function (this: Element) {
      scrolled.push(this.className.split(" ")[0] ?? "");
    } as typeof Element.prototype.scrollBy;
    screen.press(" ", "d", " ");
    Reflect.deleteProperty(Element.prototype, "scrollBy");
    expect(scrolled).toEqual(["rc-body", "rc-body", "rc-diff"]);
  });

  it("keeps the focus when the text that has it gives way to the differences", () => {
    const screen = new Screen();
    const body = screen.get(".rc-body");
    body.tabIndex = 0;
    body.focus();
    screen.press("d");
    expect(document.activeElement).toBe(screen.get(".rc-bar"));
  });

  it("has all that scrolls in reach of the keyboard", () => {
    const restore = overflow("scrollHeight", "scrollWidth");
    const wide = pair("one", ["<pre>x</pre>", "b"]);
    const screen = new Screen(view(), [wide]).focus();
    screen.press("d");
    const stops = [".rw-prompt", ".rc-diff", ".rc-body", "pre"].map((part) => {
      return [screen.get(part).tabIndex, screen.get(part).getAttribute("aria-label")];
    });
    expect(stops).toEqual([
      [0, "Prompt"],
      [0, "From A to B"],
      [0, "Text of response A"],
      [0, null],
    ]);
    // In wide code arrows scroll; they choose nothing.
    screen.press("d");
    screen.get("pre").focus();
    expect(screen.press("ArrowRight", "2")).toEqual([false, true]);
    restore();
    expect(screen.chosen).toEqual(["B"]);
  });

  it("puts texts into the differences as text", () => {
    const items = [pair("one", ["<img src=x onerror=alert(1)>", "<b>bold</b>"])];
    const screen = new Screen(view(), items).focus();
    screen.press("d");
    expect(screen.all(".rc-diff img, .rc-diff b")).toEqual([]);
    expect(screen.get(".rc-diff").textContent).toContain("onerror");
  });

  it("says when the two are the same", () => {
    const screen = new Screen(view(), [pair("one", ["same", "same"])]);
    expect(screen.message).toBe("The two are the same, word for word.");
  });

  it("lists its keys on demand", () => {
    const screen = new Screen().focus();
    expect(screen.get(".rc-keys").hidden).toBe(true);
    screen.press("?");
    expect(screen.button("Keys").getAttribute("aria-expanded")).toBe("true");
    screen.button("Keys").click();
    expect(screen.get(".rc-keys").hidden).toBe(true);
  });

  it("says what to do when there is nothing to compare, or nothing could be read", () => {
    const nothing = view({ phase: "empty", progress: { done: 0, total: 0 } });
    const empty = new Screen(nothing, []);
    expect(empty.get(".rc-stage").textContent).toContain("lab.evaluate(");
    empty.button("Check again").click();
    expect(empty.said).toEqual(["refresh"]);
    const error = new Screen({ ...nothing, phase: "error" }, []);
    error.button("Try again").click();
    expect(error.said).toEqual(["refresh"]);
  });

  it("takes no focus from a cell that shows it", () => {
    new Screen();
    expect(document.activeElement).toBe(document.body);
  });

  it("moves the focus to the answers of the next pair and says where it is", () => {
    const screen = new Screen().focus();
    screen.press("1", "Enter");
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Which is better, A or B?");
    expect(screen.announced).toBe("Pair 2 of 4.");
  });
});

describe("accessibility", () => {
  beforeEach(() => {
    document.body.replaceChildren();
  });

  it.each<[string, View]>([
    ["a pair", view()],
    ["the end", view({ phase: "finished", result: result() })],
    ["nothing", view({ phase: "empty" })],
  ])(
    "has no violation that can be seen without layout, showing %s",
    async (_, start) => {
      const { default: axe } = await import("axe-core");
      const screen = new Screen(start, start.phase === "comparing" ? PAIRS : []);
      const options = {
        rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
      };
      const { violations } = await axe.run(screen.root, options);
      expect(violations.map((violation) => violation.id)).toEqual([]);
    },
    30_000,
  );
});

it("ends without leaving a listener on the model", () => {
  const screen = new Screen();
  expect(screen.model.listeners).toBe(4);
  screen.stop();
  expect(screen.model.listeners).toBe(0);
});
