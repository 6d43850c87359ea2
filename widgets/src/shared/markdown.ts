// A text of a model.

import { shared as strings } from "../strings";
import { fromSafeHtml, h } from "./dom";

/** A text that Python has rendered, in a box of a class; of one that shows nothing it says so. */
export function markdown(className: string, html: string, empty: string = strings.emptyAnswer) {
  const text = fromSafeHtml(`${className} rw-md`, html);
  if (!text.textContent?.trim() && !text.children.length) {
    text.append(h("p", { class: "rw-muted" }, empty));
  }
  return text;
}
