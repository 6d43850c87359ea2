// Where the item stands, or what is there instead. It never shrinks at one width, so that buttons
// stay where the hand is.

import { h } from "../shared/dom";
import type { Phase } from "./closing";
import type { ItemPanel } from "./item";

export class Stage {
  readonly element = h("div", { class: "rr-stage" });
  private panel: ItemPanel | null = null;
  private height = 0;
  private phase: Phase | null = null;

  showItem(panel: ItemPanel): void {
    this.phase = null;
    this.panel = panel;
    this.element.replaceChildren(panel.element);
    this.measure();
  }

  /** Show what stands there without an item; says whether that is another thing than before. */
  showClosing(phase: Phase, make: (phase: Phase) => HTMLElement): boolean {
    const isNew = phase !== this.phase;
    this.phase = phase;
    this.panel = null;
    // Made again where only its numbers changed, but not under a hand that is on its button.
    if (isNew || !this.element.querySelector(":focus")) this.element.replaceChildren(make(phase));
    return isNew;
  }

  /** At another width, or with other parts, everything is measured anew. */
  resized(): void {
    this.height = 0;
    this.measure();
  }

  private measure(): void {
    this.panel?.measure();
    if (this.height === 0) this.element.style.minHeight = "";
    this.height = Math.max(this.height, this.element.offsetHeight);
    this.element.style.minHeight = this.height ? `${this.height}px` : "";
  }
}
