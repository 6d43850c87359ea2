// What the table widget shows and sends. Mirrors rlhf_lab/widgets/table_state.py.

import type { Model, WidgetEvent } from "../shared/protocol";

export interface Choice {
  key: string;
  label: string;
}

export interface Column {
  name: string;
  title: string;
  kind: "text" | "label" | "number" | "time" | "id";
  sortable: boolean;
  /** Whether rows have a cell for it. */
  shown: boolean;
  /** 1 is always shown; 3 goes first where there is little room. */
  importance: number;
  /** What it can be filtered by; empty where it cannot. */
  choices: Choice[];
}

export interface Row {
  key: string;
  cells: Record<string, string>;
}

/** Which rows, in which order, and which part of them. */
export interface Query {
  search: string;
  /** Keys of choices by the names of columns. */
  filters: Record<string, string>;
  /** Name of a column; empty for the order of the table itself. */
  sort: string;
  descending: boolean;
  /** From 0. */
  page: number;
  page_size: number;
}

/** The answer to the query of this number. */
export interface Page extends Query {
  number: number;
  phase: "ready" | "error";
  total: number;
  rows: Row[];
}

export interface Content {
  /** What rows are, plural. */
  name: string;
  /** What a search looks at. */
  searches: string;
  page_sizes: number[];
  columns: Column[];
  page: Page;
}

export interface DetailText {
  label: string;
  note: string;
  html: string;
}

export interface Detail {
  row: string;
  title: string;
  /** Why there is nothing to show; empty if there is. */
  error: string;
  facts: [string, string][];
  texts: DetailText[];
}

export interface View {
  detail: Detail | null;
}

interface QueryEvent extends WidgetEvent, Query {
  type: "query";
  /** Grows with each query; an answer to another than the last is late, and is not shown. */
  number: number;
}

interface DetailEvent extends WidgetEvent {
  type: "detail";
  row: string;
}

interface RefreshEvent extends WidgetEvent {
  type: "refresh";
}

export type TableEvent = QueryEvent | DetailEvent | RefreshEvent;

export type TableModel = Model<View, Content, TableEvent>;
