// One small chart: its heading with the value looked at, and the curves.

import uPlot from "uplot";
import { h } from "../shared/dom";
import { NONE } from "../shared/numbers";
import { monitor as strings } from "../strings";
import { ticks, written } from "./format";
import type { ChartData } from "./protocol";
import type { Series } from "./series";

export const HEIGHT = 138;
const Y_AXIS = 48;
const X_AXIS = 24;
const COLOURS = ["--series-1", "--series-2", "--series-3"];

export type Colour = (variable: string) => string;

/** Room above and below the curves; the target is always in sight. */
export function range(low: number, high: number, target: number | null): [number, number] {
  const from = Math.min(low, target ?? low);
  const to = Math.max(high, target ?? high);
  const room = 0.08 * (to - from) || Math.abs(to) * 0.1 || 1;
  return [from - room, to + room];
}

export class Chart {
  readonly element: HTMLElement;
  private readonly plotHost = h("div", { class: "mo-plot" });
  private readonly readings: HTMLElement[] = [];
  private plot: uPlot | null = null;
  private looked: number | null = null;

  constructor(
    readonly data: ChartData,
    private readonly series: Series,
    private readonly colour: Colour,
    onLook: (index: number | null) => void,
  ) {
    this.element = h("div", { class: "mo-chart" }, this.heading(), this.plotHost);
    this.plotHost.style.height = `${HEIGHT}px`;
    this.plotHost.setAttribute("aria-hidden", "true"); // the slider and the table have the values
    const look = (event: PointerEvent): void => onLook(this.indexAt(event));
    this.plotHost.addEventListener("pointermove", look);
    this.plotHost.addEventListener("pointerdown", look);
    this.plotHost.addEventListener("pointerleave", () => onLook(null));
  }

  /** Draw for a width; the first time the plot is made. */
  resize(width: number): void {
    if (width <= Y_AXIS) return;
    if (this.plot) this.plot.setSize({ width, height: HEIGHT });
    else this.make(width);
    this.mark();
  }

  get width(): number {
    return this.plotHost.clientWidth;
  }

  /** Draw the points that there are now. */
  draw(): void {
    this.plot?.setData(this.points());
    this.mark();
  }

  /** In the colours of now. */
  recolour(): void {
    if (this.plot) this.remake();
  }

  /** Show the values at a point, or the latest. */
  read(index: number | null): void {
    this.looked = index;
    this.data.curves.forEach((curve, number) => {
      const value = this.series.at(curve.name, index);
      const reading = this.readings[number];
      const text = value === null ? NONE : written(value, this.data.form);
      if (reading && reading.textContent !== text) reading.textContent = text;
    });
    this.mark();
  }

  remove(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private heading(): HTMLElement {
    const { title, unit, target, form, curves, about } = this.data;
    const legend = curves.map((curve, number) => {
      const reading = h("span", { class: "mo-reading" }, NONE);
      this.readings.push(reading);
      const swatch = h("span", { class: "mo-swatch", "aria-hidden": "true" });
      swatch.style.background = `var(${COLOURS[number % COLOURS.length]})`;
      const label = curves.length > 1 ? [swatch, h("span", {}, curve.label)] : [];
      return h("span", { class: "mo-curve" }, ...label, reading);
    });
    if (target !== null) {
      const dashes = h("span", { class: "mo-dashes", "aria-hidden": "true" });
      legend.push(h("span", { class: "mo-curve" }, dashes, strings.target(written(target, form))));
    }
    return h(
      "div",
      { class: "mo-heading" },
      h(
        "div",
        { class: "mo-names" },
        h("h3", { class: "mo-title", title: about }, title),
        h("span", { class: "rw-muted mo-unit" }, unit),
      ),
      h("div", { class: "mo-legend" }, ...legend),
    );
  }

  private points(): uPlot.AlignedData {
    return [
      this.series.steps,
      ...this.data.curves.map((curve) => this.series.column(curve.name)),
    ] as uPlot.AlignedData;
  }

  private remake(): void {
    const width = this.width;
    this.remove();
    this.plotHost.replaceChildren();
    this.make(width);
    this.mark();
  }

  private make(width: number): void {
    const muted = this.colour("--muted");
    const line = this.colour("--line");
    const font = `11px ${getComputedStyle(this.element).fontFamily || "sans-serif"}`;
    const labels = (texts: string[]): string[] => (this.series.length ? texts : []);
    const axis = { stroke: muted, font, ticks: { show: false }, border: { show: false } };
    const { target, form, curves } = this.data;
    const options: uPlot.Options = {
      width,
      height: HEIGHT,
      padding: [6, 8, 0, 0],
      legend: { show: false },
      // Pointers are followed by the widget, which moves the cursor of all charts alike.
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 7 },
        bind: { mousemove: () => null, mouseenter: () => null, mouseleave: () => null },
      },
      scales: {
        x: {
          time: false,
          range: (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high]),
        },
        y: { range: (_, low, high) => (low === null ? [0, 1] : range(low, high, target)) },
      },
      axes: [
        {
          ...axis,
          size: X_AXIS,
          gap: 4,
          space: 46,
          incrs: STEPS,
          values: (_, splits) => labels(splits.map(String)),
          grid: { show: false },
        },
        {
          ...axis,
          size: Y_AXIS,
          gap: 6,
          space: 34,
          grid: { stroke: line, width: 1 },
          values: (_, splits) => labels(ticks(splits, form)),
        },
      ],
      series: [
        {},
        ...curves.map((curve, number) => {
          const stroke = this.colour(COLOURS[number % COLOURS.length] ?? "--series-1");
          return {
            label: curve.label,
            stroke,
            width: 1.75,
            spanGaps: true,
            points: { show: (plot: uPlot) => plot.data[0].length <= 24, size: 5, fill: stroke },
          };
        }),
      ],
      hooks: { draw: target === null ? [] : [(plot) => aimLine(plot, target, muted)] },
    };
    this.plot = new uPlot(options, this.points(), this.plotHost);
  }

  private indexAt(event: PointerEvent): number | null {
    if (!this.plot || !this.series.length) return null;
    const left = event.clientX - this.plot.over.getBoundingClientRect().left;
    return this.plot.posToIdx(left);
  }

  private mark(): void {
    if (!this.plot) return;
    const step = this.looked === null ? undefined : this.series.steps[this.looked];
    const left = step === undefined ? -10 : this.plot.valToPos(step, "x");
    this.plot.setCursor({ left, top: step === undefined ? -10 : 0 }, false);
  }
}

/** Whole steps only. */
const STEPS = [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6].map((e) => n * 10 ** e));
STEPS.sort((a, b) => a - b);

function aimLine(plot: uPlot, target: number, colour: string): void {
  const y = Math.round(plot.valToPos(target, "y", true)) + 0.5;
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
