// Figures of a run. Mirrors `written` in rlhf_lab/widgets/monitor_figure.py.

import { withSign } from "../shared/numbers";
import type { Form } from "./protocol";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A number with some three digits that say something. */
export function figure(value: number): string {
  return withSign(value, sizeOf(Math.abs(value)), "");
}

function sizeOf(size: number): string {
  if (size >= 1000) return grouped.format(size);
  if (size > 0 && size < 0.001) return size.toExponential(1);
  return size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

export function written(value: number, form: Form): string {
  if (form === "percent") return `${figure(100 * value)}%`;
  if (form === "seconds") return `${figure(value)} s`;
  if (form === "signed") return withSign(value, sizeOf(Math.abs(value)));
  return form === "count" ? withSign(value, grouped.format(Math.abs(value)), "") : figure(value);
}

/** Labels of an axis: as many decimals as tell its neighbours apart, and no more. */
export function ticks(values: readonly number[], form: Form): string[] {
  const scale = form === "percent" ? 100 : 1;
  const gap = values.length > 1 ? Math.abs((values[1] ?? 0) - (values[0] ?? 0)) * scale : 1;
  const decimals = decimalsOf(gap);
  return values.map((value) => {
    const size = Math.abs(value * scale);
    const text = withSign(value, size >= 1000 ? grouped.format(size) : size.toFixed(decimals), "");
    return form === "percent" ? `${text}%` : text;
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
