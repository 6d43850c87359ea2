// Search, filters, and the order of rows where there are no headings to click.

import { focusedIn, h, uniqueId } from "../shared/dom";
import { tables as strings } from "../strings";
import type { Column, Content, Query } from "./protocol";
import { cleared, isNarrowed, withFilter, withSearch, withSort } from "./query";

/** Long enough for the next letter of a word, short enough to feel like an answer. */
const PAUSE_MS = 250;

export interface ToolbarHost {
  /** What is asked now. */
  readonly query: Query;
  ask(query: Query): void;
}

export class Toolbar {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly filters = h("div", { class: "rt-filters" });
  private readonly order = h("select", { class: "rt-select" });
  private readonly clearButton: HTMLButtonElement;
  private pause: ReturnType<typeof setTimeout> | undefined;
  private composing = false;
  private columns: Column[] | null = null;

  constructor(
    private readonly host: ToolbarHost,
    refresh: HTMLButtonElement,
    button: (label: string, action: () => void) => HTMLButtonElement,
  ) {
    this.search = h("input", { type: "search", class: "rt-search", autocomplete: "off" });
    this.search.spellcheck = false;
    this.search.setAttribute("aria-keyshortcuts", "/");
    this.search.addEventListener("input", (event) => this.typed(event as InputEvent));
    this.search.addEventListener("compositionstart", () => {
      this.composing = true;
    });
    this.search.addEventListener("compositionend", () => {
      this.composing = false;
      this.wait();
    });
    this.clearButton = button(strings.clear, () => this.clear());
    this.order.addEventListener("change", () => this.reorder());
    this.element = h(
      "div",
      { class: "rt-toolbar", role: "search", "aria-label": strings.toolbar },
      this.search,
      this.filters,
      labelled(strings.sortBy, this.order, "rt-order"),
      this.clearButton,
      refresh,
    );
  }

  show(content: Content, query: Query): void {
    if (content.columns !== this.columns) this.showColumns(content);
    this.showQuery(query);
  }

  /** Bring the fields in line with what is asked; never what somebody is typing. */
  showQuery(query: Query): void {
    const typing = this.pause !== undefined || this.composing;
    if (!typing && this.search.value.trim() !== query.search.trim()) {
      this.search.value = query.search;
    }
    for (const select of this.filters.querySelectorAll("select")) {
      select.value = query.filters[select.name] ?? "";
      select.parentElement?.toggleAttribute("data-on", select.value !== "");
    }
    this.order.value = orderOf(query.sort, query.descending);
    this.clearButton.toggleAttribute("data-idle", !isNarrowed(query) && !this.search.value);
  }

  /** Ask for what is typed, without waiting for more. */
  searchNow(): void {
    this.stop();
    const words = this.search.value;
    if (words.trim() !== this.host.query.search.trim()) {
      this.host.ask(withSearch(this.host.query, words));
    }
  }

  clear(): void {
    this.stop();
    this.search.value = "";
    if (isNarrowed(this.host.query)) this.host.ask(cleared(this.host.query));
    this.search.focus();
  }

  /** Forget a search that is not asked yet. */
  stop(): void {
    clearTimeout(this.pause);
    this.pause = undefined;
  }

  /** Words that are typed and not asked for yet, to be asked for now; null if there are none. */
  takeWords(): string | null {
    if (this.pause === undefined) return null;
    this.stop();
    return this.search.value;
  }

  private typed(event: InputEvent): void {
    this.clearButton.toggleAttribute("data-idle", false);
    // While a sign is composed of several keys, what is there is nobody's word yet.
    if (!event.isComposing) this.wait();
  }

  private wait(): void {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.searchNow(), PAUSE_MS);
  }

  private reorder(): void {
    const [sort = "", direction] = JSON.parse(this.order.value) as string[];
    this.host.ask(withSort(this.host.query, sort, direction === "down"));
  }

  private showColumns({ columns, searches }: Content): void {
    this.columns = columns;
    this.search.placeholder = strings.search(searches);
    this.search.setAttribute("aria-label", strings.search(searches));
    const focused = focusedIn(this.element);
    const focusedName = focused instanceof HTMLSelectElement ? focused.name : "";
    const filtered = columns.filter((column) => column.choices.length > 0);
    this.filters.replaceChildren(...filtered.map((column) => this.filter(column)));
    this.order.replaceChildren(...orders(columns));
    // The list was made anew under somebody's hands.
    if (focusedName) this.filters.querySelector<HTMLElement>(`[name="${focusedName}"]`)?.focus();
  }

  private filter(column: Column): HTMLElement {
    const select = h("select", { class: "rt-select", name: column.name });
    select.append(
      h("option", { value: "" }, strings.any),
      ...column.choices.map(({ key, label }) => h("option", { value: key }, label)),
    );
    select.addEventListener("change", () => {
      this.host.ask(withFilter(this.host.query, column.name, select.value));
    });
    return labelled(strings.title(column.title), select);
  }
}

function orders(columns: Column[]): HTMLElement[] {
  const sortable = columns.filter((column) => column.sortable);
  const both = sortable.flatMap(({ name, title, kind }) =>
    [false, true].map((descending) =>
      h(
        "option",
        { value: orderOf(name, descending) },
        strings.sortOption(strings.title(title), kind, descending),
      ),
    ),
  );
  return [h("option", { value: orderOf("", false) }, strings.tableOrder), ...both];
}

function orderOf(sort: string, descending: boolean): string {
  return JSON.stringify([sort, descending ? "down" : "up"]);
}

/** A list with its name in front of it, in one frame. */
export function labelled(text: string, select: HTMLSelectElement, className = ""): HTMLElement {
  select.id = uniqueId("rlhf-table");
  const label = h("label", { for: select.id }, text);
  return h("div", { class: `rt-field ${className}`.trim() }, label, select);
}
