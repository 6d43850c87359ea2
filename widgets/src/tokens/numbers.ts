// Numbers as text, exact and in a legend.

import { NONE, withSign } from "../shared/numbers";
import type { Numbers } from "./protocol";

/** As in "+0.31042": always with a sign, so that columns stay in line. */
export function exact(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  const text = size !== 0 && size < 1e-4 ? size.toExponential(2) : size.toFixed(decimals(size));
  return withSign(value, text);
}

/** As in "+0.31" or "0", for a legend. */
export function rough(value: number): string {
  const text = String(Number(Math.abs(value).toPrecision(2)));
  return withSign(value, text);
}

/** As many as keep six digits: columns stay as wide as they are. */
function decimals(size: number): number {
  return size >= 1000 ? 1 : size >= 100 ? 3 : size >= 10 ? 4 : 5;
}

export interface Summary {
  sum: number | null;
  mean: number | null;
}

/** Sum and mean; null where one of the numbers is none. */
export function summary(values: Numbers | null): Summary {
  if (!values?.length) return { sum: null, mean: null };
  let sum = 0;
  for (const value of values) {
    if (value === null) return { sum: null, mean: null };
    sum += value;
  }
  return { sum, mean: sum / values.length };
}
