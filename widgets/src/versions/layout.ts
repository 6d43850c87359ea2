// Where each version stands in the drawing. No DOM here.
//
// Rows come in the order of a tree: a version, then what was made from it. Of several children the
// one with most descendants comes last and goes on in its parent's lane; the others stand one lane
// to the right. So a chain is a straight line, however long; a lane left of a version always goes
// on below it; and there are at most log2(n) + 1 lanes, however the tree branches.

import type { Version } from "./protocol";

/** Half a lane in a row: not there, there, or on the way from the start to what is present. */
export type Line = "none" | "plain" | "hot";

export interface Lane {
  top: Line;
  bottom: Line;
}

export interface Row {
  version: Version;
  /** Of its parent, or -1. */
  parentRow: number;
  /** 1 for a start; as in aria-level. */
  level: number;
  lane: number;
  /** How it hangs on the lane to its left; "none" where it goes on in its parent's. */
  elbow: Line;
  /** From the left to its own. */
  lanes: Lane[];
  /** Its place among its siblings, from 1, and how many they are. */
  place: number;
  siblings: number;
  onPath: boolean;
}

interface Node {
  version: Version;
  children: Node[];
  /** Itself and all descendants. */
  size: number;
}

/** The rows of a forest, policies first. */
export function layout(versions: readonly Version[], present: readonly string[]): Row[] {
  const starts = forest(versions);
  const path = pathTo(versions, present);
  const rows: Row[] = [];
  starts.forEach((start, index) => {
    place(start, starts.length, index + 1, path, rows);
  });
  draw(rows);
  return rows;
}

/** Names on the way from a start to each of these. */
export function pathTo(versions: readonly Version[], names: readonly string[]): Set<string> {
  const byName = new Map(versions.map((version) => [version.name, version]));
  const path = new Set<string>();
  for (const name of names) {
    let version = byName.get(name);
    while (version && !path.has(version.name)) {
      path.add(version.name);
      version = version.parent ? byName.get(version.parent) : undefined;
    }
  }
  return path;
}

/** From the start to a version, with both. */
export function ancestry(versions: readonly Version[], name: string): Version[] {
  const path = pathTo(versions, [name]);
  return versions.filter((version) => path.has(version.name));
}

function forest(versions: readonly Version[]): Node[] {
  const nodes = new Map<string, Node>(
    versions.map((version) => [version.name, { version, children: [], size: 1 }]),
  );
  const starts: Node[] = [];
  for (const node of nodes.values()) {
    const parent = node.version.parent ? nodes.get(node.version.parent) : undefined;
    (parent?.children ?? starts).push(node);
  }
  // A parent is made before its children, so from the end every size is known when it is added.
  for (const node of [...nodes.values()].reverse()) {
    const parent = node.version.parent ? nodes.get(node.version.parent) : undefined;
    if (parent) parent.size += node.size;
  }
  for (const node of nodes.values()) {
    const last = node.children.reduce<Node | null>(
      (best, child) => (best && best.size >= child.size ? best : child),
      null,
    );
    if (last) node.children = [...node.children.filter((child) => child !== last), last];
  }
  // By role, and in one role by age: the sort is stable.
  return starts.sort((a, b) => Number(isReward(a.version)) - Number(isReward(b.version)));
}

export function isReward(version: Version): boolean {
  return version.role === "reward";
}

function place(
  start: Node,
  siblings: number,
  position: number,
  path: ReadonlySet<string>,
  rows: Row[],
): void {
  // A stack and no recursion: a chain may be as long as a lab is old.
  const stack = [{ node: start, parentRow: -1, lane: 0, place: position, siblings }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, parentRow, lane } = next;
    const index = rows.length;
    rows.push({
      version: node.version,
      parentRow,
      level: (rows[parentRow]?.level ?? 0) + 1,
      lane,
      elbow: "none",
      lanes: [],
      place: next.place,
      siblings: next.siblings,
      onPath: path.has(node.version.name),
    });
    const count = node.children.length;
    for (let child = count - 1; child >= 0; child -= 1) {
      const isLast = child === count - 1;
      stack.push({
        node: node.children[child] as Node,
        parentRow: index,
        lane: isLast ? lane : lane + 1,
        place: child + 1,
        siblings: count,
      });
    }
  }
}

function draw(rows: Row[]): void {
  // For every row, the one below it that its lane leads to along the path, if any.
  const next = rows.map(() => -1);
  const hasChildren = rows.map(() => false);
  rows.forEach((row, index) => {
    if (row.parentRow < 0) return;
    hasChildren[row.parentRow] = true;
    if (row.onPath) next[row.parentRow] = Math.max(next[row.parentRow] ?? -1, index);
  });
  // In each lane, the version whose children hang on it.
  const owners: number[] = [];
  rows.forEach((row, index) => {
    for (let lane = 0; lane < row.lane; lane += 1) {
      const leads = next[owners[lane] ?? -1] ?? -1;
      // Where the path turns off here, it is the elbow that shows it.
      const line = leads > index ? "hot" : "plain";
      row.lanes.push({ top: line, bottom: line });
    }
    const parent = rows[row.parentRow];
    const fromParent: Line = !parent ? "none" : row.onPath ? "hot" : "plain";
    const inParentsLane = parent?.lane === row.lane;
    row.elbow = inParentsLane ? "none" : fromParent;
    row.lanes.push({
      top: inParentsLane ? fromParent : "none",
      bottom: !hasChildren[index] ? "none" : (next[index] ?? -1) > index ? "hot" : "plain",
    });
    owners[row.lane] = index;
  });
}
