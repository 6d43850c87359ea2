// How the monitor writes numbers and joins points.

import { describe, expect, it, vi } from "vitest";
import { range } from "../src/monitor/chart";
import { figure, ticks, written } from "../src/monitor/format";
import type { Content, View } from "../src/monitor/protocol";
import { Series } from "../src/monitor/series";
import { CONTENT, VIEW } from "./monitor-screen";

vi.mock("uplot", () => ({ default: class {} }));

describe("numbers", () => {
  // As in tests/widgets/test_monitor_figure.py.
  it.each([
    [0.4237, "signed", "+0.424"],
    [-1.5, "signed", "−1.50"],
    [0, "signed", "0.000"],
    [-1234.5, "number", "−1,235"],
    [0.0312, "percent", "3.12%"],
    [0.2, "percent", "20.0%"],
    [12.34, "seconds", "12.3 s"],
    [123.4, "number", "123"],
    [12345.6, "number", "12,346"],
    [0, "number", "0.000"],
    [48.4, "count", "48"],
  ] as const)("writes %d as %s: %s", (value, form, text) => {
    expect(written(value, form)).toBe(text);
  });

  it("writes small numbers with a power", () => {
    expect([figure(0.00004), figure(-0.00004)]).toEqual(["4.0e-5", "−4.0e-5"]);
  });

  it("gives an axis no more decimals than tell its labels apart", () => {
    expect(ticks([0, 0.5, 1], "number")).toEqual(["0.0", "0.5", "1.0"]);
    expect(ticks([10, 20], "seconds")).toEqual(["10", "20"]);
    expect(ticks([0.05, 0.1], "percent")).toEqual(["5%", "10%"]);
    expect(ticks([-0.5, 0], "number")).toEqual(["−0.5", "0.0"]);
    expect(ticks([-0, 0.25, 0.5], "number")).toEqual(["0.00", "0.25", "0.50"]);
  });

  it("leaves room around curves and always shows the target", () => {
    expect(range(0, 1, null)).toEqual([-0.08, 1.08]);
    expect(range(0, 1, 6)).toEqual([-0.48, 6.48]);
    expect(range(2, 2, null)).toEqual([1.8, 2.2]);
    expect(range(0, 0, null)).toEqual([-1, 1]);
  });
});

describe("points", () => {
  const based = (base: number, steps: number[]): Content => ({
    ...CONTENT,
    base,
    steps,
    values: { score: steps, rollout: steps, update: steps },
  });
  const since = (base: number, steps: number[]): View => ({
    ...VIEW,
    base,
    steps,
    values: { score: steps, rollout: steps, update: steps },
  });

  it("joins the base with what came since", () => {
    const series = new Series();
    expect(series.update(based(1, [1, 2]), since(1, [3]))).toBe(true);
    expect(series.steps).toEqual([1, 2, 3]);
    expect(series.column("score")).toEqual([1, 2, 3]);
  });

  it("counts no point twice when the base arrives before its view", () => {
    const series = new Series();
    series.update(based(1, [1, 2, 3]), since(0, [1, 2, 3]));
    expect(series.steps).toEqual([1, 2, 3]);
  });

  it("waits for a base that is still to come", () => {
    const series = new Series();
    series.update(based(0, []), since(0, [1, 2]));
    expect(series.update(based(0, []), since(1, [3]))).toBe(false);
    expect(series.steps).toEqual([1, 2]);
  });

  it("goes back with a run that went back", () => {
    const series = new Series();
    series.update(based(0, []), since(0, [1, 2, 3]));
    expect(series.update(based(1, [1]), since(1, []))).toBe(true);
    expect(series.steps).toEqual([1]);
  });

  it("tells the latest value of a curve that has one only now and then", () => {
    const series = new Series();
    series.update(CONTENT, VIEW);
    expect(series.at("rollout", null)).toBe(2);
    expect(series.at("rollout", 1)).toBeNull();
  });
});
