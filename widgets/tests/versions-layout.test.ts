import { describe, expect, it } from "vitest";
import { ancestry, layout, type Row } from "../src/versions/layout";
import { policies, version } from "./versions-screen";

/** Lane by lane: what is above the middle of a row and below it, as in "plain/hot". */
function lines(row: Row | undefined): string[] {
  return row?.lanes.map(({ top, bottom }) => `${top}/${bottom}`) ?? [];
}

function drawn(rows: Row[]): Record<string, number> {
  return Object.fromEntries(rows.map((row) => [row.version.name.split("@")[1], row.lane]));
}

function order(rows: Row[]): string[] {
  return rows.map((row) => row.version.name.replace("policy@", ""));
}

describe("lanes", () => {
  it("draws a chain as a straight line", () => {
    const rows = layout(policies({ 1: 0, 2: 1, 3: 2 }), []);
    expect(order(rows)).toEqual(["0", "1", "2", "3"]);
    expect(rows.map((row) => row.lane)).toEqual([0, 0, 0, 0]);
    expect(rows.map((row) => row.elbow)).toEqual(["none", "none", "none", "none"]);
    expect(rows.map((row) => lines(row)[0])).toEqual([
      "none/plain",
      "plain/plain",
      "plain/plain",
      "plain/none",
    ]);
  });

  it("puts a smaller branch beside the larger one, which goes on below it", () => {
    // 1 has two children: 2, from which 3 comes, and 4.
    const rows = layout(policies({ 1: 0, 2: 1, 3: 2, 4: 1 }), []);
    expect(order(rows)).toEqual(["0", "1", "4", "2", "3"]);
    expect(drawn(rows)).toEqual({ 0: 0, 1: 0, 4: 1, 2: 0, 3: 0 });
    expect(rows[2]?.elbow).toBe("plain");
    expect(lines(rows[2])).toEqual(["plain/plain", "none/none"]);
  });

  it("keeps the older of two equal branches aside and stands still when a leaf is added", () => {
    const before = layout(policies({ 1: 0, 2: 1, 3: 0 }), []);
    expect(order(before)).toEqual(["0", "3", "1", "2"]);
    const after = layout(policies({ 1: 0, 2: 1, 3: 0, 4: 2 }), []);
    expect(order(after)).toEqual(["0", "3", "1", "2", "4"]);
  });

  it("needs no more lanes than a branch is deep in branches", () => {
    // Three branches of one start, each of two: they share the lane beside the longest.
    const rows = layout(policies({ 1: 0, 2: 1, 3: 0, 4: 3, 5: 0, 6: 5 }), []);
    expect(Math.max(...rows.map((row) => row.lane))).toBe(1);
    expect(order(rows)).toEqual(["0", "3", "4", "5", "6", "1", "2"]);
  });

  it("stays within log2(n) + 1 lanes for any tree of 500", () => {
    let seed = 7;
    const parents: Record<number, number> = {};
    for (let number = 1; number < 500; number += 1) {
      seed = (seed * 16807) % 2147483647;
      parents[number] = seed % number;
    }
    const rows = layout(policies(parents), ["policy@499"]);
    expect(rows).toHaveLength(500);
    expect(Math.max(...rows.map((row) => row.lane)) + 1).toBeLessThanOrEqual(9);
    // A parent stands above its children, and each lane left of a row goes on through it.
    rows.forEach((row, index) => {
      expect(row.parentRow).toBeLessThan(index);
      for (const { top, bottom } of row.lanes.slice(0, -1))
        expect([top, bottom]).not.toContain("none");
    });
  });

  it("draws a chain of ten thousand without a stack overflow", () => {
    const parents = Object.fromEntries(Array.from({ length: 9999 }, (_, n) => [n + 1, n]));
    expect(layout(policies(parents), ["policy@9999"]).at(-1)?.level).toBe(10_000);
  });

  it("puts reward models after the policies, each role with a start of its own", () => {
    const rows = layout(
      [version("reward@0"), ...policies({ 1: 0 }), version("reward@1", "reward@0")],
      [],
    );
    expect(rows.map((row) => row.version.name)).toEqual([
      "policy@0",
      "policy@1",
      "reward@0",
      "reward@1",
    ]);
    expect(lines(rows[2])).toEqual(["none/plain"]);
  });

  it("draws a version whose parent is not there as a start", () => {
    const rows = layout([version("policy@4", "policy@3")], []);
    expect(rows[0]).toMatchObject({ parentRow: -1, level: 1, elbow: "none" });
  });
});

describe("the way to what is present", () => {
  // 0 → 1 → 2 → 3 straight on, and 4 from 1.
  const all = policies({ 1: 0, 2: 1, 3: 2, 4: 1 });

  it("is drawn through the straight line", () => {
    const rows = layout(all, ["policy@2"]); // in the order 0, 1, 4, 2, 3
    expect(rows.map(lines)).toEqual([
      ["none/hot"],
      ["hot/hot"],
      ["hot/hot", "none/none"], // passes the branch of 4
      ["hot/plain"],
      ["plain/none"],
    ]);
    expect(rows[2]?.elbow).toBe("plain");
    expect(rows.map((row) => row.onPath)).toEqual([true, true, false, true, false]);
  });

  it("turns into a branch and leaves the straight line pale below it", () => {
    const rows = layout(all, ["policy@4"]);
    expect(rows.map(lines)).toEqual([
      ["none/hot"],
      ["hot/hot"],
      ["plain/plain", "none/none"],
      ["plain/plain"],
      ["plain/none"],
    ]);
    expect(rows[2]?.elbow).toBe("hot");
  });

  it("is the versions from the start on", () => {
    expect(ancestry(all, "policy@3").map((one) => one.name)).toEqual([
      "policy@0",
      "policy@1",
      "policy@2",
      "policy@3",
    ]);
    expect(ancestry(all, "policy@9")).toEqual([]);
  });
});

it("tells a screen reader the level and the place among siblings", () => {
  const rows = layout(policies({ 1: 0, 2: 1, 3: 2, 4: 1 }), []);
  expect(rows.map(({ level, place, siblings }) => [level, place, siblings])).toEqual([
    [1, 1, 1],
    [2, 1, 1],
    [3, 1, 2],
    [3, 2, 2],
    [4, 1, 1],
  ]);
});
