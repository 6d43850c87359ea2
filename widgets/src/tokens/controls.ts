// What there is to choose, what the colours mean, and why something is missing.

import { h, keepingFocus, uniqueId } from "../shared/dom";
import { tokens as strings } from "../strings";
import { inLine } from "./glyphs";
import { rough } from "./numbers";
import { FIGURES, type Figure, type Report } from "./protocol";
import { LEVELS, valueAt } from "./scale";

/** A group of radio buttons that looks like one bar. */
export class Choice {
  readonly element: HTMLElement;
  private readonly inputs: HTMLInputElement[];

  /** @param choose Called with the number of the option that a person chose. */
  constructor(label: string, options: readonly Node[][], choose: (index: number) => void) {
    const name = uniqueId("rlhf-choice");
    this.inputs = options.map(() => h("input", { type: "radio", name }));
    this.inputs.forEach((input, index) => {
      input.addEventListener("change", () => choose(index));
    });
    const labels = options.map((nodes, index) =>
      h("label", { class: "tk-option" }, this.inputs[index] ?? "", h("span", {}, ...nodes)),
    );
    this.element = h(
      "div",
      { class: "tk-choice", role: "radiogroup", "aria-label": label },
      ...labels,
    );
  }

  /** @param can Which options there are now; all, if it is left out. */
  show(chosen: number, can: (index: number) => boolean = () => true): void {
    const change = () => {
      this.inputs.forEach((input, index) => {
        input.checked = index === chosen;
        input.disabled = !can(index);
      });
    };
    keepingFocus(this.element, change, () => this.inputs[chosen]);
  }

  /** Put the focus on the option that is chosen. */
  focus(): void {
    this.inputs.find((input) => input.checked)?.focus({ preventScroll: true });
  }
}

export function figureChoice(choose: (figure: Figure) => void): Choice {
  const options = FIGURES.map((figure, index) => [
    h("kbd", { "aria-hidden": "true" }, String(index + 1)),
    document.createTextNode(strings.figures[figure]),
  ]);
  return new Choice(strings.figure, options, (index) => {
    const figure = FIGURES[index];
    if (figure) choose(figure);
  });
}

export function responseChoice(reports: readonly Report[], choose: (n: number) => void): Choice {
  const options = reports.map((report, index) => [
    document.createTextNode(strings.response(index + 1)),
    h("small", {}, inLine(strings.responseNote(report))),
  ]);
  return new Choice(strings.responses, options, choose);
}

/** The scale with its numbers, and a sentence about the figure. */
export class Legend {
  readonly element: HTMLElement;
  private readonly ends = [-1, 0, 1].map(() => h("span", {}));
  private readonly unit = h("span", { class: "rw-muted" });
  private readonly notes = new Map(FIGURES.map((figure) => [figure, h("p", { class: "tk-note" })]));

  constructor() {
    const swatches = [];
    for (let level = -LEVELS; level <= LEVELS; level += 1) {
      swatches.push(h("i", { class: "tk-swatch", "data-level": level }));
    }
    this.element = h(
      "div",
      { class: "tk-legend" },
      h(
        "div",
        { class: "tk-scale", role: "group", "aria-label": strings.scale },
        h("div", { class: "tk-swatches", "aria-hidden": "true" }, ...swatches),
        h("div", { class: "tk-ends" }, ...this.ends),
      ),
      this.unit,
      // All of them in one place, so that the tallest one gives the height for each.
      h("div", { class: "tk-notes" }, ...this.notes.values()),
    );
  }

  show(figure: Figure, range: number, report: Report): void {
    [-LEVELS, 0, LEVELS].forEach((level, index) => {
      const end = this.ends[index];
      if (end) end.textContent = rough(valueAt(level, range));
    });
    this.unit.textContent = strings.units[figure];
    for (const [each, note] of this.notes) {
      note.textContent = strings.notes[each](report);
      note.toggleAttribute("data-shown", each === figure);
    }
  }
}

/** Why figures are missing, one line for each reason; nothing where none is. */
export function leftOut(report: Report): HTMLElement {
  const lines = report.left_out.map(({ figures, reason }) =>
    h(
      "p",
      {},
      h("strong", {}, strings.leftOut(figures.map((figure) => strings.columns[figure]))),
      ` ${reason}`,
    ),
  );
  return h("div", { class: "tk-left-out", hidden: lines.length === 0 }, ...lines);
}
