// Events that Python has not acknowledged, kept in the browser beside the queue: a kernel that dies
// takes the queue with it. Where the browser keeps nothing, judging goes on without.

import type { WidgetEvent } from "./protocol";

const PREFIX = "rlhf-lab.unsent.";
/** Thirty days: an item that has not come by then will not come. */
const FORGOTTEN_AFTER_MS = 30 * 24 * 3600 * 1000;

/** An event and when it was put there, in milliseconds since 1970. */
interface Kept<Sent> {
  event: Sent;
  since: number;
}

export class Keep<Sent extends WidgetEvent> {
  /** Ids that this page has put there: another page may use the same place. */
  private readonly own = new Set<string>();

  /** @param storeKey Read each time: a lab that could not be read at first has none then. */
  constructor(private readonly storeKey: () => string | undefined) {}

  private get name(): string {
    const key = this.storeKey();
    return key ? PREFIX + key : "";
  }

  /** What is there, oldest first. */
  all(): Sent[] {
    return this.read().map(({ event }) => event);
  }

  /** Have in store, of this page's events, these and no others. */
  hold(events: readonly Sent[]): void {
    if (events.length === 0 && this.own.size === 0) return;
    const stored = this.read();
    const since = new Map(stored.map((kept) => [kept.event.id, kept.since]));
    const ids = new Set(events.map((event) => event.id));
    const others = stored.filter(({ event }) => !this.own.has(event.id) && !ids.has(event.id));
    const held = events.map((event) => ({ event, since: since.get(event.id) ?? Date.now() }));
    this.write([...others, ...held]);
    this.own.clear();
    for (const id of ids) this.own.add(id);
  }

  drop(events: readonly Sent[]): void {
    const ids = new Set(events.map((event) => event.id));
    if (ids.size > 0) this.write(this.read().filter(({ event }) => !ids.has(event.id)));
  }

  private read(): Kept<Sent>[] {
    if (!this.name) return [];
    const oldest = Date.now() - FORGOTTEN_AFTER_MS;
    try {
      const stored: unknown = JSON.parse(localStorage.getItem(this.name) ?? "[]");
      if (!Array.isArray(stored)) return [];
      return stored
        .filter(isEvent<Sent>)
        .map(keptOf)
        .filter(({ since }) => since > oldest);
    } catch {
      return [];
    }
  }

  private write(all: readonly Kept<Sent>[]): void {
    if (!this.name) return;
    try {
      const stored = all.map(({ event, since }) => ({ ...event, kept_since: since }));
      if (stored.length === 0) localStorage.removeItem(this.name);
      else localStorage.setItem(this.name, JSON.stringify(stored));
    } catch {
      // Full, or forbidden: the queue in the synced values is still there.
    }
  }
}

/** Python knows nothing of the time that stands beside a stored event. */
function keptOf<Sent>({ kept_since, ...event }: Sent & { kept_since?: unknown }): Kept<Sent> {
  const since = typeof kept_since === "number" ? kept_since : Date.now();
  return { event: event as Sent, since };
}

function isEvent<Sent>(value: unknown): value is Sent {
  return typeof value === "object" && value !== null && "id" in value && "type" in value;
}
