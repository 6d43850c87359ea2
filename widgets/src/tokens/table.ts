// Every token with every number, to be read line by line or copied.

import { h } from "../shared/dom";
import { tokens as strings } from "../strings";
import { inWords } from "./glyphs";
import { exact } from "./numbers";
import { COLUMNS, type Column, type Report } from "./protocol";

/** The figures that a report has. */
function columnsOf(report: Report): Column[] {
  return COLUMNS.filter((column) => report.figures[column]);
}

/** Rows made at once; the others follow while the page stays awake. */
const ROWS_AT_ONCE = 250;

export function tableOf(report: Report): HTMLElement {
  const columns = columnsOf(report);
  const heads = ["#", strings.token, strings.id, ...columns.map((c) => strings.columns[c])];
  const body = h("tbody");
  fill(body, report, columns, 0);
  return h(
    "table",
    { class: "tk-table" },
    h("caption", { class: "rw-sr-only" }, strings.tableCaption),
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    body,
  );
}

function fill(
  body: HTMLTableSectionElement,
  report: Report,
  columns: readonly Column[],
  start: number,
): void {
  const end = Math.min(start + ROWS_AT_ONCE, report.ids.length);
  for (let index = start; index < end; index += 1) {
    body.append(rowOf(report, columns, index));
  }
  if (end < report.ids.length) setTimeout(() => fill(body, report, columns, end));
}

function rowOf(report: Report, columns: readonly Column[], index: number): HTMLElement {
  const row = document.createElement("tr");
  const token = document.createElement("th");
  token.scope = "row";
  token.textContent = wordsAt(report, index);
  row.insertCell().textContent = String(index + 1);
  row.append(token);
  row.insertCell().textContent = String(report.ids[index]);
  for (const column of columns) {
    row.insertCell().textContent = exact(report.figures[column]?.[index]);
  }
  return row;
}

/** The same with tabs and line ends, in full precision, for a spreadsheet. */
export function asTabs(report: Report): string {
  const columns = columnsOf(report);
  const lines = [["#", "token", "id", ...columns].join("\t")];
  report.ids.forEach((id, index) => {
    const numbers = columns.map((column) => String(report.figures[column]?.[index] ?? ""));
    lines.push([String(index + 1), wordsAt(report, index), String(id), ...numbers].join("\t"));
  });
  return `${lines.join("\n")}\n`;
}

function wordsAt(report: Report, index: number): string {
  const kind = report.kinds[index] ?? "text";
  return inWords(report.texts[index] ?? "", kind, report.wholes[index] ?? "");
}
