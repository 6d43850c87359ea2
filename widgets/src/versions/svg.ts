// Small drawings: the graph of a row, an interval, a line of scores.

import type { Interval } from "../shared/protocol";
import { svg } from "../shared/svg";
import { verdict } from "./figures";
import type { Line, Row } from "./layout";

const LANE = 14;
const EDGE = 10;

function x(lane: number): number {
  return EDGE + lane * LANE;
}

export function graphWidth(lanes: number): number {
  return 2 * EDGE + (lanes - 1) * LANE;
}

/** The part of the graph in one row, as high as the row is. */
export function graph(row: Row, lanes: number, isPresent: boolean): SVGElement {
  const width = graphWidth(lanes);
  const drawing = svg("svg", { class: "rv-graph", width, height: "100%", "aria-hidden": "true" });
  row.lanes.forEach(({ top, bottom }, lane) => {
    // A little over the edges: rows end between pixels, and a seam would show.
    drawing.append(...line(lane, top, "-2%", "50%"), ...line(lane, bottom, "50%", "102%"));
  });
  if (row.elbow !== "none") drawing.append(elbow(row, width));
  drawing.append(knot(row, isPresent));
  return drawing;
}

function line(lane: number, kind: Line, y1: string, y2: string): SVGElement[] {
  if (kind === "none") return [];
  return [svg("line", { class: "rv-line", "data-line": kind, x1: x(lane), x2: x(lane), y1, y2 })];
}

/** From the lane to the left, down and to the version; stretched to the height of the row. */
function elbow(row: Row, width: number): SVGElement {
  const [from, to] = [x(row.lane - 1), x(row.lane)];
  const path = svg("path", {
    class: "rv-line",
    "data-line": row.elbow,
    d: `M${from} 0Q${from} 50 ${to} 50`,
    "vector-effect": "non-scaling-stroke",
  });
  const stretched = { viewBox: `0 0 ${width} 100`, preserveAspectRatio: "none" };
  return svg("svg", { width, height: "100%", ...stretched }, path);
}

/** A circle for a policy, a diamond for a reward model; filled where it is present. */
function knot(row: Row, isPresent: boolean): SVGElement {
  const kind = isPresent ? { "data-present": "" } : row.onPath ? { "data-path": "" } : {};
  const common = { class: "rv-knot", ...kind };
  const size = isPresent ? 6 : 4.5;
  const shape =
    row.version.role === "reward"
      ? svg("rect", {
          ...common,
          x: -size * 0.85,
          y: -size * 0.85,
          width: size * 1.7,
          height: size * 1.7,
          transform: "rotate(45)",
        })
      : svg("circle", { ...common, r: size });
  return svg("svg", { x: x(row.lane), y: "50%", overflow: "visible" }, shape);
}

const RULER = { width: 72, height: 14, pad: 4 };

/** A share from 0 to 1 with its interval, and where one half is. */
export function ruler(found: Interval): SVGElement {
  const { width, height, pad } = RULER;
  const at = (share: number): number => pad + (width - 2 * pad) * Math.min(1, Math.max(0, share));
  const middle = height / 2;
  return svg(
    "svg",
    { class: "rv-ruler", width, height, "aria-hidden": "true", "data-verdict": verdict(found) },
    svg("line", { class: "rv-axis", x1: at(0), x2: at(1), y1: middle, y2: middle }),
    svg("line", { class: "rv-half", x1: at(0.5), x2: at(0.5), y1: 1, y2: height - 1 }),
    svg("line", {
      class: "rv-span",
      x1: at(found.low),
      x2: at(found.high),
      y1: middle,
      y2: middle,
    }),
    svg("circle", { class: "rv-dot", cx: at(found.estimate), cy: middle, r: 3 }),
  );
}

export interface Point {
  label: string;
  value: number;
}

const SPARK = { width: 240, height: 48, pad: 6 };

/** Where the points of a line of values stand; a line without rise stands in the middle. */
export function sparkPoints(values: readonly number[]): [number, number][] {
  const { width, height, pad } = SPARK;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = values.length > 1 ? (width - 2 * pad) / (values.length - 1) : 0;
  return values.map((value, index) => {
    const up = high > low ? (value - low) / (high - low) : 0.5;
    return [pad + index * step, height - pad - up * (height - 2 * pad)];
  });
}

/** A line of values; the last is marked. */
export function sparkline(points: readonly Point[], label: string): SVGElement {
  const { width, height } = SPARK;
  const places = sparkPoints(points.map((point) => point.value));
  const drawing = svg("svg", {
    class: "rv-spark",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": label,
  });
  const path = places.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join("L");
  drawing.append(svg("path", { class: "rv-spark-line", d: `M${path}` }));
  places.forEach(([cx, cy], index) => {
    const isLast = index === places.length - 1;
    // A long line would be all dots.
    if (!isLast && places.length > 20) return;
    const dot = svg("circle", { class: "rv-spark-dot", cx, cy, r: isLast ? 4 : 2.2 });
    if (isLast) dot.setAttribute("data-last", "");
    drawing.append(dot);
  });
  return drawing;
}
