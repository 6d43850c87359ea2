// The outgoing queue. It lives in a synced value, so it survives a busy kernel: the host sends the
// latest value when the kernel is free, and Python acknowledges by number what it has dealt with.

import type { Model, WidgetEvent } from "./protocol";

/** What a widget says of an event; its number and id are the queue's. */
export type Unsent<Sent extends WidgetEvent> = Sent extends WidgetEvent
  ? Omit<Sent, "seq" | "id">
  : never;

/**
 * Windows on one widget share the synced values: what one has acknowledged is no word about what
 * another sent meanwhile. So a number says, in its remainder, which window gave it.
 */
export const numbering = { step: 1000, window: Math.floor(Math.random() * 1000) };

export class EventQueue<Sent extends WidgetEvent> {
  /** What this window sent: another one puts its own in the place of the synced ones. */
  private own: readonly Sent[] = [];

  constructor(private readonly model: Model<unknown, unknown, Sent>) {}

  /** Events that Python has not acknowledged, in their order. */
  get pending(): Sent[] {
    const events = new Map<string, Sent>();
    // Also what another view in this window sent, or this page before it was loaded again.
    for (const event of [...this.own, ...this.model.get("events")]) {
      if (event.seq >= (events.get(event.id)?.seq ?? 0)) events.set(event.id, event);
    }
    return [...events.values()].filter((e) => !this.isDone(e)).sort((a, b) => a.seq - b.seq);
  }

  /** `id` is given for an event that was sent before, so that it happens once. */
  push(event: Unsent<Sent>, id: string = uuid()): void {
    let pending = this.pending;
    const isMine = (one: Sent) => one.seq % numbering.step === numbering.window;
    if (!pending.every(isMine)) pending = this.renumbered(pending);
    const seq = this.after(Math.max(0, ...pending.map((e) => e.seq)));
    this.store([...pending, { ...event, seq, id } as unknown as Sent]);
  }

  /**
   * Drop what was acknowledged. What another window's number has overtaken is sent again under new
   * numbers: by its id Python knows what it has dealt with.
   */
  prune(): void {
    const pending = this.pending;
    const acked = this.model.get("acked_seq");
    const synced = this.model.get("events");
    const isSynced =
      pending.length === synced.length &&
      pending.every(({ id, seq }, at) => id === synced[at]?.id && seq === synced[at]?.seq);
    if (pending.some((event) => event.seq <= acked)) this.store(this.renumbered(pending));
    else if (isSynced) this.own = pending;
    else this.store(pending);
  }

  private isDone(event: Sent): boolean {
    const acked = this.model.get("acked_seq");
    return event.seq <= acked && event.seq % numbering.step === acked % numbering.step;
  }

  private renumbered(events: readonly Sent[]): Sent[] {
    let last = Math.max(...events.map((event) => event.seq));
    return events.map((event) => {
      last = this.after(last);
      return { ...event, seq: last };
    });
  }

  /** The next number of this window after this one and all that is acknowledged. */
  private after(seq: number): number {
    const last = Math.max(seq, this.model.get("acked_seq"));
    const { step, window } = numbering;
    return (Math.floor(last / step) + 1) * step + window;
  }

  private store(events: Sent[]): void {
    this.own = events;
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
