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

/** What may scroll within a text from rendering.py. */
const WIDE = "pre, table, .rw-md-math";

/**
 * Make a text that scrolls a stop for Tab, and what scrolls in it: else no key would reach its end.
 * Text that fits is no stop. To be called when the element is in the page or has another size.
 */
export function makeReachable(element: HTMLElement, label: string): void {
  const wide = [...element.querySelectorAll<HTMLElement>(WIDE)];
  const scrolls = element.scrollHeight > element.clientHeight + 1;
  // All is measured before anything is set: the browser lays out once.
  const reaches = wide.map((part) => part.scrollWidth > part.clientWidth + 1);
  wide.forEach((part, index) => {
    setOrRemove(part, "tabindex", reaches[index] ? "0" : null);
  });
  setOrRemove(element, "tabindex", scrolls ? "0" : null);
  setOrRemove(element, "role", scrolls ? "region" : null);
  setOrRemove(element, "aria-label", scrolls ? label : null);
}

function setOrRemove(element: HTMLElement, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

let ids = 0;

/** An id unique in the page, for labels and descriptions. */
export function uniqueId(prefix: string): string {
  ids += 1;
  return `${prefix}-${ids}`;
}
