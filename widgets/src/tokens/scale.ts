// From a figure to a colour: steps on a scale that is the same on both sides of zero.

import type { Numbers } from "./protocol";

/** Steps on each side of zero. */
export const LEVELS = 6;

/** Nothing smaller fills the scale: rounding must not look like a finding. */
const SMALLEST_RANGE = 0.01;

/** What the strongest colour stands for: the largest distance from zero among some columns. */
export function rangeOf(columns: readonly (Numbers | null)[]): number {
  let range = SMALLEST_RANGE;
  for (const column of columns) {
    for (const value of column ?? []) range = Math.max(range, Math.abs(value ?? 0));
  }
  return range;
}

/**
 * The step of a value, from -LEVELS to LEVELS. Steps grow with the square root: the score at the
 * last token is so much larger than the rest that even steps would leave all else white.
 */
export function levelOf(value: number | null, range: number): number {
  if (!value) return 0;
  const level = Math.round(LEVELS * Math.sqrt(Math.min(Math.abs(value) / range, 1)));
  return value < 0 && level > 0 ? -level : level;
}

/** The value in the middle of a step. */
export function valueAt(level: number, range: number): number {
  return Math.sign(level) * range * (level / LEVELS) ** 2;
}
