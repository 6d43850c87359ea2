// A table on the screen, and pages of rows made by hand.

import type { Notice } from "../src/shared/protocol";
import tables from "../src/tables";
import type { Content, Detail, Page, Query, TableEvent, View } from "../src/tables/protocol";
import { WidgetScreen } from "./screen";

export const COLUMNS: Content["columns"] = [
  ["response", "text", false, []],
  ["version", "label", true, ["policy@0", "policy@1"]],
  ["when", "time", true, []],
  ["id", "id", false, []],
].map(([name, kind, sortable, choices]) => ({
  name: name as string,
  title: name as string,
  kind: kind as "text",
  sortable: sortable as boolean,
  shown: true,
  importance: 1,
  choices: (choices as string[]).map((label) => ({ key: `key-${label}`, label })),
}));

export function page(changes: Partial<Page> = {}): Page {
  const asked: Query = {
    search: "",
    filters: {},
    sort: "",
    descending: false,
    page: 0,
    page_size: 25,
  };
  const first = (changes.page ?? 0) * 25;
  const total = changes.total ?? 120;
  const rows = Array.from({ length: Math.max(0, Math.min(25, total - first)) }, (_, n) => ({
    key: `r${first + n}`,
    cells: {
      response: `<b>answer</b> ${first + n}`,
      version: "policy@0",
      when: "2025-03-01",
      id: `id-${first + n}`,
    },
  }));
  return { ...asked, number: 0, phase: "ready", total, rows, ...changes };
}

export function content(changes: Partial<Page> = {}): Content {
  return {
    name: "responses",
    searches: "responses",
    page_sizes: [25, 50],
    columns: structuredClone(COLUMNS),
    page: page(changes),
  };
}

export class TableScreen extends WidgetScreen<View, Content, TableEvent> {
  constructor(start: Content = content(), events: TableEvent[] = []) {
    super(tables, { view: { detail: null }, content: start, events });
  }

  get rows(): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>("tbody tr")];
  }

  row(index: number): HTMLElement {
    const row = this.rows[index];
    if (!row) throw new Error(`no row ${index}`);
    return row;
  }

  words(index: number): string {
    return this.row(index).querySelector("td")?.textContent ?? "";
  }

  type(words: string, options: InputEventInit = {}): void {
    const search = this.get<HTMLInputElement>(".rt-search");
    search.focus();
    search.value = words;
    search.dispatchEvent(new InputEvent("input", { bubbles: true, ...options }));
  }

  choose(select: string, value: string): void {
    const list = this.get<HTMLSelectElement>(select);
    list.value = value;
    list.dispatchEvent(new Event("change"));
  }

  /** The last query that was sent. */
  get asked(): Extract<TableEvent, { type: "query" }> {
    const last = this.events.filter((event) => event.type === "query").at(-1);
    if (last?.type !== "query") throw new Error("nothing was asked");
    return last;
  }

  /** What Python does: answer the last query, or another one. */
  answer(changes: Partial<Page> = {}, columns = structuredClone(COLUMNS)): void {
    const { number, search, filters, sort, descending, page: at, page_size } = this.asked;
    const asked = { number, search, filters, sort, descending, page: at, page_size };
    this.model.set("content", { ...content({ ...asked, ...changes }), columns });
    this.acknowledge();
  }

  acknowledge(): void {
    this.model.set("acked_seq", this.events.at(-1)?.seq ?? this.model.get("acked_seq"));
  }

  tell(notice: Notice): void {
    this.model.set("notice", notice);
  }

  detail(row: string, changes: Partial<Detail> = {}): void {
    const texts = [{ label: "Response", note: "policy@0", html: "<p>whole</p>" }];
    const facts: [string, string][] = [["id", `id-${row}`]];
    this.model.set("view", {
      detail: { row, title: "response", error: "", facts, texts, ...changes },
    });
    this.acknowledge();
  }

  get focused(): string | undefined {
    return (document.activeElement as HTMLElement | null)?.dataset.key;
  }
}
