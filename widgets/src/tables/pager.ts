// Turning pages: where one is, four steps, and how many rows a page has.

import { h, setDisabled } from "../shared/dom";
import { tables as strings } from "../strings";
import { rangeOf } from "./grid";
import type { Content, Query } from "./protocol";
import { pageCount, withPage, withPageSize } from "./query";
import { labelled, type ToolbarHost } from "./toolbar";

type Step = (query: Query, pages: number) => number;

export class Pager {
  readonly element: HTMLElement;
  private readonly range = h("span", { class: "rt-range" });
  private readonly size = h("select", { class: "rt-select" });
  private readonly back: HTMLButtonElement[];
  private readonly forward: HTMLButtonElement[];
  private total = 0;

  constructor(private readonly host: ToolbarHost) {
    this.back = [
      this.step("«", strings.first, "", () => 0),
      this.step("‹", strings.previous, "PageUp", (query) => query.page - 1),
    ];
    this.forward = [
      this.step("›", strings.next, "PageDown", (query) => query.page + 1),
      this.step("»", strings.last, "", (_, pages) => pages - 1),
    ];
    this.size.addEventListener("change", () => {
      this.host.ask(withPageSize(this.host.query, Number(this.size.value)));
    });
    this.element = h(
      "nav",
      { class: "rt-pager", "aria-label": strings.pages },
      this.range,
      h("div", { class: "rt-steps" }, ...this.back, ...this.forward),
      labelled(strings.pageSize, this.size),
    );
  }

  show(content: Content): void {
    const sizes = content.page_sizes.map((size) => h("option", { value: size }, String(size)));
    if (sizes.length !== this.size.options.length) this.size.replaceChildren(...sizes);
    this.range.textContent = content.page.phase === "ready" ? rangeOf(content.page) : "";
    this.total = content.page.total;
    this.showQuery(this.host.query);
  }

  /** Which steps there are from the page that is asked for, be it there yet or not. */
  showQuery(query: Query): void {
    this.size.value = String(query.page_size);
    const last = pageCount(query, this.total) - 1;
    for (const button of this.back) setDisabled(button, query.page <= 0);
    for (const button of this.forward) setDisabled(button, query.page >= last);
  }

  /** Go some pages on or back; at the ends, nowhere. */
  turn(by: number): void {
    this.go((query) => query.page + by);
  }

  private go(step: Step): void {
    const { query } = this.host;
    const next = withPage(query, step(query, pageCount(query, this.total)), this.total);
    if (next.page !== query.page) this.host.ask(next);
  }

  private step(sign: string, label: string, keys: string, step: Step): HTMLButtonElement {
    const button = h("button", {
      type: "button",
      class: "rw-button rt-step",
      "aria-label": label,
      title: label,
    });
    if (keys) button.setAttribute("aria-keyshortcuts", keys);
    button.textContent = sign;
    button.addEventListener("click", () => this.go(step));
    return button;
  }
}
