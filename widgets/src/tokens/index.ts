// The token view. It shows what Python computed; what it has of its own is the choice of what to
// look at, of which it tells Python so that a page that is loaded again shows the same.

import { closingView } from "../shared/closing";
import { focusedIn, h, keepingFocus } from "../shared/dom";
import { hintsView } from "../shared/hints";
import { takesText } from "../shared/keys";
import { Widget, widgetModule } from "../shared/widget";
import { tokens as strings } from "../strings";
import { type Choice, figureChoice, Legend, responseChoice } from "./controls";
import { inLine } from "./glyphs";
import { type Command, commandOf, walks } from "./keys";
import { ResponsePanel } from "./panel";
import {
  type Content,
  FIGURES,
  type Figure,
  type Report,
  type TokenEvent,
  type TokenModel,
  type View,
} from "./protocol";
import { rangeOf } from "./scale";
import { asTabs } from "./table";

class Tokens extends Widget<View, Content, TokenEvent> {
  private readonly readers = h("span", { class: "rw-muted" });
  private readonly figures = figureChoice((figure) => this.choose({ figure }));
  private readonly legend = new Legend();
  private readonly responses = h("div", { class: "tk-responses" });
  private readonly about = h("p", { class: "tk-about rw-muted" });
  private readonly stage = h("div", { class: "tk-stage" });
  private readonly tableButton = this.button(strings.showTable, "", "T", () => this.turnTable());
  private readonly copyButton = this.button(strings.copy, "", "", () => this.copy());
  private readonly bench = h("div", { class: "tk-bench" });
  private readonly closing = h("div");
  private drawn: Content | null = null;
  private choice: Choice | null = null;
  private panel: ResponsePanel | null = null;
  private panels = new Map<number, ResponsePanel>();
  private shown = 0;
  private figure: Figure = "log_ratio";
  private tableShown = false;

  constructor(model: TokenModel) {
    super(model, "tokens", strings.widget);
    this.bench.append(
      h("div", { class: "tk-controls" }, this.figures.element, this.legend.element),
      this.responses,
      this.about,
      this.stage,
      h(
        "footer",
        { class: "rw-actions" },
        this.tableButton,
        this.copyButton,
        hintsView(strings.keys),
      ),
    );
    this.main.append(
      h(
        "header",
        { class: "rw-top" },
        h("div", { class: "rw-title" }, strings.title),
        this.readers,
      ),
      this.bench,
      this.closing,
    );
  }

  protected override get waitWords() {
    // Nobody waits: what is chosen is shown at once, with Python or without.
    return { saving: "", waiting: () => "" };
  }

  // ------------------------------------------------------------------------------------- showing

  protected override show(): void {
    const content = this.content;
    const isNew = content !== this.drawn;
    // What Python says is older than a choice that it has not heard of yet.
    if (isNew || this.queue.pending.length === 0) {
      this.shown = Math.min(this.view.shown, Math.max(this.reports.length - 1, 0));
      this.figure = this.view.figure;
    }
    if (isNew) this.draw(content);
    this.root.dataset.phase = this.view.phase;
    const change = () => {
      this.bench.hidden = this.view.phase !== "ready";
      this.closing.hidden = this.view.phase === "ready";
    };
    keepingFocus(this.root, change, () => this.root);
    if (this.view.phase === "ready") this.paint();
    else this.close(this.view.phase);
  }

  private get reports(): Report[] {
    return this.content.responses ?? [];
  }

  private get report(): Report | undefined {
    return this.reports[this.shown];
  }

  private draw(content: Content): void {
    const hadFocus = focusedIn(this.responses) !== null;
    this.drawn = content;
    this.panels.clear();
    this.panel = null;
    this.choice = null;
    if (this.reports.length > 1) {
      this.choice = responseChoice(this.reports, (shown) => this.choose({ shown }));
    }
    this.responses.replaceChildren(...(this.choice ? [this.choice.element] : []));
    if (!hadFocus) return;
    this.choice?.show(this.shown);
    if (this.choice) this.choice.focus();
    else this.root.focus({ preventScroll: true });
  }

  /** Bring everything in line with the response and the figure that were chosen. */
  private paint(): void {
    const report = this.report;
    if (!report) return;
    this.figure = figureOf(report, this.figure);
    const panel = this.panelOf(this.shown, report);
    const isOther = panel !== this.panel;
    this.panel = panel;
    const range = rangeOf(this.reports.map((each) => each.figures[this.figure]));
    panel.paint(this.figure, range);
    this.legend.show(this.figure, range, report);
    this.figures.show(FIGURES.indexOf(this.figure), (index) => {
      return Boolean(report.figures[FIGURES[index] ?? "log_ratio"]);
    });
    this.choice?.show(this.shown);
    panel.showTable(this.tableShown);
    if (!isOther) return;
    this.readers.textContent = strings.readers(report);
    this.about.textContent = inLine(strings.about(report));
    // Whatever part of the response had the focus, the tokens of the other one are what to go on with.
    keepingFocus(
      this.stage,
      () => this.stage.replaceChildren(panel.element),
      () => panel.text.focusable,
    );
    panel.measure();
  }

  protected override resized(): void {
    this.panel?.measure();
  }

  /** A panel is kept when another response is shown: two thousand tokens take a while to make. */
  private panelOf(index: number, report: Report): ResponsePanel {
    const panel = this.panels.get(index) ?? new ResponsePanel(report);
    this.panels.set(index, panel);
    return panel;
  }

  private close(phase: "empty" | "loading" | "error"): void {
    this.readers.textContent = "";
    this.closing.replaceChildren(closingView(strings.closing[phase]));
  }

  // ------------------------------------------------------------------------------------ choosing

  private choose({ figure = this.figure, shown = this.shown }: Partial<View>): void {
    const report = this.reports[shown];
    if (!report || (figure === this.figure && shown === this.shown)) return;
    const missing = report.figures[figure] ? "" : whyMissing(report, figure);
    if (missing && shown === this.shown) {
      this.tell(missing);
      return;
    }
    // Another response is shown in any case, by a figure that it has.
    const present = figureOf(report, figure);
    this.clearMessage();
    [this.figure, this.shown] = [present, shown];
    this.paint();
    const chosen = strings.chosen(present, shown + 1, this.reports.length);
    if (missing) this.tell(`${missing} ${chosen}`);
    else this.say(chosen);
    this.tellPython(present, shown);
  }

  /**
   * Of several choices that Python has not heard of, only the last one matters. Not by `send`:
   * nothing is saved here that a person would wait for.
   */
  private tellPython(figure: Figure, shown: number): void {
    this.queue.push({ type: "show", shown, figure });
    // Pushed first: its number goes on from those that are under way.
    this.model.set("events", this.queue.pending.slice(-1));
    this.model.save_changes();
  }

  private turnTable(): void {
    this.tableShown = !this.tableShown;
    const change = () => this.panel?.showTable(this.tableShown);
    keepingFocus(this.stage, change, () => this.tableButton);
    this.tableButton.textContent = this.tableShown ? strings.hideTable : strings.showTable;
    this.tableButton.setAttribute("aria-expanded", String(this.tableShown));
  }

  private async copy(): Promise<void> {
    const report = this.report;
    if (!report) return;
    try {
      await navigator.clipboard.writeText(asTabs(report));
      this.tell(strings.copied(report.ids.length));
    } catch {
      // A page that came by plain http from another machine has no clipboard.
      if (!this.tableShown) this.turnTable();
      this.tell(strings.notCopied);
    }
  }

  // ---------------------------------------------------------------------------------------- keys

  protected override onKey(event: KeyboardEvent): void {
    const command = commandOf(event);
    if (!command || takesText(event.target) || !this.panel) return;
    if (walks(command) && !this.panel.text.hasFocus) return;
    event.preventDefault();
    // A key held down walks, and does nothing else over and over.
    if (event.repeat && !walks(command)) return;
    this.run(command, this.panel);
  }

  private run(command: Command, { text }: ResponsePanel): void {
    if (command.name === "figure") this.choose({ figure: command.figure });
    else if (command.name === "response") this.turnTo(this.shown + command.by);
    else if (command.name === "table") this.turnTable();
    else if (command.name === "step") text.step(command.by);
    else if (command.name === "line") text.line(command.by);
    else text.edge(command.last);
  }

  private turnTo(shown: number): void {
    if (this.reports.length < 2) this.tell(strings.onlyOne);
    else this.choose({ shown: (shown + this.reports.length) % this.reports.length });
  }
}

/** The wanted figure, or where the response does not have it the first that it has. */
function figureOf(report: Report, wanted: Figure): Figure {
  if (report.figures[wanted]) return wanted;
  return FIGURES.find((figure) => report.figures[figure]) ?? "log_ratio";
}

function whyMissing(report: Report, figure: Figure): string {
  return report.left_out.find((each) => each.figures.includes(figure))?.reason ?? strings.noFigure;
}

export default widgetModule((model: TokenModel) => new Tokens(model));
