import { describe, expect, it } from "vitest";
import { kinship } from "../src/versions/details";
import { ago, between, compared, number, interval as told, verdict } from "../src/versions/figures";
import { sparkPoints } from "../src/versions/svg";
import { evaluation, interval, policies, version } from "./versions-screen";

describe("numbers", () => {
  it("have a true minus, and none for what rounds to nothing", () => {
    expect([number(-0.256), number(8, 0), number(3, 1), number(-0.001), number(null)]).toEqual([
      "−0.26",
      "8",
      "3.0",
      "0.00",
      "–",
    ]);
  });

  it("write an interval as Python does", () => {
    expect(told({ estimate: 0.71, low: 0.62, high: 0.8, n: 64 })).toBe("0.71 [0.62, 0.80]");
  });
});

describe("two versions", () => {
  it("are compared figure by figure, the second less the first", () => {
    const first = version("policy@1", null, { metrics: { kl: 1.9, score: 0.21 }, judgments: 24 });
    const second = version("policy@2", null, {
      metrics: { score: 0.48, kl: 1.2, new_figure: 3 },
      judgments: 58,
    });
    expect(compared(first, second)).toEqual([
      { label: "Score", first: "0.21", second: "0.48", difference: "+0.27" },
      { label: "KL, nats", first: "1.9", second: "1.2", difference: "−0.7" },
      { label: "new figure", first: "–", second: "3", difference: "" },
      { label: "Judgments learned from", first: "24", second: "58", difference: "+34" },
    ]);
  });

  it("are told apart by accuracy where they are reward models", () => {
    const first = version("reward@0", null, { accuracy: interval(0.61) });
    const second = version("reward@1", null, { accuracy: interval(0.67) });
    expect(compared(first, second)[0]).toEqual({
      label: "Held-out accuracy",
      first: "0.61 [0.53, 0.69]",
      second: "0.67 [0.59, 0.75]",
      difference: "+0.06",
    });
  });

  it("have the win rate of their evaluation, turned around where the first was judged", () => {
    const plain = version("policy@1");
    const judged = version("policy@2", null, {
      evaluations: [evaluation("policy@1", { estimate: 0.75, low: 0.5, high: 0.875, n: 8 })],
    });
    expect(between(plain, judged)).toEqual({ estimate: 0.75, low: 0.5, high: 0.875, n: 8 });
    expect(between(judged, plain)).toEqual({ estimate: 0.25, low: 0.125, high: 0.5, n: 8 });
    expect(between(plain, version("policy@3"))).toBeNull();
  });

  it("say where they part", () => {
    const all = policies({ 1: 0, 2: 1, 3: 1 });
    const [start, one, two, three] = all;
    if (!start || !one || !two || !three) throw new Error("four were made");
    expect(kinship(two, three, all)).toBe("Both come from policy@1.");
    expect(kinship(start, three, all)).toBe("policy@3 was made from policy@0.");
    expect(kinship(version("policy@8"), three, [...all, version("policy@8")])).toBe("");
  });
});

it("judges a win rate by its whole interval, as Python does", () => {
  const found = (low: number, high: number) => verdict({ estimate: 0.5, low, high, n: 9 });
  expect([found(0.51, 0.8), found(0.5, 0.8), found(0.2, 0.5), found(0.2, 0.49)]).toEqual([
    "better",
    "unclear",
    "unclear",
    "worse",
  ]);
});

it("says how long ago in one unit", () => {
  const made = "2026-03-02T12:00:00+00:00";
  const after = (minutes: number) => ago(made, Date.parse(made) + minutes * 60_000);
  expect([after(-5), after(0.5), after(59), after(60), after(60 * 47)]).toEqual([
    "just now",
    "just now",
    "59 min ago",
    "1 h ago",
    "1 day ago",
  ]);
  expect(after(60 * 24 * 30)).toContain("2026");
});

it("stands the points of a line between its lowest and its highest", () => {
  expect(sparkPoints([0, 2, 1])).toEqual([
    [6, 42],
    [120, 6],
    [234, 24],
  ]);
  expect(sparkPoints([3, 3])).toEqual([
    [6, 24],
    [234, 24],
  ]);
});
