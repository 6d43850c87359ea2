// A row of buttons of which one is chosen: ranks, the scale for a pair, ratings.

import { h } from "../shared/dom";

export interface Option {
  text: string;
  label: string;
}

export class Radios {
  readonly element: HTMLElement;
  private readonly buttons: HTMLButtonElement[];

  /** @param onChoose Gets the number of the option, from 1. */
  constructor(kind: string, label: string, options: Option[], onChoose: (value: number) => void) {
    this.buttons = options.map((option, index) => {
      const attributes = { type: "button", role: "radio", class: "rr-radio" };
      const button = h("button", { ...attributes, "aria-label": option.label }, option.text);
      button.addEventListener("click", () => onChoose(index + 1));
      return button;
    });
    const group = { role: "radiogroup", class: `rr-radios ${kind}`, "aria-label": label };
    this.element = h("div", group, ...this.buttons);
    this.show(null);
  }

  get count(): number {
    return this.buttons.length;
  }

  show(value: number | null): void {
    this.buttons.forEach((button, index) => {
      const checked = index + 1 === value;
      button.setAttribute("aria-checked", String(checked));
      // One stop for Tab in each group: the chosen one, or the first.
      button.tabIndex = checked || (value === null && index === 0) ? 0 : -1;
    });
  }

  /** The number of the option that this element is, or null. */
  valueOf(target: EventTarget | null): number | null {
    const index = this.buttons.indexOf(target as HTMLButtonElement);
    return index < 0 ? null : index + 1;
  }

  /** Where an arrow goes from here; around at the ends, as in all radio groups. */
  after(value: number, by: number): number {
    return ((value - 1 + by + this.count) % this.count) + 1;
  }

  focus(value: number | null): void {
    this.buttons[(value ?? 1) - 1]?.focus();
  }
}
