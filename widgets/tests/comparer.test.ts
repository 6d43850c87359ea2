import { beforeEach, describe, expect, it, vi } from "vitest";
import comparer from "../src/comparer";
import { foresee, Order } from "../src/comparer/order";
import type { ComparerEvent, Content, Item, Result, View } from "../src/comparer/protocol";
import type { Notice, Traits } from "../src/shared/protocol";
import { FakeModel } from "./harness";

function pair(key: string, texts: [string, string] = [`Left of ${key}`, `Right of ${key}`]): Item {
  return {
    key,
    turns: [{ role: "user", html: `<p>Prompt ${key}</p>` }],
    cards: texts.map((text, n) => ({ letter: "AB".charAt(n), html: `<p>${text}</p>`, text })),
  };
}

const PAIRS = ["one", "two", "three", "four"].map((key) => pair(key));

function view(changes: Partial<View> = {}): View {
  return {
    phase: "comparing",
    answered: [],
    undone: [],
    drafts: {},
    back: null,
    progress: { done: 0, total: 4 },
    lead: null,
    result: null,
    ...changes,
  };
}

function result(changes: Partial<Result> = {}): Result {
  return {
    first: { name: "policy@1", wins: 12 },
    second: { name: "policy@0", wins: 9 },
    ties: 3,
    skipped: 1,
    done: 25,
    total: 25,
    unlike: 0,
    rate: { estimate: 0.5625, low: 0.3694, high: 0.7383, n: 24 },
    verdict: "unclear",
    needed: 246,
    ...changes,
  };
}

class Screen {
  readonly model: FakeModel<View, Content, ComparerEvent>;
  readonly root: HTMLElement;
  readonly stop: () => void;
  readonly leaked: string[] = [];

  constructor(
    start: View = view(),
    items: Item[] = PAIRS,
    traits: Partial<Traits<View, Content, ComparerEvent>> = {},
  ) {
    this.model = new FakeModel({ view: start, content: { items }, ...traits });
    const notebook = document.createElement("div");
    document.body.replaceChildren(notebook);
    for (const type of ["keydown", "keypress", "keyup"]) {
      notebook.addEventListener(type, (event) => this.leaked.push((event as KeyboardEvent).key));
    }
    this.stop = comparer.render({ model: this.model, el: notebook });
    this.root = this.find(notebook, ".rlhf-comparer");
  }

  find(within: HTMLElement, selector: string): HTMLElement {
    const found = within.querySelector<HTMLElement>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  get(selector: string): HTMLElement {
    return this.find(this.root, selector);
  }

  all(selector: string): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>(selector)];
  }

  button(label: string): HTMLElement {
    const found = this.all("button").find((button) => button.textContent?.endsWith(label));
    if (!found) throw new Error(`no button ${label}`);
    return found;
  }

  focus(): this {
    this.get(".rc-bar").focus();
    return this;
  }

  press(...keys: (string | KeyboardEventInit)[]): boolean[] {
    return keys.map((key) => {
      const init = typeof key === "string" ? { key } : key;
      const target = document.activeElement ?? document.body;
      const options = { bubbles: true, cancelable: true, ...init };
      const handled = !target.dispatchEvent(new KeyboardEvent("keydown", options));
      target.dispatchEvent(new KeyboardEvent("keypress", options));
      target.dispatchEvent(new KeyboardEvent("keyup", options));
      return handled;
    });
  }

  get events(): ComparerEvent[] {
    return this.model.get("events");
  }

  get said(): string[] {
    return this.events.map((event) => {
      const { type } = event;
      if (event.type === "submit") return `${event.item} ${event.choice}`;
      return "item" in event ? `${type} ${event.item}` : type;
    });
  }

  get prompt(): string {
    return this.get(".rc-prompt").textContent ?? "";
  }

  get message(): string {
    return this.get(".rw-message").textContent ?? "";
  }

  get announced(): string {
    return this.get("[role=status]").textContent ?? "";
  }

  get chosen(): string[] {
    return this.all(".rc-answer[aria-pressed=true]").map((b) => b.dataset.choice ?? "");
  }

  get position(): string {
    return this.get(".rc-position").textContent ?? "";
  }

  /** What Python does: values in this order, then the acknowledgement of all. */
  answer(next: View, notice: Notice | null = null, items: Item[] | null = null): void {
    const last = this.events.at(-1)?.seq ?? this.model.get("acked_seq");
    if (items) this.model.set("content", { items });
    this.model.set("view", next);
    if (notice) this.model.set("notice", notice);
    this.model.set("acked_seq", last);
  }
}

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
    vi.useRealTimers();
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
    expect(foresee(start, events)).toEqual({ answered, turned });
  });

  it("remembers no more than 200 pairs", () => {
    const order = new Order();
    const many = Array.from({ length: 260 }, (_, n) => pair(`p${n}`));
    order.update({ items: many }, view(), []);
    expect(order.current).toBeNull();
    order.update({ items: many.slice(-30) }, view(), []);
    expect(order.current?.key).toBe("p230");
  });
});

describe("the lead", () => {
  it("says how far apart the two are and not which leads", () => {
    const lead = { estimate: 0.571, low: 0.42, high: 0.71, n: 40 };
    expect(new Screen(view({ lead })).get(".rc-rule").textContent).toBe(
      "One of the two leads after 40: 57% [42, 71]",
    );
    const even = { estimate: 0.5, low: 0.35, high: 0.65, n: 40 };
    expect(new Screen(view({ lead: even })).get(".rc-rule").textContent).toBe(
      "Neither leads after 40: 50% [35, 65]",
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
