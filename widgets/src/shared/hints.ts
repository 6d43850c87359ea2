// Keys that are worth knowing, for the eye; `keysDescription` of each widget is for the ear.

import { h } from "./dom";

/** @param keys Each key, and what it does. */
export function hintsView(keys: readonly (readonly [string, string])[]): HTMLElement {
  const hints = keys.map(([key, what]) => h("span", {}, h("kbd", {}, key), what));
  return h("div", { class: "rw-hints", "aria-hidden": "true" }, ...hints);
}
