// The token view: what is shown of a token, how strongly it is coloured, and what keys do.

import { readFileSync } from "node:fs";
import axe from "axe-core";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Traits } from "../src/shared/protocol";
import tokens from "../src/tokens";
import { glyphsOf, inWords } from "../src/tokens/glyphs";
import { exact, rough, summary } from "../src/tokens/numbers";
import type { Content, Kind, Numbers, Report, TokenEvent, View } from "../src/tokens/protocol";
import { levelOf, rangeOf, valueAt } from "../src/tokens/scale";
import { extremes } from "../src/tokens/sparkline";
import { asTabs } from "../src/tokens/table";
import { FakeModel } from "./harness";

// Three tokens whose numbers tests/training/test_credit.py works out by hand.
function report(changes: Partial<Report> = {}): Report {
  return {
    name: "r1",
    written_by: "policy@0",
    turns: [{ role: "user", html: "<p>Tea?</p>" }],
    ids: [65, 66, 2],
    kinds: ["text", "text", "special"],
    texts: ["Yes", "\n", "<|im_end|>"],
    wholes: ["", "", ""],
    figures: {
      logp: [-1, -2, -0.5],
      ref_logp: [-1.5, -1, -0.5],
      log_ratio: [0.5, -1, 0],
      kl: [0.1065307, 0.7182818, 0],
      value: [0.5, 0.25, 1],
      reward: [-0.15, 0.3, 2],
      advantage: [0.7774, 1.67, 1],
      return: [1.2774, 1.92, 2],
    },
    left_out: [],
    ended: true,
    score: 2,
    settings: { kl_coef: 0.3, temperature: 0.8, gamma: 0.9, lam: 0.8 },
    policy: "policy@1",
    reward: "reward@2",
    ...changes,
  };
}

function unscored(): Report {
  const figures = { ...report().figures, value: null, advantage: null, return: null };
  const reason = "policy@0 keeps no value role: lab.ppo() trains one.";
  return report({
    figures,
    left_out: [{ figures: ["value", "advantage", "return"], reason }],
  });
}

class Screen {
  readonly model: FakeModel<View, Content, TokenEvent>;
  readonly root: HTMLElement;
  readonly leaked: string[] = [];

  constructor(
    responses: Report[] = [report()],
    view: Partial<View> = {},
    traits: Partial<Traits<View, Content, TokenEvent>> = {},
  ) {
    this.model = new FakeModel<View, Content, TokenEvent>({
      ...traits,
      content: { responses },
      view: { phase: "ready", shown: 0, figure: "log_ratio", ...view },
    });
    const notebook = document.createElement("div");
    document.body.replaceChildren(notebook);
    notebook.addEventListener("keydown", (event) => this.leaked.push(event.key));
    tokens.render({ model: this.model, el: notebook });
    this.root = notebook.querySelector<HTMLElement>(".rlhf-tokens") ?? notebook;
  }

  all(selector: string): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>(selector)];
  }

  get(selector: string): HTMLElement {
    const found = this.root.querySelector<HTMLElement>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  get tokens(): HTMLElement[] {
    return this.all("[role=option]");
  }

  token(index: number): HTMLElement {
    const found = this.tokens[index];
    if (!found) throw new Error(`no token ${index}`);
    return found;
  }

  get levels(): (string | undefined)[] {
    return this.tokens.map((token) => token.dataset.level);
  }

  press(...keys: (string | KeyboardEventInit)[]): void {
    for (const key of keys) {
      const init = typeof key === "string" ? { key } : key;
      const target = document.activeElement ?? document.body;
      target.dispatchEvent(
        new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }),
      );
    }
  }

  /** The row of a figure: this token, sum, mean. */
  row(name: string): string[] {
    const row = this.all(".tk-figures tbody tr").find((each) => each.textContent?.startsWith(name));
    return [...(row?.querySelectorAll("td") ?? [])].map((cell) => cell.textContent ?? "");
  }

  get figure(): string | undefined {
    return this.all(".tk-controls input")
      .find((input) => (input as HTMLInputElement).checked)
      ?.parentElement?.textContent?.slice(1);
  }

  get message(): string {
    return this.get(".rw-message").textContent ?? "";
  }
}

describe("what is shown of a token", () => {
  const text = (of: string, kind: Kind = "text") =>
    glyphsOf(of, kind)
      .map((glyph) => (glyph.as === "text" ? glyph.text : `[${glyph.text}]`))
      .join("");

  test.each([
    ["the", "the"],
    [" the", " the"],
    ["  a  b", "  a  b"],
    [" ", "[␣]"],
    ["   ", "[␣][␣][␣]"],
    ["\n", "[⏎]\n"],
    [".\n\n", ".[⏎]\n[⏎]\n"],
    ["\t", "[⇥]"],
    ["\u00a0", "[NBSP]"],
    ["", "[∅]"],
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
    ["\u202egnp.exe", "[RLO]gnp.exe"],
    ["a\u2066b\u2069", "a[LRI]b[PDI]"],
    ["\u200b", "[ZWSP]"],
    ["\u0000\u001b[31m\r", "[NUL][ESC][31m[CR]"],
    ["\u007f", "[DEL]"],
    ["\u0085", "[NEL]"],
    ["\u{e0041}", "[U+E0041]"],
    ["\ufeff", "[BOM]"],
    ["\u3164", "[U+3164]"],
    ["\u2003", "[U+2003]"],
    ["\u0301", "\u25cc\u0301"],
    ["e\u0301", "e\u0301"],
    ["👩\u200d👩", "👩\u200d👩"],
    ["❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"],
    ["\u200d", "[ZWJ]"],
    ["\ufe0f", "[U+FE0F]"],
    ["שלום", "שלום"],
  ])("%j as %j", (given, expected) => {
    expect(text(given)).toBe(expected);
  });

  test("names are told from text that looks like them, and white space has signs", () => {
    expect(glyphsOf("RLO\u202e\n", "text")).toEqual([
      { text: "RLO", as: "text" },
      { text: "RLO", as: "name" },
      { text: "⏎", as: "sign" },
      { text: "\n", as: "text" },
    ]);
  });

  test("special tokens and bytes are marks, whatever they are called", () => {
    expect(text("<|im_end|>", "special")).toBe("[<|im_end|>]");
    expect(text("F0 9F", "bytes")).toBe("[F0 9F]");
  });

  test("in one line, each kind has words", () => {
    expect(inWords(" the", "text", "")).toBe("“ the”");
    expect(inWords("  ", "text", "")).toBe("2 spaces");
    expect(inWords("\n", "text", "")).toBe("line break");
    expect(inWords(".\n\n", "text", "")).toBe("“.⏎⏎”");
    expect(inWords("F0", "bytes", "🙂")).toBe("bytes F0, part of 🙂");
    expect(inWords("</s>", "special", "")).toBe("special token </s>");
  });
});

describe("numbers", () => {
  test.each([
    [0.3, "+0.30000"],
    [-1.67, "−1.67000"],
    [0, "0.00000"],
    [123.456789, "+123.457"],
    [13.521521, "+13.5215"],
    [-0.0000123, "−1.23e-5"],
    [null, "–"],
  ])("%s is shown as %s", (value, expected) => {
    expect(exact(value)).toBe(expected);
  });

  test("a legend rounds", () => {
    expect([rough(-1.678), rough(0), rough(0.0123)]).toEqual(["−1.7", "0", "+0.012"]);
  });

  test("sums and means, and none where a number is none", () => {
    expect(summary([0.5, -1, 2])).toEqual({ sum: 1.5, mean: 0.5 });
    expect(summary([1, null])).toEqual({ sum: null, mean: null });
    expect(summary(null)).toEqual({ sum: null, mean: null });
  });
});

describe("the scale", () => {
  test("reaches as far as the largest number on either side, of all responses", () => {
    expect(rangeOf([[0.5, -3, null], null, [1]])).toBe(3);
  });

  test("rounding alone never fills it", () => {
    expect(rangeOf([[1e-8, -2e-8]])).toBe(0.01);
    expect(levelOf(1e-8, 0.01)).toBe(0);
  });

  // 6 sqrt(x / 4): of 4 it is 6, of 1 it is 3, of 0.25 it is 1.5, of 0.02 it is 0.42
  test.each([
    [4, 6],
    [-4, -6],
    [9, 6],
    [1, 3],
    [-1, -3],
    [0.25, 2],
    [0.02, 0],
    [-0.02, 0],
    [0, 0],
    [null, 0],
  ])("%s of 4 is step %s", (value, level) => {
    expect(levelOf(value, 4)).toBe(level);
    expect(Object.is(levelOf(value, 4), -0)).toBe(false);
  });

  test("tells what a step stands for", () => {
    expect([-6, -3, 0, 6].map((level) => valueAt(level, 4) + 0)).toEqual([-4, -1, 0, 4]);
  });

  test("a sparkline of many tokens keeps every extreme", () => {
    const values: Numbers = Array.from({ length: 2000 }, (_, i) => (i === 1234 ? -7 : 0.1));
    const bars = extremes(values, 500);
    expect(bars).toHaveLength(500);
    expect(bars.filter((bar) => bar.value === -7)).toEqual([{ start: 1232, width: 4, value: -7 }]);
    expect(extremes([1, null, 2], 500)).toHaveLength(3);
    expect(extremes([])).toEqual([]);
  });
});

describe("colours", () => {
  const css = readFileSync("src/tokens/index.css", "utf-8");
  const block = (selector: string) => css.split(`${selector} {`)[1]?.split("}")[0] ?? "";
  const colour = (rules: string, name: string) =>
    new RegExp(`--${name}:\\s*(#[0-9a-f]+)`).exec(rules)?.[1] ?? "";

  function luminance(hex: string): number {
    const long = hex.length === 4 ? hex.replace(/[0-9a-f]/g, "$&$&") : hex;
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(long.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(one: string, other: string): number {
    const [high = 0, low = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  }

  test.each([
    ["light", ".rlhf-tokens"],
    ["dark", '.rlhf-tokens[data-theme="dark"]'],
  ])("the text is readable on every step, and so is the line: %s", (_, selector) => {
    const rules = block(selector);
    for (const side of ["up", "down"]) {
      for (let level = 1; level <= 6; level += 1) {
        const cell = colour(rules, `${side}-${level}`);
        expect(contrast(cell, colour(rules, "cell-text"))).toBeGreaterThanOrEqual(4.5);
        expect(contrast(cell, colour(rules, `${side}-line`))).toBeGreaterThanOrEqual(3);
      }
    }
  });

  test("every step has its rule, its side of the line and its thickness", () => {
    for (let level = 1; level <= 6; level += 1) {
      const thickness = Math.ceil(level / 2);
      expect(block(`[data-level="${level}"]`)).toContain(`inset 0 ${thickness}px 0 var(--up-line)`);
      expect(block(`[data-level="-${level}"]`)).toContain(
        `inset 0 -${thickness}px 0 var(--down-line)`,
      );
    }
  });
});

describe("the view", () => {
  let screen: Screen;
  beforeEach(() => {
    screen = new Screen();
  });

  test("colours the tokens by the figure, and the keys 1 to 5 change it", () => {
    // Of the range 1: 6 sqrt(0.5) = 4.2, 6, 0
    expect(screen.levels).toEqual(["4", "-6", "0"]);
    screen.token(0).focus();
    screen.press("5");
    expect(screen.figure).toBe("Reward");
    // Of the range 2: 6 sqrt(0.075) = 1.6, 6 sqrt(0.15) = 2.3, 6
    expect(screen.levels).toEqual(["-2", "2", "6"]);
    expect(screen.get(".tk-ends").textContent).toBe("−20+2");
    expect(document.activeElement).toBe(screen.token(0));
    expect(screen.model.get("events")).toMatchObject([
      { type: "show", shown: 0, figure: "reward" },
    ]);
    expect(screen.message).toBe("");
  });

  test("digits of a keyboard that needs Shift for them count too", () => {
    screen.token(0).focus();
    screen.press({ key: "à", code: "Digit4" });
    expect(screen.figure).toBe("Advantage");
    screen.press({ key: "1", code: "Digit1", ctrlKey: true });
    expect(screen.figure).toBe("Advantage");
  });

  test("has sums and means, but none of what cannot be added", () => {
    expect(screen.row("Log-ratio")).toEqual(["+0.50000", "−0.50000", "−0.16667"]);
    expect(screen.row("Reward")).toEqual(["−0.15000", "+2.15000", "+0.71667"]);
    expect(screen.row("Value")).toEqual(["+0.50000", "", "+0.58333"]);
  });

  test("arrows, Home and End walk, and the numbers follow", () => {
    screen.token(0).focus();
    screen.press("ArrowRight");
    expect(document.activeElement).toBe(screen.token(1));
    expect(screen.row("Advantage")[0]).toBe("+1.67000");
    expect(screen.get(".tk-look-place").textContent).toBe("2 of 3");
    screen.press("End");
    expect(document.activeElement).toBe(screen.token(2));
    expect(screen.get(".tk-how").textContent).toBe(
      "Reward: −0.3 × (0.00000), and the score +2.00000",
    );
    screen.press("ArrowRight");
    expect(document.activeElement).toBe(screen.token(2));
    screen.press("Home");
    expect(document.activeElement).toBe(screen.token(0));
    expect(screen.tokens.filter((token) => token.tabIndex === 0)).toEqual([screen.token(0)]);
    expect(screen.leaked).toEqual([]);
  });

  test("the focused token is named with its text, figure and value", () => {
    screen.token(0).focus();
    screen.press("ArrowRight");
    expect(screen.token(1).getAttribute("aria-label")).toBe("line break, Log-ratio −1.00000");
    screen.press("4");
    expect(screen.token(1).getAttribute("aria-label")).toBe("line break, Advantage +1.67000");
    expect(screen.all("[role=option][aria-label]")).toHaveLength(1);
  });

  test("the pointer shows a token's numbers, and leaving goes back to the focused one", () => {
    screen.token(1).dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect(screen.row("Value")[0]).toBe("+0.25000");
    screen.get(".tk-text").dispatchEvent(new Event("pointerleave"));
    expect(screen.row("Value")[0]).toBe("+0.50000");
    screen.token(1).click();
    expect(document.activeElement).toBe(screen.token(1));
  });

  test("up and down go by line, to what is nearest where the walk began", () => {
    // Three lines of 3, 1 and 3 tokens, each 10 wide; the goal is kept across the short line.
    const ids = [1, 2, 3, 4, 5, 6, 7];
    const column = ids.map(() => 0.5);
    const figures = Object.fromEntries(
      Object.keys(report().figures).map((name) => [name, column]),
    ) as unknown as Report["figures"];
    const other = new Screen([
      report({
        ids,
        kinds: ids.map(() => "text" as const),
        texts: ids.map(String),
        wholes: ids.map(() => ""),
        figures,
      }),
    ]);
    const places = [
      [0, 0],
      [10, 0],
      [20, 0],
      [0, 30],
      [0, 60],
      [10, 61],
      [20, 60],
    ];
    other.tokens.forEach((token, index) => {
      const [left = 0, top = 0] = places[index] ?? [];
      token.getClientRects = () => [new DOMRect(left, top, 10, 20)] as unknown as DOMRectList;
    });
    const at = () => other.tokens.indexOf(document.activeElement as HTMLElement);
    other.token(1).click();
    other.press("ArrowDown");
    expect(at()).toBe(3);
    other.press("ArrowDown");
    expect(at()).toBe(5);
    other.press("ArrowDown");
    expect(at()).toBe(6); // no further line: the end
    other.press("ArrowUp", "ArrowUp");
    expect(at()).toBe(1);
    other.press("ArrowUp"); // no line before: the start
    expect(at()).toBe(0);
  });

  test("hostile text stays text, in the tokens, the numbers and the table", () => {
    const hostile = "<img src=x onerror=alert(1)>\u202e";
    // The last token is a part of a turning character, the one before a special one's name.
    const other = new Screen([
      report({
        texts: [hostile, "<b>\u202e", "E2 80"],
        kinds: ["text", "special", "bytes"],
        wholes: ["", "", "\u202e"],
      }),
    ]);
    for (const token of other.tokens) {
      token.dispatchEvent(new Event("pointerover", { bubbles: true }));
      expect(other.get(".tk-inspector").textContent).not.toContain("\u202e");
      token.click();
      expect(token.getAttribute("aria-label")).not.toContain("\u202e");
    }
    expect(other.get(".tk-look-what").textContent).toBe("id 2, part of RLO");
    other.get(".rw-button").click();
    expect(other.all("img, b, script")).toEqual([]);
    expect(other.token(0).textContent).toBe("<img src=x onerror=alert(1)>RLO");
    expect(other.root.textContent).not.toContain("\u202e");
  });

  test("a table has every token with every figure, and is made when it is asked for", () => {
    expect(screen.all(".tk-table")).toEqual([]);
    screen.token(0).focus();
    screen.press("t");
    const rows = screen.all(".tk-table tbody tr").map((row) => row.textContent);
    expect(rows).toHaveLength(3);
    expect(rows[0]).toBe(
      "1“Yes”65−1.00000−1.50000+0.50000+0.10653+0.50000−0.15000+0.77740+1.27740",
    );
    screen.press("t");
    expect(screen.get(".tk-table-place").hidden).toBe(true);
  });

  test("the table gives its focus to its button when it goes", () => {
    screen.token(0).focus();
    screen.press("t");
    screen.get(".tk-table-place").focus();
    screen.press("t");
    expect(document.activeElement?.textContent).toBe("Show table");
  });

  test("the prompt is a Tab stop where it scrolls, and only there", () => {
    expect(screen.get(".tk-prompt").hasAttribute("tabindex")).toBe(false);
    Object.defineProperty(HTMLElement.prototype, "scrollHeight", {
      value: 900,
      configurable: true,
    });
    expect(new Screen().get(".tk-prompt").tabIndex).toBe(0);
    Reflect.deleteProperty(HTMLElement.prototype, "scrollHeight");
  });

  test("a long table comes in parts, and whole", async () => {
    const ids = Array.from({ length: 600 }, (_, index) => index);
    const column = ids.map(() => 0.5);
    const figures = Object.fromEntries(
      Object.keys(report().figures).map((name) => [name, column]),
    ) as unknown as Report["figures"];
    const texts = ids.map(String);
    const kinds = ids.map(() => "text" as const);
    const long = new Screen([report({ ids, texts, kinds, wholes: ids.map(() => ""), figures })]);
    long.get(".rw-button").click();
    const numbers = () => long.all(".tk-table tbody tr").map((row) => row.textContent?.slice(0, 9));
    expect(numbers()).toHaveLength(250);
    await vi.waitFor(() => expect(numbers()).toHaveLength(600));
    expect(numbers().at(-1)).toBe("600“599”5");
  });

  test("copying gives full precision, one line for each token", async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    screen.all(".rw-button")[1]?.click();
    await vi.waitFor(() => expect(screen.message).toContain("3 tokens copied"));
    vi.unstubAllGlobals();
    const lines = String(writeText.mock.calls[0]?.[0]).split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[2]).toBe("2\tline break\t66\t-2\t-1\t-1\t0.7182818\t0.25\t0.3\t1.67\t1.92");
    expect(asTabs(report({ texts: ["a\tb\nc", "", ""] })).split("\n")[1]).toMatch(/^1\t“a⇥b⏎c”\t/);
  });

  test("a page that may not copy shows the table and says so", async () => {
    vi.stubGlobal("navigator", {});
    screen.all(".rw-button")[1]?.click();
    await vi.waitFor(() => expect(screen.message).toContain("may not copy"));
    vi.unstubAllGlobals();
    expect(screen.get(".tk-table-place").hidden).toBe(false);
  });

  test("axe finds nothing to complain of", { timeout: 60_000 }, async () => {
    screen.press("t");
    const { violations } = await axe.run(screen.root, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)])).toEqual([]);
  });
});

describe("figures that are left out", () => {
  test("cannot be chosen, and the view says why", () => {
    const screen = new Screen([unscored()]);
    expect(screen.get(".tk-left-out").textContent).toBe(
      "Left out: Value, Advantage and Return. policy@0 keeps no value role: lab.ppo() trains one.",
    );
    const disabled = screen
      .all(".tk-controls input")
      .map((input) => (input as HTMLInputElement).disabled);
    expect(disabled).toEqual([false, false, true, true, false]);
    screen.token(0).focus();
    screen.press("4");
    expect(screen.figure).toBe("Log-ratio");
    expect(screen.message).toBe("policy@0 keeps no value role: lab.ppo() trains one.");
    expect(screen.model.get("events")).toEqual([]);
    expect(screen.row("Advantage")).toEqual(["–", "–", "–"]);
  });

  test("a figure wanted from Python that is not there gives way to the log-ratio", () => {
    expect(new Screen([unscored()], { figure: "advantage" }).figure).toBe("Log-ratio");
  });

  test("nothing is said where nothing is missing", () => {
    expect(new Screen().get(".tk-left-out").hidden).toBe(true);
  });
});

describe("several responses", () => {
  const other = report({ name: "r2", texts: ["No", ".", "<|im_end|>"], score: -1 });

  test("are chosen with n and p, and the focus stays in the tokens", () => {
    const screen = new Screen([report(), other]);
    screen.token(1).click();
    screen.press("n");
    expect(screen.tokens.map((token) => token.textContent)).toEqual(["No", ".", "<|im_end|>"]);
    expect(screen.tokens).toContain(document.activeElement);
    screen.press("n");
    expect(screen.token(0).textContent).toBe("Yes");
    expect(document.activeElement).toBe(screen.token(1)); // where it was
    screen.press("p");
    // Of what Python has not heard, the last alone is kept, under a number of its own.
    expect(screen.model.get("events")).toMatchObject([{ shown: 1, seq: 3 }]);
    const sent = screen.model.sent.map((events) => events.at(-1)?.shown);
    expect(sent.filter((_, index) => index % 2)).toEqual([1, 0, 1]);
  });

  test("wait for nobody, so there are no words about waiting", () => {
    vi.useFakeTimers();
    const events = [
      { seq: 4, id: "before", type: "show" as const, shown: 1, figure: "kl" as const },
    ];
    const screen = new Screen([report(), other], {}, { events, acked_seq: 3 });
    expect(screen.message).toBe("");
    vi.advanceTimersByTime(1500);
    expect(screen.message).toBe("");
    vi.useRealTimers();
  });

  test("are shown by a figure that they have, and it is said why", () => {
    const screen = new Screen([report(), unscored()], { figure: "advantage" });
    screen.token(1).click();
    screen.press("n");
    expect(screen.get(".tk-responses :checked").closest("label")?.textContent).toContain(
      "Response 2",
    );
    expect(screen.get(".tk-left-out").hidden).toBe(false);
    expect(screen.figure).toBe("Log-ratio");
    expect(screen.message).toBe(
      "policy@0 keeps no value role: lab.ppo() trains one. Log-ratio, response 2 of 2.",
    );
    expect(screen.model.get("events")).toMatchObject([{ shown: 1, figure: "log_ratio" }]);
  });

  test("take the focus along, wherever it is", () => {
    const screen = new Screen([report(), unscored()], { figure: "advantage" });
    screen.press("t");
    screen.token(0).focus();
    screen.press("t");
    screen.get(".tk-table-place").focus();
    screen.press("n");
    expect(document.activeElement).toBe(screen.token(0));
  });

  test("take the focus from a figure that they do not have to the one that is shown", () => {
    const screen = new Screen([report(), unscored()], { figure: "advantage" });
    screen.get(".tk-controls :checked").focus();
    screen.press("n");
    expect(document.activeElement).toBe(screen.get(".tk-controls :checked"));
    expect(screen.figure).toBe("Log-ratio");
  });

  test("keep the focus on their choice when others come", () => {
    const screen = new Screen([report(), other]);
    screen.get(".tk-responses :checked").focus();
    screen.model.set("content", { responses: [report(), report(), other] });
    expect(document.activeElement).toBe(screen.get(".tk-responses :checked"));
    screen.model.set("view", { phase: "loading", shown: 0, figure: "kl" });
    expect(document.activeElement).toBe(screen.root);
  });

  test("share one scale", () => {
    const figures = { ...report().figures, log_ratio: [4, 0, 0] };
    const screen = new Screen([report(), report({ figures })]);
    expect(screen.levels).toEqual(["2", "-3", "0"]); // of 4, not of 1
  });

  test("what Python says later does not undo a newer choice", () => {
    const screen = new Screen([report(), other]);
    screen.token(0).focus();
    screen.press("2", "3");
    screen.model.set("view", { phase: "ready", shown: 0, figure: "kl" });
    expect(screen.figure).toBe("Value");
    screen.model.set("view", { phase: "ready", shown: 0, figure: "value" });
    screen.model.set("acked_seq", 2);
    expect(screen.figure).toBe("Value");
    screen.model.set("view", { phase: "ready", shown: 1, figure: "reward" });
    expect(screen.figure).toBe("Reward");
  });

  test("one alone says so", () => {
    const screen = new Screen();
    screen.token(0).focus();
    screen.press("n");
    expect(screen.message).toBe("There is only one response.");
  });
});

describe("without a response", () => {
  test.each([
    ["empty", "No response to look at"],
    ["loading", "Reading …"],
    ["error", "The tokens could not be read"],
  ] as const)("%s says so", (phase, title) => {
    const screen = new Screen([], { phase });
    expect(screen.get(".rw-closing").textContent).toContain(title);
    expect(screen.get(".rw-closing").closest("[hidden]")).toBeNull();
    expect(screen.get(".tk-bench").hidden).toBe(true);
    screen.press("1", "t");
  });

  test("reports that come later are shown", () => {
    const screen = new Screen([], { phase: "loading" });
    screen.model.set("content", { responses: [report()] });
    screen.model.set("view", { phase: "ready", shown: 0, figure: "reward" });
    expect(screen.levels).toEqual(["-2", "2", "6"]);
    expect(screen.get(".rw-closing").closest("[hidden]")).not.toBeNull();
  });
});
