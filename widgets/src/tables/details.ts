// One row, whole: its texts, and what is recorded of it.

import { focusedIn, h, keepingFocus, makePartsReachable } from "../shared/dom";
import { markdown } from "../shared/markdown";
import { tables as strings } from "../strings";
import type { Detail, DetailText } from "./protocol";

export class Details {
  readonly element: HTMLElement;
  private readonly title = h("div", { class: "rt-details-title" });
  private readonly body = h("div", { class: "rt-details-body" });
  private shown: Detail | null = null;

  constructor(onClose: () => void) {
    const close = h("button", { type: "button", class: "rt-close", "aria-label": strings.close });
    close.title = strings.close;
    close.textContent = "×";
    close.setAttribute("aria-keyshortcuts", "Escape");
    close.addEventListener("click", onClose);
    this.element = h(
      "section",
      { class: "rt-details", hidden: true, tabindex: 0, "aria-label": strings.details("") },
      h("div", { class: "rt-details-top" }, this.title, close),
      this.body,
    );
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  get hasFocus(): boolean {
    return focusedIn(this.element) !== null;
  }

  focus(): void {
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView?.({ block: "nearest" });
  }

  close(): void {
    this.element.hidden = true;
    this.shown = null;
    this.body.replaceChildren();
  }

  /** Open, and until the details are there, show those of before, or that they are coming. */
  wait(): void {
    if (!this.isOpen) {
      this.title.textContent = "";
      this.body.replaceChildren(h("p", { class: "rt-coming rw-muted" }, strings.loading));
    }
    this.element.hidden = false;
    this.element.setAttribute("aria-busy", "true");
  }

  show(detail: Detail): void {
    this.element.removeAttribute("aria-busy");
    if (detail === this.shown) return;
    this.shown = detail;
    this.title.textContent = strings.title(detail.title);
    this.element.dataset.of = detail.title;
    this.element.setAttribute("aria-label", strings.details(detail.title));
    const parts = detail.error ? [errorOf(detail)] : partsOf(detail);
    keepingFocus(
      this.element,
      () => this.body.replaceChildren(...parts),
      () => this.element,
    );
    this.element.scrollTop = 0;
    this.measure();
  }

  /** After the layout changed. */
  measure(): void {
    makePartsReachable(this.body);
  }
}

function errorOf(detail: Detail): HTMLElement {
  const text = h("p", { class: "rt-error", role: "alert" });
  text.textContent = detail.error;
  return text;
}

function partsOf(detail: Detail): HTMLElement[] {
  return [...detail.texts.map(textOf), factsOf(detail.facts)];
}

function textOf(text: DetailText): HTMLElement {
  const body = markdown("rt-text-body", text.html, strings.emptyText);
  body.dir = "auto";
  const note = h("span", { class: "rt-note" });
  note.textContent = text.note;
  const label = h("span", { class: "rt-label" }, text.label);
  return h("div", { class: "rt-text" }, h("div", { class: "rt-text-top" }, label, note), body);
}

function factsOf(facts: [string, string][]): HTMLElement {
  const list = h("dl", { class: "rt-facts" });
  for (const [name, value] of facts) {
    const told = h("dd", { dir: "auto", class: name === "id" ? "rt-id" : "" });
    told.textContent = value;
    list.append(h("div", {}, h("dt", {}, name), told));
  }
  return h("div", { class: "rt-record" }, h("div", { class: "rt-label" }, strings.facts), list);
}
