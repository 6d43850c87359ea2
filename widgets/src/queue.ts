// The outgoing queue. It lives in a synced value, so it survives a busy kernel: the host sends the
// latest value when the kernel is free, and Python acknowledges by number what it has dealt with.

import type { Model, RankerEvent } from "./protocol";

export class EventQueue {
  constructor(private readonly model: Model) {}

  /** Events that Python has not acknowledged. */
  get pending(): RankerEvent[] {
    const acked = this.model.get("acked_seq");
    return this.model.get("events").filter((event) => event.seq > acked);
  }

  push(event: Omit<RankerEvent, "seq" | "id">): void {
    const pending = this.pending;
    const last = Math.max(this.model.get("acked_seq"), ...pending.map((e) => e.seq));
    this.store([...pending, { ...event, seq: last + 1, id: uuid() }]);
  }

  /** Drop what was acknowledged. */
  prune(): void {
    const pending = this.pending;
    if (pending.length < this.model.get("events").length) this.store(pending);
  }

  private store(events: RankerEvent[]): void {
    this.model.set("events", events);
    this.model.save_changes();
  }
}

/** A random UUID, version 4. `crypto.randomUUID` is missing where a page comes by plain http. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const at = (index: number): number => bytes[index] ?? 0;
  bytes[6] = (at(6) & 0x0f) | 0x40;
  bytes[8] = (at(8) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
