// Small helpers around the DOM.

import { enableLinks } from "./links";

type Attributes = Record<string, string | number | boolean>;

/** Make an element. `true` sets an empty attribute, `false` leaves it out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** Make an element around HTML that Python has sanitised; nothing else may come here. */
export function fromSafeHtml(className: string, html: string): HTMLDivElement {
  const element = h("div", { class: className });
  element.innerHTML = html;
  enableLinks(element);
  return element;
}

/** The focused element, also inside a shadow root, where `document` sees only the host. */
export function focusedIn(root: HTMLElement): Element | null {
  const scope = root.getRootNode();
  const active =
    scope instanceof Document || scope instanceof ShadowRoot ? scope.activeElement : null;
  return active && root.contains(active) ? active : null;
}

let ids = 0;

/** An id unique in the page, for labels and descriptions. */
export function uniqueId(prefix: string): string {
  ids += 1;
  return `${prefix}-${ids}`;
}
