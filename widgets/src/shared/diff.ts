// What differs between two texts, word by word.

import { diffArrays } from "diff";
import { shared as strings } from "../strings";
import { h } from "./dom";

/** Longer than this a person would wait; then lines are compared, which is fast. */
const PATIENCE_MS = 200;

/** Scripts that put no spaces between words: there each sign counts as one. */
const UNSPACED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}";
/**
 * A sign, a word or a mark, each with the space behind it. (Intl.Segmenter would do this by the book,
 * but in Chromium and Node each segment copies the whole text: gigabytes for a long answer.)
 */
const WORDS = new RegExp(
  `^\\s+|(?:[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}_'’])+|[^\\s])\\s*`,
  "gu",
);
const LINES = /[^\n]*\n|[^\n]+/g;

interface Part {
  kind: "same" | "removed" | "added";
  text: string;
}

/**
 * How `right` differs from `left`: what was taken out is struck through, what came in is
 * underlined, and a line above says how much. Texts are put in as text, never as HTML.
 */
export function diffView(left: string, right: string): HTMLElement {
  const parts = compare(left, right);
  const text = h("div", { class: "rw-diff-text" });
  for (const part of parts) {
    if (part.kind === "added") text.append(h("ins", {}, part.text));
    else if (part.kind === "removed") text.append(h("del", {}, part.text));
    else text.append(part.text);
  }
  return h("div", { class: "rw-diff" }, summaryOf(parts), text);
}

function compare(left: string, right: string): Part[] {
  return (
    compareBy(WORDS, left, right) ??
    compareBy(LINES, left, right) ?? [
      { kind: "removed", text: left },
      { kind: "added", text: right },
    ]
  );
}

/** The parts of both texts in order, or null when it takes too long. */
function compareBy(token: RegExp, left: string, right: string): Part[] | null {
  const changes = diffArrays(left.match(token) ?? [], right.match(token) ?? [], {
    // A word at the end of a line is the word in the middle of one.
    comparator: (a, b) => a.trimEnd() === b.trimEnd(),
    timeout: PATIENCE_MS,
  });
  return (
    changes?.map(({ added, removed, value }) => ({
      kind: added ? "added" : removed ? "removed" : "same",
      text: value.join(""),
    })) ?? null
  );
}

function summaryOf(parts: Part[]): HTMLElement {
  const summary = h("div", { class: "rw-diff-summary" });
  const removed = wordsIn(parts, "removed");
  const added = wordsIn(parts, "added");
  if (!removed && !added) summary.append(strings.diffSame);
  else {
    const out = h("span", { class: "rw-diff-out" }, strings.diffRemoved(removed));
    const into = h("span", { class: "rw-diff-in" }, strings.diffAdded(added));
    summary.append(out, " ", into);
  }
  return summary;
}

function wordsIn(parts: Part[], kind: Part["kind"]): number {
  const text = parts.filter((part) => part.kind === kind).map((part) => part.text);
  return text.join(" ").split(/\s+/).filter(Boolean).length;
}
