// All points of a run: those of the base and those since then, joined. No DOM here.

import type { Column, Content, Points, View } from "./protocol";

export class Series implements Points {
  steps: number[] = [];
  values: Record<string, Column> = {};

  /**
   * Take over what came; whether anything is to be drawn anew.
   *
   * The two values may arrive one after the other. A view of an older base holds points that are in
   * the new base already; a view of a newer one waits for its base.
   */
  update(content: Content, view: View): boolean {
    if (view.base > content.base) return false;
    const since: Points = view.base === content.base ? view : { steps: [], values: {} };
    const count = this.steps.length;
    this.steps = content.steps.concat(since.steps);
    const names = content.charts.flatMap((chart) => chart.curves.map((curve) => curve.name));
    this.values = Object.fromEntries(
      names.map((name) => [name, (content.values[name] ?? []).concat(since.values[name] ?? [])]),
    );
    return count > 0 || this.steps.length > 0;
  }

  get length(): number {
    return this.steps.length;
  }

  column(name: string): Column {
    return this.values[name] ?? [];
  }

  /** The value at a point; at the last point the latest one there is, as some come seldom. */
  at(name: string, index: number | null): number | null {
    const column = this.column(name);
    if (index !== null) return column[index] ?? null;
    for (let i = column.length - 1; i >= 0; i--) {
      const value = column[i];
      if (value !== null && value !== undefined) return value;
    }
    return null;
  }
}
