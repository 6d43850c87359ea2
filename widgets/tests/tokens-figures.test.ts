// What is shown of a token, how its numbers are written, and how strongly it is coloured.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { glyphsOf, inWords } from "../src/tokens/glyphs";
import { exact, rough, summary } from "../src/tokens/numbers";
import type { Kind, Numbers } from "../src/tokens/protocol";
import { levelOf, rangeOf, valueAt } from "../src/tokens/scale";
import { extremes } from "../src/tokens/sparkline";

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
  const css = ["index", "text"]
    .map((name) => readFileSync(`src/tokens/${name}.css`, "utf-8"))
    .join("\n");
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
