import { describe, expect, it } from "vitest";
import { duration, fixed, percent, signed } from "../src/shared/numbers";

describe("numbers", () => {
  it.each([
    [0.31, 2, "0.31", "+0.31"],
    [-2.3, 1, "−2.3", "−2.3"],
    [0, 2, "0.00", "0.00"],
    [-0.001, 2, "0.00", "0.00"],
    [0.004, 2, "0.00", "0.00"],
    [8, 0, "8", "+8"],
  ])("%d with %d decimals is %s, or %s with its sign", (value, digits, plain, withSign) => {
    expect([fixed(value, digits), signed(value, digits)]).toEqual([plain, withSign]);
  });

  it("are a whole number of percent", () => {
    expect([0, 0.625, 1].map(percent)).toEqual(["0%", "63%", "100%"]);
  });

  it("of seconds are in the unit that says something", () => {
    const shown = [0.4, 99.4, 99.6, 3540, 4800].map(duration);
    expect(shown).toEqual(["0 s", "99 s", "2 min", "59 min", "1 h 20 min"]);
  });
});
