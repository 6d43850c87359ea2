// Events that Python has not acknowledged, kept in the browser beside the queue: a kernel that dies
// takes the queue with it. Where the browser keeps nothing, ranking goes on without.

import type { RankerEvent } from "./protocol";

const PREFIX = "rlhf-lab.unsent.";

export class Keep {
  /** Ids that this page has put there: another page may use the same place. */
  private readonly own = new Set<string>();

  /** @param storeKey Read each time: a lab that could not be read at first has none then. */
  constructor(private readonly storeKey: () => string | undefined) {}

  private get name(): string {
    const key = this.storeKey();
    return key ? PREFIX + key : "";
  }

  /** What is there, oldest first. */
  all(): RankerEvent[] {
    if (!this.name) return [];
    try {
      const stored: unknown = JSON.parse(localStorage.getItem(this.name) ?? "[]");
      return Array.isArray(stored) ? stored.filter(isEvent) : [];
    } catch {
      return [];
    }
  }

  /** Have in store, of this page's events, these and no others. */
  hold(events: readonly RankerEvent[]): void {
    if (events.length === 0 && this.own.size === 0) return;
    const others = this.all().filter((event) => !this.own.has(event.id));
    const ids = new Set(events.map((event) => event.id));
    this.write([...others.filter((event) => !ids.has(event.id)), ...events]);
    this.own.clear();
    for (const id of ids) this.own.add(id);
  }

  drop(events: readonly RankerEvent[]): void {
    const ids = new Set(events.map((event) => event.id));
    if (ids.size > 0) this.write(this.all().filter((event) => !ids.has(event.id)));
  }

  private write(events: readonly RankerEvent[]): void {
    if (!this.name) return;
    try {
      if (events.length === 0) localStorage.removeItem(this.name);
      else localStorage.setItem(this.name, JSON.stringify(events));
    } catch {
      // Full, or forbidden: the queue in the synced values is still there.
    }
  }
}

function isEvent(value: unknown): value is RankerEvent {
  return typeof value === "object" && value !== null && "id" in value && "type" in value;
}

/** Which of the events that a page left behind can be sent again, and which cannot. */
export function sortLeftovers(
  leftovers: readonly RankerEvent[],
  items: ReadonlySet<string>,
): { again: RankerEvent[]; dropped: RankerEvent[] } {
  const again: RankerEvent[] = [];
  const dropped: RankerEvent[] = [];
  // An undo goes with the judgment before it: alone it would take back something else.
  const judgments: boolean[] = [];
  const undone: boolean[] = [];
  for (const event of leftovers) {
    let fits = true;
    if (event.type === "submit" || event.type === "skip") {
      fits = items.has(event.item);
      judgments.push(fits);
    } else if (event.type === "undo") {
      fits = judgments.pop() ?? true;
      undone.push(fits);
    } else if (event.type === "redo") {
      fits = undone.pop() ?? true;
      judgments.push(fits);
    } else if (event.type === "demonstrate") {
      fits = items.has(event.item);
    }
    (fits ? again : dropped).push(event);
  }
  return { again, dropped };
}
