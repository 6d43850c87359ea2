// The outgoing queue. It lives in a synced value, so it survives a busy kernel: the host sends the
// latest value when the kernel is free, and Python acknowledges by number what it has dealt with.

import type { Model, WidgetEvent } from "./protocol";

/** What a widget says of an event; its number and id are the queue's. */
export type Unsent<Sent extends WidgetEvent> = Sent extends WidgetEvent
  ? Omit<Sent, "seq" | "id">
  : never;

export class EventQueue<Sent extends WidgetEvent> {
  constructor(private readonly model: Model<unknown, unknown, Sent>) {}

  /** Events that Python has not acknowledged. */
  get pending(): Sent[] {
    const acked = this.model.get("acked_seq");
    return this.model.get("events").filter((event) => event.seq > acked);
  }

  /** `id` is given for an event that was sent before, so that it happens once. */
  push(event: Unsent<Sent>, id: string = uuid()): void {
    const pending = this.pending;
    const last = Math.max(this.model.get("acked_seq"), ...pending.map((e) => e.seq));
    const numbered = { ...event, seq: last + 1, id } as unknown as Sent;
    this.store([...pending, numbered]);
  }

  /** Drop what was acknowledged. */
  prune(): void {
    const pending = this.pending;
    if (pending.length < this.model.get("events").length) this.store(pending);
  }

  private store(events: Sent[]): void {
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
