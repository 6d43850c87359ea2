// Where the item stands, or what is there instead. It never shrinks at one width, so that buttons
// stay where the hand is.

import { h } from "../shared/dom";
import { Reserve } from "../shared/reserve";
import type { Phase } from "./closing";
import type { ItemPanel } from "./item";

export class Stage {
  readonly element = h("div", { class: "rr-stage" });
  private panel: ItemPanel | null = null;
  private readonly room = new Reserve(this.element);
  private phase: Phase | null = null;

  /** @param takesFocus Whether the first card gets the focus. */
  showItem(panel: ItemPanel, takesFocus: boolean): void {
    this.phase = null;
    this.panel = panel;
    const before = [...this.element.children];
    // Hidden, and gone only when the focus has: a browser lays out once more for a focus that falls.
    for (const old of before) old.toggleAttribute("hidden", true);
    this.element.append(panel.element);
    if (takesFocus) panel.focus(0);
    for (const old of before) old.remove();
    panel.measure();
    this.room.keep();
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
    this.panel?.measure();
    this.room.reset();
  }
}
