// Two responses: one choice of nine says which is better and how much.

import { h } from "../shared/dom";
import { ranker as strings } from "../strings";
import { Radios } from "./radios";

export class Scale {
  readonly element: HTMLElement;
  readonly radios: Radios;
  private readonly chosen = h("div", { class: "rr-chosen", "aria-hidden": "true" });

  constructor(letters: readonly string[], onChoose: (choice: number) => void) {
    const labels = strings.scale(letters);
    const options = labels.map((label, index) => ({ text: String(index + 1), label }));
    this.radios = new Radios("rr-scale-radios", strings.scaleGroup, options, onChoose);
    const words = strings.scaleWords.map((word) => h("span", {}, word));
    this.element = h(
      "div",
      { class: "rr-scale" },
      h(
        "div",
        { class: "rr-scale-ends", "aria-hidden": "true" },
        h("span", {}, strings.better(letters[0] ?? "")),
        this.chosen,
        h("span", {}, strings.better(letters[1] ?? "")),
      ),
      this.radios.element,
      h("div", { class: "rr-scale-words", "aria-hidden": "true" }, ...words),
    );
    this.labels = labels;
  }

  private readonly labels: readonly string[];

  show(choice: number | null): void {
    this.radios.show(choice);
    this.chosen.textContent = choice === null ? "" : this.say(choice);
  }

  /** The choice in words. */
  say(choice: number): string {
    return this.labels[choice - 1] ?? "";
  }
}
