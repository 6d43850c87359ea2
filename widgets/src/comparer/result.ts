// What came of it, with names: the counts, the win rate with its interval, and what that means.

import { h } from "../shared/dom";
import type { Interval } from "../shared/protocol";
import { comparer as strings } from "../strings";
import type { Result } from "./protocol";

/** The result in a frame, without buttons. */
export function resultView(result: Result): HTMLElement {
  const { first, second, verdict } = result;
  const winner = verdict === "second" ? second.name : first.name;
  const rate = verdict === "second" && result.rate ? turned(result.rate) : result.rate;
  const notes = [
    result.ties > 0 ? strings.tiesCount : "",
    result.done < result.total ? strings.stopped(result.done, result.total) : "",
    result.unlike > 0 ? strings.unlike(result.unlike) : "",
  ];
  return h(
    "div",
    { class: "rc-result" },
    h("h2", {}, strings.verdict(verdict, winner)),
    result.rate ? scale(result, result.rate) : "",
    counts(result),
    h(
      "p",
      {},
      rate && verdict
        ? strings.meaning(verdict === "unclear", winner, rate, result.needed)
        : strings.nothingCompared,
    ),
    ...notes.filter(Boolean).map((text) => h("p", { class: "rw-muted" }, text)),
  );
}

/** The win rate of the other one. */
function turned(rate: Interval): Interval {
  return { ...rate, estimate: 1 - rate.estimate, low: 1 - rate.high, high: 1 - rate.low };
}

/** From 0 to 100% with one half marked: the interval as a band, the win rate as a dot. */
function scale({ first, second }: Result, rate: Interval): HTMLElement {
  const band = h("span", { class: "rc-band" });
  band.style.left = `${rate.low * 100}%`;
  band.style.width = `${(rate.high - rate.low) * 100}%`;
  const dot = h("span", { class: "rc-dot" });
  dot.style.left = `${rate.estimate * 100}%`;
  return h(
    "div",
    { class: "rc-scale", role: "img", "aria-label": strings.scaleLabel(first.name, rate) },
    h(
      "div",
      { class: "rc-ends" },
      h("span", {}, strings.prefers(second.name)),
      h("span", {}, strings.prefers(first.name)),
    ),
    h("div", { class: "rc-track" }, h("span", { class: "rc-half" }), band, dot),
    h("div", { class: "rc-marks" }, ...["0%", "50%", "100%"].map((mark) => h("span", {}, mark))),
  );
}

function counts({ first, second, ties, skipped }: Result): HTMLElement {
  const rows: [string, number][] = [
    // As the ends of the scale stand above.
    [second.name, second.wins],
    [first.name, first.wins],
    [strings.tied, ties],
    [strings.skipped, skipped],
  ];
  // No <dl>: hosts lay out <dt> and <dd> in ways of their own.
  return h(
    "div",
    { class: "rc-counts", role: "list" },
    ...rows.map(([name, count]) =>
      h(
        "div",
        { role: "listitem" },
        h("span", { class: "rc-name" }, name),
        h("span", { class: "rc-count" }, String(count)),
      ),
    ),
  );
}
