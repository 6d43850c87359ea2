// Numbers as a person reads them, alike in every widget: with a true minus, and zero without a sign.

const MINUS = "\u2212";

/** In the place of a number that there is not. */
export const NONE = "–";

/** A number with so many decimals. */
export function fixed(value: number, digits: number): string {
  return withSign(value, Math.abs(value).toFixed(digits), "");
}

/** The same, with a sign in any case. */
export function signed(value: number, digits: number): string {
  return withSign(value, Math.abs(value).toFixed(digits));
}

/** The sign of a number before its size as text; none where the text says zero. */
export function withSign(value: number, size: string, plus = "+"): string {
  if (!/[1-9]/.test(size)) return size;
  return `${value < 0 ? MINUS : plus}${size}`;
}

/** A share from 0 to 1. */
export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

/** Seconds in the unit that says something, as in "42 s", "12 min", "1 h 20 min". */
export function duration(seconds: number): string {
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
