// What was asked: one turn, or a whole conversation. Its style is in prompt.css.

import { shared as strings } from "../strings";
import { fromSafeHtml, h } from "./dom";
import type { Turn } from "./protocol";

/** The turns with their roles; of a single one everybody knows what it is. */
export function promptView(turns: readonly Turn[]): HTMLElement {
  const isSingle = turns.length === 1;
  const views = turns.map(({ role, html }) =>
    h(
      "div",
      { class: "rw-turn", "data-role": role },
      h("div", { class: "rw-role" }, isSingle ? strings.prompt : (strings.roles[role] ?? role)),
      fromSafeHtml("rw-md", html),
    ),
  );
  return h("div", { class: "rw-prompt" }, ...views);
}
