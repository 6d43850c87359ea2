// Responses as a person edits them into demonstrations. Nothing that was written is lost: not with
// another item on the screen, and not when Python could not save it. No DOM here.

import { uuid } from "../shared/queue";
import type { DemonstrateEvent, RankerEvent } from "./protocol";

/** Items whose edited texts are kept. */
const REMEMBERED = 50;

export class Edits {
  /** As they were written last, by item and card. */
  private readonly texts = new Map<string, Map<number, string>>();
  /** As they were saved last, or are being saved. */
  private readonly saved = new Map<string, string>();
  private readonly sent = new Map<string, DemonstrateEvent>();
  private readonly failed = new Map<string, DemonstrateEvent>();

  keep(item: string, card: number, text: string): void {
    const texts = this.texts.get(item) ?? new Map<number, string>();
    this.texts.delete(item);
    this.texts.set(item, texts.set(card, text));
    for (const oldest of this.texts.keys()) {
      if (this.texts.size <= REMEMBERED) break;
      this.texts.delete(oldest);
    }
  }

  /** What was written last instead of a response, or null. */
  text(item: string, card: number): string | null {
    return this.texts.get(item)?.get(card) ?? null;
  }

  /** Cards of an item whose text was changed since it was saved. */
  unsaved(item: string): number[] {
    return [...(this.texts.get(item) ?? [])].flatMap(([card, text]) =>
      this.saved.get(place(item, card)) === text ? [] : [card],
    );
  }

  /**
   * Take in what Python has dealt with.
   *
   * @param hasFailed Whether the answer of the event of this id was not saved.
   */
  update(pending: readonly RankerEvent[], hasFailed: (id: string) => boolean): void {
    const still = new Set(pending.map((event) => event.id));
    for (const event of pending) {
      if (event.type === "demonstrate" && !this.sent.has(event.id)) this.note(event);
    }
    for (const [id, event] of this.sent) {
      if (still.has(id)) continue;
      this.sent.delete(id);
      if (hasFailed(id)) this.fail(event);
    }
  }

  /** Those that could not be saved, to be sent again by a page that is loaded later. */
  get unsent(): DemonstrateEvent[] {
    return [...this.failed.values()];
  }

  private note(event: DemonstrateEvent): void {
    const { item, card, text } = event;
    this.sent.set(event.id, event);
    this.failed.delete(place(item, card));
    this.saved.set(place(item, card), text);
    if (this.text(item, card) === null) this.keep(item, card, text);
  }

  private fail(event: DemonstrateEvent): void {
    const at = place(event.item, event.card);
    // Sent again since, with more in it: that one counts.
    if ([...this.sent.values()].some((later) => place(later.item, later.card) === at)) return;
    // Python has done with the old id.
    this.failed.set(at, { ...event, id: uuid() });
    this.saved.delete(at);
  }
}

const place = (item: string, card: number): string => `${card} ${item}`;
