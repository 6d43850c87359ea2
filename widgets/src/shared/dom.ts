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

/** Whether an element that has the focus would keep it. */
function keepsFocus(element: Element): boolean {
  return element.isConnected && !element.closest("[hidden], :disabled");
}

/**
 * Whether the focus is in `root` to stay. A browser takes it from what has been hidden with the next
 * frame only, and tells nobody.
 */
export function holdsFocus(root: HTMLElement): boolean {
  const focused = focusedIn(root);
  if (!focused || !keepsFocus(focused)) return false;
  return focused.checkVisibility?.({ visibilityProperty: true }) ?? true;
}

/**
 * Change elements within `root`. If the focused one goes, or can hold the focus no more, the focus
 * goes to what `next` finds, or to `root`: else it falls out of the widget, and the next key is the notebook's.
 */
export function keepingFocus(
  root: HTMLElement,
  change: () => void,
  next: () => HTMLElement | null | undefined,
): void {
  const before = focusedIn(root);
  change();
  if (!before || (focusedIn(root) === before && keepsFocus(before))) return;
  // Taken out and put in again, it is as good as before.
  const target = root.contains(before) && keepsFocus(before) ? before : next();
  (target instanceof HTMLElement ? target : root).focus({ preventScroll: true });
}

/** Not `disabled`, which would take the focus from under the person's hands. */
export function setDisabled(button: HTMLButtonElement, isDisabled: boolean): void {
  button.setAttribute("aria-disabled", String(isDisabled));
}

/** Whether `setDisabled` has disabled it: then a click on it does nothing. */
export function isDisabled(button: HTMLButtonElement): boolean {
  return button.getAttribute("aria-disabled") === "true";
}

/** What may scroll within a text from rendering.py. */
const WIDE = "pre, table, .rw-md-math";

/**
 * Make each text that scrolls a stop for Tab, under its label, and what scrolls in it: else no key
 * would reach its end. Text that fits is no stop. To be called when the texts are in the page or have
 * another size.
 */
export function makeReachable(...texts: [HTMLElement, string][]): void {
  // All is measured before anything is set: the browser lays out once.
  const measured = texts.map(([text, label]) => ({
    text,
    label,
    scrolls: text.scrollHeight > text.clientHeight + 1,
    parts: reachesOf(text),
  }));
  for (const { text, label, scrolls, parts } of measured) {
    setReaches(parts, text);
    if (focusedIn(text) === text && !scrolls) continue; // it would lose the focus
    setOrRemove(text, "tabindex", scrolls ? "0" : null);
    setOrRemove(text, "role", scrolls ? "region" : null);
    setOrRemove(text, "aria-label", scrolls ? label : null);
  }
}

/** The same for what scrolls to the side within `element`, which is reachable itself. */
export function makePartsReachable(element: HTMLElement): void {
  setReaches(reachesOf(element), element);
}

/** What may scroll in a text, and whether it does. */
function reachesOf(text: HTMLElement): [HTMLElement, boolean][] {
  const wide = [...text.querySelectorAll<HTMLElement>(WIDE)];
  return wide.map((part) => [part, part.scrollWidth > part.clientWidth + 1]);
}

function setReaches(parts: [HTMLElement, boolean][], text: HTMLElement): void {
  const focused = focusedIn(text);
  for (const [part, reaches] of parts) {
    if (part !== focused || reaches) setOrRemove(part, "tabindex", reaches ? "0" : null);
  }
}

/** What is selected where an element stands: a shadow root has a selection of its own. */
export function selectionAt(element: Element): Selection | null {
  const scope = element.getRootNode() as Node & { getSelection?: () => Selection | null };
  return scope.getSelection?.() ?? globalThis.getSelection?.() ?? null;
}

function setOrRemove(element: HTMLElement, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

let ids = 0;

/** An id unique in the page, for labels and descriptions. */
export function uniqueId(prefix: string): string {
  ids += 1;
  return `${prefix}-${ids}`;
}
