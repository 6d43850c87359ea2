// The rows of a page, as a grid with one stop for Tab: arrows move over its rows.

import { focusedIn, h, selectionAt } from "../shared/dom";
import { tables as strings } from "../strings";
import type { Column, Page, Query, Row } from "./protocol";

export interface GridHost {
  /** A heading was chosen. */
  sort(column: Column): void;
  /** A row was clicked. */
  open(key: string): void;
  /** Arrows moved to a row. */
  moved(key: string): void;
}

export class Grid {
  readonly element: HTMLTableElement;
  private readonly head = h("tr", { role: "row" });
  private readonly body = h("tbody", { role: "rowgroup" });
  private columns: Column[] | null = null;
  private rows: HTMLTableRowElement[] = [];
  private current = 0;

  constructor(
    private readonly host: GridHost,
    label: string,
    describedBy: string,
  ) {
    this.element = h(
      "table",
      { class: "rt-table", role: "grid", "aria-label": label, "aria-describedby": describedBy },
      h("thead", { role: "rowgroup" }, this.head),
      this.body,
    );
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("focusin", (event) => this.noteFocus(event));
  }

  show(columns: Column[], page: Page): void {
    const shown = columns.filter((column) => column.shown);
    if (columns !== this.columns) this.showHead(columns, shown);
    this.showOrder(page);
    const hadFocus = this.hasFocus;
    const before = this.key;
    this.rows = page.rows.map((row, index) => rowOf(row, shown, page, index));
    this.body.replaceChildren(...this.rows);
    this.element.setAttribute("aria-rowcount", String(page.total + 1));
    this.current = Math.max(
      0,
      page.rows.findIndex((row) => row.key === before),
    );
    this.markCurrent();
    // The focused row is gone: without this, the next key would be the notebook's.
    if (hadFocus) this.focus();
  }

  showOrder(query: Query): void {
    for (const heading of this.head.children) {
      const sorted = heading.getAttribute("data-column") === query.sort;
      if (!heading.hasAttribute("aria-sort")) continue;
      const direction = query.descending ? "descending" : "ascending";
      heading.setAttribute("aria-sort", sorted ? direction : "none");
    }
  }

  /** Mark the row whose details are shown. */
  select(key: string | null): void {
    for (const row of this.rows) {
      row.setAttribute("aria-selected", String(row.dataset.key === key));
    }
  }

  get hasFocus(): boolean {
    return focusedIn(this.body) !== null;
  }

  /** Of the row that has the focus, or would get it. */
  get key(): string | null {
    return this.rows[this.current]?.dataset.key ?? null;
  }

  get id(): string {
    return this.rows[this.current]?.querySelector(".rt-id")?.textContent ?? "";
  }

  has(key: string): boolean {
    return this.rows.some((row) => row.dataset.key === key);
  }

  /** Put the focus on the current row, or on the row of a key. */
  focus(key: string | null = this.key): boolean {
    const index = this.rows.findIndex((row) => row.dataset.key === key);
    const row = this.rows[Math.max(index, 0)];
    if (!row) return false;
    this.current = Math.max(index, 0);
    this.markCurrent();
    // The browser would put the row under the heading that stays.
    row.focus({ preventScroll: true });
    row.scrollIntoView?.({ block: "nearest" });
    return true;
  }

  step(by: number): void {
    this.move(this.current + by);
  }

  edge(last: boolean): void {
    this.move(last ? this.rows.length - 1 : 0);
  }

  /** A new page: the first row is the current one. */
  toTop(): void {
    this.current = 0;
    this.markCurrent();
  }

  private move(to: number): void {
    const row = this.rows[Math.min(Math.max(to, 0), this.rows.length - 1)];
    const key = row?.dataset.key;
    if (!key) return;
    this.focus(key);
    this.host.moved(key);
  }

  private clicked(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target : null;
    const row = target?.closest<HTMLElement>("tr");
    // A click on an id selects it, and a text that is being selected is no click.
    const selected = selectionAt(this.element)?.isCollapsed === false;
    if (!row?.dataset.key || target?.closest(".rt-id") || (selected && event.detail !== 0)) return;
    this.focus(row.dataset.key);
    this.host.open(row.dataset.key);
  }

  private noteFocus(event: FocusEvent): void {
    const index = this.rows.findIndex((row) => row.contains(event.target as Node));
    if (index >= 0) this.current = index;
    this.markCurrent();
  }

  private markCurrent(): void {
    this.rows.forEach((row, index) => {
      row.tabIndex = index === this.current ? 0 : -1;
    });
  }

  private showHead(columns: Column[], shown: Column[]): void {
    this.columns = columns;
    const focused = focusedIn(this.head)?.closest("th")?.getAttribute("data-column");
    this.element.setAttribute("aria-colcount", String(shown.length));
    this.head.replaceChildren(...shown.map((column) => this.heading(column)));
    if (focused) {
      this.head.querySelector<HTMLElement>(`[data-column="${focused}"] button`)?.focus();
    }
  }

  private heading(column: Column): HTMLElement {
    const heading = h("th", {
      role: "columnheader",
      scope: "col",
      "data-column": column.name,
      "data-kind": column.kind,
      "data-importance": column.importance,
    });
    if (!column.sortable) {
      heading.append(h("span", {}, strings.title(column.title)));
      return heading;
    }
    heading.setAttribute("aria-sort", "none");
    const arrow = h("span", { class: "rt-arrow", "aria-hidden": "true" });
    const button = h("button", { type: "button", class: "rt-sort" });
    button.append(h("span", {}, strings.title(column.title)), arrow);
    button.addEventListener("click", () => this.host.sort(column));
    heading.append(button);
    return heading;
  }
}

function rowOf(row: Row, columns: Column[], page: Page, index: number): HTMLTableRowElement {
  const number = page.page * page.page_size + index + 2; // the headings are row 1
  return h(
    "tr",
    { role: "row", "data-key": row.key, "aria-rowindex": number, "aria-selected": "false" },
    ...columns.map((column) => cellOf(row.cells[column.name] ?? "", column)),
  );
}

function cellOf(text: string, column: Column): HTMLElement {
  // Plain text, in the direction of its own script.
  const content = h("div", {
    class: column.kind === "id" ? "rt-cell rt-id" : "rt-cell",
    dir: "auto",
  });
  content.textContent = text;
  // An empty answer is one; a comment that nobody made is none.
  if (!text && column.kind === "text" && column.importance === 1) {
    content.textContent = strings.emptyText;
    content.classList.add("rw-muted");
  }
  return h(
    "td",
    {
      role: "gridcell",
      "data-kind": column.kind,
      "data-importance": column.importance,
      "data-label": column.title,
      "data-empty": content.textContent === "",
    },
    content,
  );
}

/** Where a page is among all rows, as in "rows 101–150 of 48,210". */
export function rangeOf(page: Page): string {
  const from = page.page * page.page_size;
  return strings.range(from + 1, from + page.rows.length, page.total);
}
