// One response: its prompt, its tokens, and the numbers beside them.

import { h, makeReachable } from "../shared/dom";
import { promptView } from "../shared/prompt";
import { shared, tokens as strings } from "../strings";
import { leftOut } from "./controls";
import { Inspector } from "./inspector";
import type { Figure, Report } from "./protocol";
import { Sparkline } from "./sparkline";
import { tableOf } from "./table";
import { TokenText } from "./text";

export class ResponsePanel {
  readonly element: HTMLElement;
  readonly text: TokenText;
  private readonly spark: Sparkline;
  private readonly inspector: Inspector;
  private readonly tablePlace = h("div", {
    class: "tk-table-place",
    role: "region",
    "aria-label": strings.table,
    tabindex: 0,
    hidden: true,
  });

  private readonly prompt: HTMLElement;

  constructor(private readonly report: Report) {
    this.prompt = promptView(report.turns);
    this.inspector = new Inspector(report);
    this.text = new TokenText(report, { look: (index) => this.look(index) });
    this.spark = new Sparkline((index) => this.text.focus(index));
    this.element = h(
      "div",
      { class: "tk-response" },
      leftOut(report),
      this.prompt,
      h(
        "div",
        { class: "tk-body" },
        this.inspector.element,
        h("div", { class: "tk-main" }, this.spark.element, this.text.element),
      ),
      this.tablePlace,
    );
    this.look(0);
  }

  /** After the layout changed. */
  measure(): void {
    makeReachable([this.prompt, shared.prompt]);
  }

  paint(figure: Figure, range: number): void {
    this.text.paint(figure, range);
    this.spark.draw(this.report.figures[figure] ?? [], range);
    this.inspector.choose(figure);
  }

  /** The table is made when it is first asked for: it is large. */
  showTable(shown: boolean): void {
    if (shown && !this.tablePlace.firstChild) this.tablePlace.append(tableOf(this.report));
    this.tablePlace.hidden = !shown;
  }

  private look(index: number): void {
    this.inspector.look(index);
    this.spark.look(index);
  }
}
