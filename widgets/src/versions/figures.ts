// Figures as text, and what to compare of two versions. No DOM here.

import { fixed, NONE, signed } from "../shared/numbers";
import type { Interval } from "../shared/protocol";
import { versions as strings } from "../strings";
import type { Evaluation, Version } from "./protocol";

/** Figures of an interval or without a name of their own: they are shown elsewhere. */
const ELSEWHERE = new Set(["heldout_accuracy", "rankings"]);
/** In this order; others follow by name. */
const ORDER = ["score", "kl", "steps", "loss", "prequential_accuracy", "calibration_error"];

/** With no more digits than say something. */
export function number(value: number | null | undefined, digits = 2): string {
  return value === null || value === undefined ? NONE : fixed(value, digits);
}

/** As Python writes it: 0.71 [0.62, 0.80]. */
export function interval(found: Interval): string {
  return `${found.estimate.toFixed(2)} [${found.low.toFixed(2)}, ${found.high.toFixed(2)}]`;
}

const DIGITS: Record<string, number> = { score: 2, kl: 1, steps: 0 };

/** How many digits a figure is shown with; what looks like a count is one. */
export function figureDigits(name: string, ...values: (number | null | undefined)[]): number {
  return DIGITS[name] ?? (values.every((value) => Number.isInteger(value ?? 0)) ? 0 : 2);
}

/** The figures of a version that have no place of their own, in their order. */
export function figureNames(...versions: Version[]): string[] {
  const names = new Set(versions.flatMap((version) => Object.keys(version.metrics)));
  const known = ORDER.filter((name) => names.has(name));
  const others = [...names].filter((name) => !ORDER.includes(name) && !ELSEWHERE.has(name));
  return [...known, ...others.sort()];
}

export interface Compared {
  label: string;
  first: string;
  second: string;
  difference: string;
}

/** Figure by figure; the difference is what the second has more. */
export function compared(first: Version, second: Version): Compared[] {
  const rows = figureNames(first, second).map((name) =>
    comparedNumbers(
      strings.figure(name),
      first.metrics[name],
      second.metrics[name],
      figureDigits(name, first.metrics[name], second.metrics[name]),
    ),
  );
  if (first.accuracy || second.accuracy) {
    rows.unshift({
      label: strings.accuracy,
      first: first.accuracy ? interval(first.accuracy) : NONE,
      second: second.accuracy ? interval(second.accuracy) : NONE,
      difference: difference(first.accuracy?.estimate, second.accuracy?.estimate, 2),
    });
  }
  rows.push(comparedNumbers(strings.judgments, first.judgments, second.judgments, 0));
  return rows;
}

function comparedNumbers(
  label: string,
  first: number | null | undefined,
  second: number | null | undefined,
  digits: number,
): Compared {
  return {
    label,
    first: number(first, digits),
    second: number(second, digits),
    difference: difference(first, second, digits),
  };
}

function difference(
  first: number | null | undefined,
  second: number | null | undefined,
  digits: number,
): string {
  if (first === null || first === undefined || second === null || second === undefined) return "";
  return signed(second - first, digits);
}

/** How often the second won against the first when last compared, whichever was the baseline. */
export function between(first: Version, second: Version): Interval | null {
  const direct = against(second, first.name);
  if (direct) return direct.win_rate;
  const found = against(first, second.name)?.win_rate;
  if (!found) return null;
  return { estimate: 1 - found.estimate, low: 1 - found.high, high: 1 - found.low, n: found.n };
}

function against(version: Version, baseline: string): Evaluation | undefined {
  return version.evaluations.findLast((evaluation) => evaluation.baseline === baseline);
}

export type Verdict = "better" | "unclear" | "worse";

/** As `EvalReport.verdict`: whether the whole interval lies on one side of one half. */
export function verdict(found: Interval): Verdict {
  if (found.low > 0.5) return "better";
  return found.high >= 0.5 ? "unclear" : "worse";
}

/** How long ago, in one unit; with the year where it is long. */
export function ago(made: string, now: number): string {
  const time = Date.parse(made);
  const minutes = Math.max(0, Math.floor((now - time) / 60_000));
  if (minutes < 1) return strings.now;
  if (minutes < 60) return strings.ago(minutes, "minute");
  if (minutes < 60 * 24) return strings.ago(Math.floor(minutes / 60), "hour");
  if (minutes < 60 * 24 * 14) return strings.ago(Math.floor(minutes / (60 * 24)), "day");
  return new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
}

export function moment(made: string): string {
  return new Date(made).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
