// What stands in the place of what a widget is for, when there is none of it.

import { h } from "./dom";

export interface ClosingWords {
  title: string;
  text?: string;
  /** What to type next. */
  code?: string;
}

/** A title, a sentence with what to type next, and more. */
export function closingView(
  { title, text, code }: ClosingWords,
  ...more: HTMLElement[]
): HTMLElement {
  const sentence = [text ?? "", text && code ? " " : "", code ? h("code", {}, code) : ""];
  const explained = text || code ? [h("p", {}, ...sentence)] : [];
  return h("div", { class: "rw-closing" }, h("h2", {}, title), ...explained, ...more);
}
