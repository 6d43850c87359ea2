// What differs between two texts, word by word.

import { type ChangeObject, diffLines, diffWords } from "diff";
import { shared as strings } from "../strings";
import { h } from "./dom";

/** Longer than this a person would wait; then lines are compared, which is fast. */
const PATIENCE_MS = 200;

/**
 * How `right` differs from `left`: what was taken out is struck through, what came in is
 * underlined, and a line above says how much. Texts are put in as text, never as HTML.
 */
export function diffView(left: string, right: string): HTMLElement {
  const parts = changes(left, right);
  const text = h("div", { class: "rw-diff-text" });
  for (const part of parts) {
    if (part.added) text.append(h("ins", {}, part.value));
    else if (part.removed) text.append(h("del", {}, part.value));
    else text.append(part.value);
  }
  const summary = h("div", { class: "rw-diff-summary" }, ...legend(parts));
  return h("div", { class: "rw-diff" }, summary, text);
}

/** The parts of both texts, in order. */
function changes(left: string, right: string): ChangeObject<string>[] {
  // Knows words in every script; without it, letters beyond Latin would be compared one by one.
  const segmenter =
    typeof Intl.Segmenter === "undefined"
      ? {}
      : { intlSegmenter: new Intl.Segmenter(undefined, { granularity: "word" }) };
  return (
    diffWords(left, right, { ...segmenter, timeout: PATIENCE_MS }) ??
    diffLines(left, right, { timeout: PATIENCE_MS }) ?? [
      { value: left, removed: true, added: false, count: 1 },
      { value: right, removed: false, added: true, count: 1 },
    ]
  );
}

function legend(parts: ChangeObject<string>[]): (Node | string)[] {
  const removed = words(parts.filter((part) => part.removed));
  const added = words(parts.filter((part) => part.added));
  if (!removed && !added) return [strings.diffSame];
  return [h("del", {}, strings.diffRemoved(removed)), " ", h("ins", {}, strings.diffAdded(added))];
}

function words(parts: ChangeObject<string>[]): number {
  const text = parts.map((part) => part.value).join(" ");
  return text.split(/\s+/).filter(Boolean).length;
}
