// How helpful, harmless, honest one response is, from 1 to 5 each.

import { h } from "../shared/dom";
import { ranker as strings } from "../strings";
import { Radios } from "./radios";

const HIGHEST = 5;

export class Ratings {
  readonly element = h("div", { class: "rr-ratings", hidden: true });
  private readonly rows: Radios[];

  constructor(
    letter: string,
    private readonly criteria: readonly string[],
    private readonly onRate: (criterion: string, value: number | null) => void,
  ) {
    const options = Array.from({ length: HIGHEST }, (_, index) => ({
      text: String(index + 1),
      label: strings.ratingOption(index + 1, HIGHEST),
    }));
    this.rows = criteria.map(
      (criterion) =>
        new Radios("rr-rating", strings.ratingGroup(letter, criterion), options, (value) =>
          onRate(criterion, value),
        ),
    );
    this.element.append(
      ...this.rows.map((row, index) =>
        h(
          "div",
          { class: "rr-criterion" },
          h("span", { class: "rr-criterion-name", "aria-hidden": "true" }, criteria[index] ?? ""),
          row.element,
        ),
      ),
    );
  }

  show(ratingOf: (criterion: string) => number | null): void {
    this.rows.forEach((row, index) => {
      row.show(ratingOf(this.criteria[index] ?? ""));
    });
  }

  /** Which criterion has the focus, or null. */
  indexOf(target: EventTarget | null): number | null {
    const index = this.rows.findIndex((row) => row.valueOf(target) !== null);
    return index < 0 ? null : index;
  }

  /** Go to the ratings of a criterion, within the ends; says whether it is there. */
  focus(index: number): boolean {
    const row = this.rows[index];
    const chosen = row?.element.querySelector<HTMLElement>("[aria-checked=true]");
    if (chosen) chosen.focus();
    else row?.focus(1);
    return row !== undefined;
  }

  /** Rate the criterion that has the focus and go on to the next; says what was rated. */
  rate(target: EventTarget | null, value: number): string | null {
    const index = this.indexOf(target);
    if (index === null || value > HIGHEST) return null;
    const criterion = this.criteria[index] ?? "";
    this.onRate(criterion, value);
    if (!this.focus(index + 1)) this.focus(index);
    return criterion;
  }

  /** An arrow to the left or right: choose the neighbour. */
  step(target: EventTarget | null, by: number): void {
    const index = this.indexOf(target);
    const row = index === null ? undefined : this.rows[index];
    if (!row || index === null) return;
    const value = row.after(row.valueOf(target) ?? 1, by);
    this.onRate(this.criteria[index] ?? "", value);
    row.focus(value);
  }

  clear(target: EventTarget | null): void {
    const index = this.indexOf(target);
    if (index === null) return;
    this.onRate(this.criteria[index] ?? "", null);
    this.rows[index]?.focus(1);
  }
}
