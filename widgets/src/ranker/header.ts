// Above the item: what to do, how far one is, how long it still takes.

import { h } from "../shared/dom";
import { ranker as strings } from "../strings";

export class Header {
  readonly element: HTMLElement;
  private readonly rule = h("div", { class: "rr-rule" });
  private readonly unsent = h("span", { class: "rr-unsent", hidden: true });
  private readonly pace = h("span", { class: "rr-pace" });
  private readonly bar = h("progress", { "aria-label": strings.progress });
  private readonly position = h("span", { class: "rr-position" });

  constructor() {
    this.element = h(
      "header",
      { class: "rw-top" },
      h("div", { class: "rw-title" }, strings.title),
      this.rule,
      h("div", { class: "rr-progress" }, this.unsent, this.pace, this.bar, this.position),
    );
  }

  /** @param count How many responses the item has; 0 without an item. */
  showRule(count: number): void {
    this.rule.textContent = count === 0 ? "" : strings.rule(count);
    this.rule.title = this.rule.textContent;
  }

  showProgress(done: number, total: number, ranking: boolean, pace: number | null): void {
    const at = ranking ? Math.min(done + 1, total) : done;
    this.position.textContent = total ? strings.position(at, total) : "";
    this.position.setAttribute("aria-label", strings.positionLong(at, total));
    this.pace.textContent = ranking && pace !== null ? strings.pace(pace, total - done) : "";
    this.bar.hidden = !total;
    this.bar.max = Math.max(total, 1);
    this.bar.value = Math.min(done, total);
  }

  /** How many answers wait; said in words under the item when it takes long. */
  showUnsent(count: number): void {
    this.unsent.hidden = count < 2;
    this.unsent.textContent = strings.unsent(count);
  }
}
