// The table widget. It holds no truth: of its own it has what is asked and not answered yet, the
// words being typed, and which row is open.

import { closingView } from "../shared/closing";
import { focusedIn, h, holdsFocus, selectionAt, uniqueId } from "../shared/dom";
import { hintsView } from "../shared/hints";
import { isShortcut, takesText } from "../shared/keys";
import type { Unsent } from "../shared/queue";
import { Reserve } from "../shared/reserve";
import { Widget, widgetModule } from "../shared/widget";
import { tables as strings } from "../strings";
import { Details } from "./details";
import { Grid, type GridHost, rangeOf } from "./grid";
import { Pager } from "./pager";
import type { Column, Content, Page, Query, TableEvent, TableModel, View } from "./protocol";
import { isNarrowed, queryOf, sortedBy, withSearch } from "./query";
import { Toolbar, type ToolbarHost } from "./toolbar";

/** Who runs down the rows with an arrow held wants the details of the one they stop at. */
const SETTLE_MS = 120;

class Tables extends Widget<View, Content, TableEvent> implements ToolbarHost, GridHost {
  /** What is asked now; the page that is shown may still answer an earlier question. */
  query: Query;
  private number: number;
  private shown: Content | null = null;
  private columns: Column[] = [];
  private openRow: string | null = null;
  private settle: ReturnType<typeof setTimeout> | undefined;

  /** The details were not there yet when they were opened: they may be out of sight. */
  private bringDetails = false;

  private readonly title = h("div", { class: "rw-title" });
  private readonly total = h("div", { class: "rw-muted rt-total" });
  private readonly stage = h("div", { class: "rt-stage" });
  private readonly box = h("div", { class: "rt-box" });
  private readonly room = new Reserve(this.box);
  private readonly toolbar: Toolbar;
  private readonly grid: Grid;
  private readonly pager = new Pager(this);
  private readonly details = new Details(() => this.closeDetails());

  constructor(model: TableModel) {
    const { name, page } = model.get("content");
    super(model, "tables", strings.widget(name));
    // A page that was loaded again may have asked more than is answered.
    const waiting = this.queue.pending.filter((event) => event.type === "query").at(-1);
    this.query = queryOf(waiting ?? page);
    this.number = Math.max(waiting?.number ?? 0, page.number);
    const refresh = this.button(strings.refresh, "rt-refresh", "", () => this.refresh());
    this.toolbar = new Toolbar(this, refresh, (label, action) =>
      this.button(label, "rt-clear", "", action),
    );
    const keys = uniqueId("rlhf-keys");
    this.grid = new Grid(this, strings.title(name), keys);
    this.box.append(this.grid.element);
    this.stage.append(this.box, this.details.element);
    this.main.append(
      h("header", { class: "rw-top" }, this.title, this.total),
      this.toolbar.element,
      this.stage,
      h("div", { class: "rt-bottom" }, this.pager.element, hintsView(strings.keys)),
      h("span", { id: keys, hidden: true }, strings.keysDescription),
    );
    this.title.textContent = strings.title(name);
    this.root.addEventListener("copy", (event) => this.copyId(event));
    this.onStop(() => this.toolbar.stop());
    this.onStop(() => clearTimeout(this.settle));
  }

  protected override get waitWords() {
    // At once the rows turn pale; words would only flicker.
    return { saving: "", waiting: () => strings.busy };
  }

  // ------------------------------------------------------------------------------------- showing

  protected override show(): void {
    const content = this.content;
    // A late answer is not shown: a newer question is on its way already.
    const isLate = this.shown !== null && content.page.number < this.number;
    if (content !== this.shown && !isLate) this.showContent(content);
    this.showDetail();
    this.showWait();
  }

  private showContent(content: Content): void {
    const { page } = content;
    const moved = page.page !== this.shown?.page.page || page.number !== this.shown?.page.number;
    this.shown = content;
    if (page.number >= this.number) {
      this.number = page.number;
      this.query = queryOf(page);
    }
    // Alike as a rule: then nothing is made anew that somebody may have their hands on.
    if (JSON.stringify(content.columns) !== JSON.stringify(this.columns)) {
      this.columns = content.columns;
    }
    const focused = focusedIn(this.box);
    const hadFocus = this.grid.hasFocus || focused?.closest(".rw-closing") != null;
    this.toolbar.show({ ...content, columns: this.columns }, this.query);
    this.grid.show(this.columns, page);
    if (moved) {
      this.box.scrollTop = 0;
      if (!this.openRow || !this.grid.has(this.openRow)) this.grid.toTop();
    }
    this.showState(content);
    this.pager.show(content);
    this.total.textContent =
      page.phase === "ready" ? strings.total(page.total, isNarrowed(page)) : "";
    if (this.openRow && !this.grid.has(this.openRow)) this.closeDetails();
    this.grid.select(this.openRow);
    this.room.keep();
    // A heading goes with its rows, when there are none.
    if (hadFocus || (focused && !holdsFocus(this.box))) this.keepFocus();
    if (this.hasFocus && moved) this.say(this.news);
  }

  /** What stands in the place of rows when there are none. */
  private showState(content: Content): void {
    const { page, name } = content;
    const rows = page.phase === "ready" && page.rows.length > 0;
    this.grid.element.hidden = !rows;
    this.root.dataset.phase = rows ? "ready" : page.phase === "error" ? "error" : "empty";
    this.box.querySelector(".rw-closing")?.remove();
    if (rows) return;
    this.box.append(this.closing(page, name));
  }

  private closing(page: Page, name: string): HTMLElement {
    if (page.phase === "error") {
      const again = this.button(strings.error.action, "", "", () => this.refresh());
      return closingView(strings.error, again);
    }
    if (!isNarrowed(page)) return closingView(strings.empty(name));
    const clear = this.button(strings.noMatch.action, "", "", () => this.toolbar.clear());
    return closingView({ ...strings.noMatch, title: strings.noMatch.title(name) }, clear);
  }

  /** Rows that had the focus are gone, or there are none any more. */
  private keepFocus(): void {
    if (!this.grid.element.hidden && this.grid.focus()) return;
    const button = this.box.querySelector<HTMLElement>(".rw-closing button");
    (button ?? this.root).focus({ preventScroll: true });
  }

  private get news(): string {
    const { page } = this.content;
    const closing = this.box.querySelector(".rw-closing h2")?.textContent;
    return closing ?? rangeOf(page);
  }

  // ------------------------------------------------------------------------------------- asking

  ask(asked: Query): void {
    // Who types and goes on to a filter at once means both.
    const words = this.toolbar.takeWords();
    const query = words === null ? asked : withSearch(asked, words);
    this.number = Math.max(this.number, this.content.page.number) + 1;
    this.query = query;
    // Shown at once: who clicks twice means the page after the next.
    this.toolbar.showQuery(query);
    this.pager.showQuery(query);
    this.grid.showOrder(query);
    this.send({ type: "query", number: this.number, ...query });
  }

  sort(column: Column): void {
    const query = sortedBy(this.query, column);
    this.ask(query);
    this.say(
      query.sort ? strings.sorted(column.title, column.kind, query.descending) : strings.unsorted,
    );
  }

  private refresh(): void {
    this.send({ type: "refresh" });
    if (this.openRow) this.send({ type: "detail", row: this.openRow });
  }

  protected override send(event: Unsent<TableEvent>): void {
    super.send(event);
    this.showWait();
  }

  protected override acknowledged(): void {
    // Asked for the same row again, Python has the same to say, and a host sends no equal value.
    this.showDetail();
    this.showWait();
  }

  /** Rows turn pale while others are on their way; for details alone they stay as they are. */
  private showWait(): void {
    const rows = this.queue.pending.some((event) => event.type !== "detail");
    this.root.toggleAttribute("data-reading", rows);
  }

  // ------------------------------------------------------------------------------------- details

  open(key: string): void {
    clearTimeout(this.settle);
    const news = this.openRow === null;
    this.openRow = key;
    this.root.toggleAttribute("data-open", true);
    this.grid.select(key);
    this.details.wait();
    this.send({ type: "detail", row: key });
    if (news) {
      this.say(strings.opened);
      this.bringDetails = true;
    }
  }

  /** With details open, they follow the rows. */
  moved(key: string): void {
    if (!this.openRow || key === this.openRow) return;
    clearTimeout(this.settle);
    this.settle = setTimeout(() => {
      if (this.openRow && this.grid.has(key)) this.open(key);
    }, SETTLE_MS);
  }

  private closeDetails(): void {
    const inside = this.details.hasFocus;
    const key = this.openRow;
    clearTimeout(this.settle);
    this.openRow = null;
    this.root.toggleAttribute("data-open", false);
    this.details.close();
    this.grid.select(null);
    if (inside && !this.grid.focus(key)) this.root.focus({ preventScroll: true });
  }

  private showDetail(): void {
    const { detail } = this.view;
    if (!detail || detail.row !== this.openRow) return;
    this.details.show(detail);
    // Where they stand below the rows; beside them nothing moves.
    if (this.bringDetails) this.details.element.scrollIntoView?.({ block: "nearest" });
    this.bringDetails = false;
  }

  // ---------------------------------------------------------------------------------------- keys

  protected override onKey(event: KeyboardEvent): void {
    if (isShortcut(event)) return;
    const handled = takesText(event.target) ? this.onTextKey(event) : this.onCommand(event);
    if (handled) event.preventDefault();
  }

  /** In the search, keys are text, but for those that leave it. */
  private onTextKey(event: KeyboardEvent): boolean {
    if (event.target !== this.toolbar.search) return event.key === "Escape" && this.escape();
    if (event.key === "Enter") {
      this.toolbar.searchNow();
      return true;
    }
    if (event.key === "ArrowDown") return this.grid.focus();
    if (event.key !== "Escape") return false;
    if (this.toolbar.search.value) this.toolbar.clear();
    else return this.escape();
    return true;
  }

  private onCommand(event: KeyboardEvent): boolean {
    switch (event.key) {
      case "/":
        this.toolbar.search.focus();
        this.toolbar.search.select();
        return true;
      case "Escape":
        return this.escape();
      case "PageUp":
      case "PageDown":
        if (this.details.hasFocus) return false; // there they scroll
        this.pager.turn(event.key === "PageDown" ? 1 : -1);
        return true;
    }
    return this.grid.hasFocus && this.onRowKey(event);
  }

  private onRowKey(event: KeyboardEvent): boolean {
    switch (event.key) {
      case "ArrowUp":
      case "ArrowDown":
        this.grid.step(event.key === "ArrowDown" ? 1 : -1);
        return true;
      case "Home":
      case "End":
        this.grid.edge(event.key === "End");
        return true;
      case "Enter":
      case " ":
        if (!event.repeat) this.enter();
        return true;
    }
    return false;
  }

  private enter(): void {
    const { key } = this.grid;
    if (key && key === this.openRow) this.details.focus();
    else if (key) this.open(key);
  }

  private escape(): boolean {
    if (this.openRow === null) return false;
    const key = this.openRow;
    this.closeDetails();
    this.grid.focus(key);
    return true;
  }

  /** Copying with nothing selected copies the id of the row. */
  private copyId(event: ClipboardEvent): void {
    const selected = String(selectionAt(this.root) ?? "");
    const { id } = this.grid;
    if (selected || !id || !this.grid.hasFocus || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", id);
    event.preventDefault();
    this.tell(strings.copied(id));
  }

  // -------------------------------------------------------------------------------------- layout

  protected override resized(): void {
    this.room.reset();
    this.details.measure();
  }
}

export default widgetModule((model: TableModel) => new Tables(model));
