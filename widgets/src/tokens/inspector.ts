// Exact numbers: of the token that is looked at, and their sums and means over the response.

import { h } from "../shared/dom";
import { tokens as strings } from "../strings";
import { drawToken, inLine } from "./glyphs";
import { exact, summary } from "./numbers";
import { COLUMNS, type Column, type Figure, type Report } from "./protocol";

/** A sum of these means nothing: each looks at the same rest of the response. */
const NOT_ADDED: readonly Column[] = ["value", "return"];

export class Inspector {
  readonly element: HTMLElement;
  private readonly token = h("span", { class: "tk-look-token" });
  private readonly place = h("span", { class: "tk-look-place" });
  private readonly what = h("span", { class: "tk-look-what rw-muted" });
  private readonly how = h("p", { class: "tk-how rw-muted" });
  private readonly rows = new Map<Column, { row: HTMLElement; own: HTMLElement }>();

  constructor(private readonly report: Report) {
    this.element = h(
      "div",
      { class: "tk-inspector", role: "group", "aria-label": strings.inspector },
      h("div", { class: "tk-look" }, this.token, this.place, this.what),
      this.table(),
      this.how,
    );
  }

  /** Show the numbers of one token. */
  look(index: number): void {
    const { texts, kinds, ids, wholes, figures } = this.report;
    const kind = kinds[index] ?? "text";
    const whole = wholes[index] ? inLine(wholes[index]) : "";
    drawToken(this.token, texts[index] ?? "", kind);
    this.place.textContent = strings.place(index + 1, ids.length);
    this.what.textContent = strings.what(ids[index] ?? 0, kind, whole);
    for (const [column, { own }] of this.rows) own.textContent = exact(figures[column]?.[index]);
    this.how.textContent = this.explained(index);
  }

  /** Mark the figure that colours the tokens. */
  choose(figure: Figure): void {
    for (const [column, { row }] of this.rows) {
      row.toggleAttribute("data-chosen", column === figure);
    }
  }

  /** Where a token's reward comes from. */
  private explained(index: number): string {
    const { figures, settings, score, ids } = this.report;
    if (!figures.reward) return "";
    const ratio = exact(figures.log_ratio?.[index]);
    const isLast = index === ids.length - 1;
    return strings.rewardParts(settings.kl_coef, ratio, isLast ? exact(score) : null);
  }

  private table(): HTMLElement {
    const heads = ["", strings.thisToken, strings.sum, strings.mean];
    const body = COLUMNS.map((column) => {
      const { sum, mean } = summary(this.report.figures[column]);
      const own = h("td", { class: "tk-own" });
      const row = h(
        "tr",
        {},
        h("th", { scope: "row" }, strings.columns[column]),
        own,
        h("td", {}, NOT_ADDED.includes(column) ? "" : exact(sum)),
        h("td", {}, exact(mean)),
      );
      this.rows.set(column, { row, own });
      return row;
    });
    return h(
      "table",
      { class: "tk-figures" },
      h("caption", { class: "rw-sr-only" }, strings.figuresCaption),
      h("thead", {}, h("tr", {}, ...heads.map((head) => cellOf(head)))),
      h("tbody", {}, ...body),
    );
  }
}

function cellOf(head: string): HTMLElement {
  return head ? h("th", { scope: "col" }, head) : h("td", {});
}
