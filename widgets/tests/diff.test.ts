import { expect, it } from "vitest";
import { diffView } from "../src/shared/diff";

const parts = (left: string, right: string) =>
  [...(diffView(left, right).querySelector(".rw-diff-text")?.childNodes ?? [])].map((node) => [
    node.nodeName.toLowerCase(),
    node.textContent,
  ]);

const summary = (left: string, right: string) =>
  diffView(left, right).querySelector(".rw-diff-summary")?.textContent;

it("marks what went and what came, word by word", () => {
  expect(parts("the old cat sat", "the new cat sat")).toEqual([
    ["#text", "the "],
    ["del", "old "],
    ["ins", "new "],
    ["#text", "cat sat"],
  ]);
});

it("counts words", () => {
  expect(summary("a b c d", "a x y d")).toBe("− 2 words + 2 words");
  expect(summary("same", "same")).toBe("No word differs.");
  expect(summary("", "one")).toBe("− 0 words + 1 word");
});

it("knows words beyond Latin letters", () => {
  expect(parts("красный дом", "красивый дом")).toEqual([
    ["del", "красный "],
    ["ins", "красивый "],
    ["#text", "дом"],
  ]);
  expect(parts("我喜欢猫", "我喜欢狗")).toEqual([
    ["#text", "我喜欢"],
    ["del", "猫"],
    ["ins", "狗"],
  ]);
});

it("sees no difference in where a line breaks, and keeps the breaks of the second text", () => {
  expect(parts("  one two\nthree", "  one\ntwo three")).toEqual([["#text", "  one\ntwo three"]]);
});

it("puts texts in as text", () => {
  const view = diffView("", "<img src=x onerror=alert(1)>");
  expect(view.querySelector("img")).toBeNull();
  expect(view.querySelector(".rw-diff-text ins")?.textContent).toBe("<img src=x onerror=alert(1)>");
});

it("gives an answer for long texts in which everything differs", () => {
  const long = (word: string) => Array.from({ length: 20_000 }, (_, n) => word + n).join(" ");
  const started = performance.now();
  expect(summary(long("a"), long("b"))).toBe("− 20000 words + 20000 words");
  expect(performance.now() - started).toBeLessThan(4000);
});
