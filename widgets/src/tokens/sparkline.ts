// The figure along the response: bars up and down from zero, with a line at the token looked at.

import { h } from "../shared/dom";
import { svg } from "../shared/svg";
import type { Numbers } from "./protocol";

const HEIGHT = 40;
/** More bars than this cannot be told apart; then each shows the extreme of its tokens. */
const MOST_BARS = 500;

export class Sparkline {
  readonly element = h("div", { class: "tk-spark", "aria-hidden": "true" });
  private readonly up = svg("path", { class: "tk-up" });
  private readonly down = svg("path", { class: "tk-down" });
  private readonly cursor = svg("rect", { class: "tk-cursor", height: HEIGHT });
  private readonly drawing = svg("svg", { preserveAspectRatio: "none" });
  private count = 1;

  /** @param go Called with the token that was clicked. */
  constructor(go: (index: number) => void) {
    this.drawing.append(this.cursor, this.up, this.down);
    this.element.append(this.drawing);
    this.element.addEventListener("click", (event) => {
      const box = this.element.getBoundingClientRect();
      const at = Math.floor(((event.clientX - box.left) / box.width) * this.count);
      go(Math.min(Math.max(at, 0), this.count - 1));
    });
  }

  draw(values: Numbers, range: number): void {
    this.count = Math.max(values.length, 1);
    this.drawing.setAttribute("viewBox", `0 0 ${this.count} ${HEIGHT}`);
    const bars = extremes(values);
    this.up.setAttribute(
      "d",
      path(bars, range, (value) => value > 0),
    );
    this.down.setAttribute(
      "d",
      path(bars, range, (value) => value < 0),
    );
  }

  look(index: number): void {
    // At least a few pixels wide, however many tokens there are.
    const width = Math.max(1, this.count / 150);
    this.cursor.setAttribute("x", String(index + 0.5 - width / 2));
    this.cursor.setAttribute("width", String(width));
  }
}

interface Bar {
  start: number;
  width: number;
  value: number;
}

/** Bars over a few tokens each, with the value that is farthest from zero. */
export function extremes(values: Numbers, most = MOST_BARS): Bar[] {
  const width = Math.ceil(values.length / most) || 1;
  const bars: Bar[] = [];
  for (let start = 0; start < values.length; start += width) {
    const some = values.slice(start, start + width);
    const value = some.reduce<number>(
      (far, each) => (Math.abs(each ?? 0) > Math.abs(far) ? (each ?? 0) : far),
      0,
    );
    bars.push({ start, width: some.length, value });
  }
  return bars;
}

function path(bars: Bar[], range: number, wanted: (value: number) => boolean): string {
  const middle = HEIGHT / 2;
  return bars
    .filter(({ value }) => wanted(value))
    .map(({ start, width, value }) => {
      const end = middle - (value / range) * (middle - 1);
      return `M${start} ${middle}V${end.toFixed(2)}h${width}V${middle}z`;
    })
    .join("");
}
