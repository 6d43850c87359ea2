// Numbers and times as a person reads them. Mirrors `written` in rlhf_lab/widgets/monitor_figure.py.

import type { Form } from "./protocol";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A number with some three digits that say something. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return grouped.format(value);
  if (size > 0 && size < 0.001) return value.toExponential(1);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

export function written(value: number, form: Form): string {
  if (form === "percent") return `${figure(100 * value)}%`;
  if (form === "seconds") return `${figure(value)} s`;
  if (form === "signed") return `${value < 0 ? "-" : "+"}${figure(Math.abs(value))}`;
  return form === "count" ? grouped.format(value) : figure(value);
}

/** Labels of an axis: as many decimals as tell its neighbours apart, and no more. */
export function ticks(values: readonly number[], form: Form): string[] {
  const scale = form === "percent" ? 100 : 1;
  const gap = values.length > 1 ? Math.abs((values[1] ?? 0) - (values[0] ?? 0)) * scale : 1;
  const decimals = decimalsOf(gap);
  return values.map((value) => {
    const shown = value * scale;
    const text = Math.abs(shown) >= 1000 ? grouped.format(shown) : shown.toFixed(decimals);
    return form === "percent" ? `${text}%` : text.replace(/^-(0(\.0*)?)$/, "$1");
  });
}

/** So many that a step from label to label is written exactly. */
function decimalsOf(gap: number): number {
  for (let decimals = 0; decimals < 6; decimals++) {
    const whole = gap * 10 ** decimals;
    if (Math.abs(whole - Math.round(whole)) < 1e-6 * whole) return decimals;
  }
  return 6;
}

export function duration(seconds: number): string {
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
