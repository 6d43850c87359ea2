// The points as a table, the newest first: exact values for eyes, keyboards and screen readers.

import { h, isDisabled, setDisabled } from "../shared/dom";
import { monitor as strings } from "../strings";
import { written } from "./format";
import type { ChartData } from "./protocol";
import type { Series } from "./series";

export const PAGE = 50;

export class Table {
  readonly element: HTMLElement;
  private readonly body = h("tbody");
  private readonly where = h("span", { class: "rw-muted" });
  private readonly newer: HTMLButtonElement;
  private readonly older: HTMLButtonElement;
  private page = 0;

  constructor(
    private readonly charts: readonly ChartData[],
    private readonly series: Series,
  ) {
    const names = charts.flatMap((chart) =>
      chart.curves.map((curve) => (chart.curves.length > 1 ? curve.label : chart.title)),
    );
    const units = charts.flatMap((chart) => chart.curves.map(() => chart.unit));
    const head = names.map((name, i) =>
      h("th", { scope: "col" }, name, h("span", { class: "rw-muted" }, units[i] ?? "")),
    );
    const table = h(
      "table",
      {},
      h("caption", { class: "rw-sr-only" }, strings.tableCaption),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, strings.step), ...head)),
      this.body,
    );
    this.newer = this.turn(strings.newer, -1);
    this.older = this.turn(strings.older, 1);
    const frame = { class: "mo-frame", tabindex: 0, role: "region", "aria-label": strings.table };
    this.element = h(
      "div",
      { class: "mo-table" },
      h("div", frame, table),
      h("div", { class: "mo-pages" }, this.newer, this.older, this.where),
    );
  }

  draw(): void {
    const count = this.series.length;
    const pages = Math.max(1, Math.ceil(count / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const first = count - 1 - this.page * PAGE;
    const last = Math.max(first - PAGE + 1, 0);
    const rows: HTMLElement[] = [];
    for (let index = first; index >= last; index--) rows.push(this.row(index));
    this.body.replaceChildren(...rows);
    setDisabled(this.newer, this.page === 0);
    setDisabled(this.older, this.page === pages - 1);
    this.where.textContent = count
      ? strings.rows(count - first, count - last, count)
      : strings.none;
  }

  private row(index: number): HTMLElement {
    const cells = this.charts.flatMap((chart) =>
      chart.curves.map((curve) => {
        const value = this.series.at(curve.name, index);
        return h("td", {}, value === null ? "" : written(value, chart.form));
      }),
    );
    return h("tr", {}, h("th", { scope: "row" }, String(this.series.steps[index])), ...cells);
  }

  private turn(label: string, by: number): HTMLButtonElement {
    const button = h("button", { type: "button", class: "rw-button" }, label);
    button.addEventListener("click", () => {
      if (isDisabled(button)) return;
      this.page += by;
      this.draw();
    });
    return button;
  }
}
