// Every token with every number, to be read line by line or copied.

import { h } from "../shared/dom";
import { tokens as strings } from "../strings";
import { inWords } from "./glyphs";
import { exact } from "./numbers";
import { COLUMNS, type Report } from "./protocol";

/** The figures that a report has. */
function columnsOf(report: Report) {
  return COLUMNS.filter((column) => report.figures[column]);
}

export function tableOf(report: Report): HTMLElement {
  const columns = columnsOf(report);
  const heads = ["#", strings.token, strings.id, ...columns.map((c) => strings.columns[c])];
  const body = h("tbody");
  report.ids.forEach((id, index) => {
    const row = body.insertRow();
    row.insertCell().textContent = String(index + 1);
    const token = document.createElement("th");
    token.scope = "row";
    token.textContent = wordsAt(report, index);
    row.append(token);
    row.insertCell().textContent = String(id);
    for (const column of columns) {
      row.insertCell().textContent = exact(report.figures[column]?.[index]);
    }
  });
  return h(
    "table",
    { class: "tk-table" },
    h("caption", { class: "rw-sr-only" }, strings.tableCaption),
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    body,
  );
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
