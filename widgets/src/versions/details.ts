// What is shown beside the tree: one version, or two and how they differ.

import { h } from "../shared/dom";
import { versions as strings } from "../strings";
import {
  between,
  compared,
  figureDigits,
  figureNames,
  interval,
  moment,
  number,
  verdict,
} from "./figures";
import { ancestry, isReward } from "./layout";
import type { Evaluation, Version } from "./protocol";
import { type Point, ruler, sparkline } from "./svg";

/**
 * One version: where it comes from, its figures, what it was compared with.
 *
 * @param mark The button that marks it for comparison: keys and modifiers are not for fingers.
 */
export function details(
  version: Version,
  all: readonly Version[],
  isPresent: boolean,
  mark: HTMLElement,
): HTMLElement[] {
  const words = strings.details;
  const head = h("div", { class: "rv-head" }, h("h3", {}, version.name));
  if (isPresent) head.append(h("span", { class: "rv-badge" }, strings.present));
  const from = version.parent ? words.from(version.parent) : words.start;
  head.append(h("span", { class: "rw-muted" }, from), mark);
  return [head, ...spark(version, all), figures(version, all), ...evaluations(version)];
}

function figures(version: Version, all: readonly Version[]): HTMLElement {
  const words = strings.details;
  const list = h("dl", { class: "rv-figures" });
  const add = (term: string, value: string): void => {
    list.append(h("div", {}, h("dt", {}, term), h("dd", {}, value)));
  };
  if (version.accuracy) add(strings.accuracy, interval(version.accuracy));
  for (const name of figureNames(version)) {
    const value = version.metrics[name];
    add(strings.figure(name), number(value, figureDigits(name, value)));
  }
  if (version.judgments !== null) add(strings.judgments, String(version.judgments));
  if (version.trained_with.length) add(words.trainedWith, version.trained_with.join(", "));
  const trained = all.filter((other) => other.trained_with.includes(version.name));
  if (trained.length) add(words.trained, trained.map((other) => other.name).join(", "));
  if (version.record) add(words.record, words.events(version.record));
  add(words.made, moment(version.made));
  return list;
}

/** The line from the start to here; nothing where there are fewer than two figures. */
function spark(version: Version, all: readonly Version[]): HTMLElement[] {
  const points = ancestry(all, version.name).flatMap((other): Point[] => {
    const value = isReward(other) ? other.accuracy?.estimate : other.metrics.score;
    return value == null ? [] : [{ label: other.name, value }];
  });
  if (points.length < 2) return [];
  const what = isReward(version) ? strings.spark.accuracy : strings.spark.score;
  const told = points.map((point) => `${point.label} ${number(point.value)}`);
  const [first, last] = [points[0], points.at(-1)];
  return [
    h(
      "figure",
      { class: "rv-spark-box" },
      sparkline(points, strings.spark.label(what, told)),
      h(
        "figcaption",
        { class: "rw-muted" },
        `${what}: ${number(first?.value)} → ${number(last?.value)}`,
      ),
    ),
  ];
}

function evaluations(version: Version): HTMLElement[] {
  if (isReward(version) || !version.parent) return [];
  const words = strings.details;
  if (!version.evaluations.length) {
    const how = words.evaluateCode ? [": ", h("code", {}, words.evaluateCode)] : ["."];
    return [h("p", { class: "rw-muted" }, words.noEvaluation, ...how)];
  }
  const list = h("ul", { class: "rv-evaluations" });
  for (const evaluation of [...version.evaluations].reverse()) list.append(won(evaluation));
  return [h("h4", {}, words.evaluations), list];
}

function won({ baseline, judge, win_rate: rate }: Evaluation): HTMLElement {
  const words = strings.details;
  const whose = judge ? ` ${strings.by(judge)}` : "";
  return h(
    "li",
    {},
    ruler(rate),
    h("span", { class: "rv-interval" }, `${interval(rate)} (${words.n(rate.n)})`),
    h("span", { class: "rw-muted" }, strings.against(baseline) + whose),
    h(
      "span",
      { class: "rv-verdict", "data-verdict": verdict(rate) },
      words.verdicts[verdict(rate)],
    ),
  );
}

/** Two versions, figure by figure. `ask` is what leads to their texts, if anything does. */
export function comparison(
  first: Version,
  second: Version,
  all: readonly Version[],
  ask: HTMLElement,
): HTMLElement[] {
  const words = strings.comparison;
  const head = h("div", { class: "rv-head" }, h("h3", {}, words.title(first.name, second.name)));
  const rows = compared(first, second).map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, row.label),
      h("td", {}, row.first),
      h("td", {}, row.second),
      h("td", { class: "rv-difference" }, row.difference),
    ),
  );
  const titles = [words.figure, first.name, second.name, words.difference];
  const table = h(
    "table",
    { class: "rv-compared" },
    h("thead", {}, h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, ...rows),
  );
  const parts = [head, h("p", { class: "rw-muted" }, kinship(first, second, all)), table];
  return isReward(first) ? parts : [...parts, outcome(first, second), ask];
}

/** What leads to the texts of two in a host that has a page for them. */
export function pageLink(page: string, first: Version, second: Version): HTMLElement {
  const query = new URLSearchParams({ first: first.name, second: second.name });
  const attributes = { class: "rw-button rv-ask", href: `${page}?${query}` };
  return h("a", attributes, strings.comparison.ask);
}

/** Where two versions part. */
export function kinship(first: Version, second: Version, all: readonly Version[]): string {
  const names = new Set(ancestry(all, first.name).map((version) => version.name));
  const shared = ancestry(all, second.name).filter((version) => names.has(version.name));
  const last = shared.at(-1);
  if (!last) return "";
  if (last.name === first.name) return strings.comparison.after(second.name, first.name);
  if (last.name === second.name) return strings.comparison.after(first.name, second.name);
  return strings.comparison.meet(last.name);
}

function outcome(first: Version, second: Version): HTMLElement {
  const words = strings.comparison;
  const rate = between(first, second);
  if (!rate) return h("p", { class: "rv-outcome rw-muted" }, words.notEvaluated);
  const found = strings.details.verdicts[verdict(rate)];
  const text = words.won(second.name, first.name, interval(rate), rate.n, found);
  return h("p", { class: "rv-outcome" }, ruler(rate), text);
}
