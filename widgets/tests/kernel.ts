// What Python does with the events of the ranking widget, to the letter of the protocol. It has its
// turn only when a test says so: a kernel that runs a cell deals with nothing.

import type {
  Content,
  DraftData,
  Item,
  RankerEvent,
  SkipEvent,
  SubmitEvent,
  View,
} from "../src/ranker/protocol";
import type { Notice } from "../src/shared/protocol";
import type { FakeModel } from "./harness";

type Judged = SubmitEvent | SkipEvent;

export class Kernel {
  /** What is in the store, in order; undone judgments are not. */
  stored: Judged[] = [];
  /** Every event that was dealt with. */
  readonly seen: RankerEvent[] = [];
  /** Keys whose judgments cannot be stored now. */
  readonly failing = new Set<string>();
  private undone: Judged[] = [];
  private readonly drafts = new Map<string, DraftData>();
  private readonly ids = new Set<string>();
  private notice: Notice | null = null;
  private notices = 0;

  constructor(
    private readonly model: FakeModel<View, Content, RankerEvent>,
    private readonly all: Item[],
    private readonly window = all.length,
  ) {
    this.publish(0);
  }

  /** Deal with what came; only up to this number, as when a message came late. */
  run(upTo = Number.POSITIVE_INFINITY): void {
    const acked = this.model.get("acked_seq");
    const events = this.model.get("events").filter((e) => e.seq > acked && e.seq <= upTo);
    if (events.length) this.notice = null;
    for (const event of events) {
      if (!this.ids.has(event.id)) this.handle(event);
      this.ids.add(event.id);
    }
    this.publish(Math.max(acked, ...events.map((event) => event.seq)));
  }

  private handle(event: RankerEvent): void {
    this.seen.push(event);
    if (event.type === "submit" || event.type === "skip") this.judge(event);
    else if (event.type === "demonstrate" && this.failing.has(event.item)) {
      this.tell("error", `Not saved: your answer to ${event.item}. Disk full.`);
    } else if (event.type === "undo") {
      const last = this.stored.pop();
      if (!last) this.tell("info", "There is nothing to undo.");
      else {
        this.undone.push(last);
        this.remember(last);
      }
    } else if (event.type === "redo") {
      const last = this.undone.pop();
      if (last) this.stored.push(last);
      else this.tell("info", "There is nothing to redo.");
    }
  }

  private judge(event: Judged): void {
    if (this.isStored(event.item)) {
      this.tell("info", "Nothing was changed.");
    } else if (this.failing.has(event.item)) {
      this.remember(event);
      this.tell("error", `Not saved: ${event.item}. Disk full.`);
    } else {
      this.stored.push(event);
      this.undone = [];
    }
  }

  private remember(event: Judged): void {
    const nothing = { ranks: null, strength: null, ratings: [] };
    const { comment, flags } = event;
    const said = event.type === "submit" ? event : { ...nothing, comment, flags };
    this.drafts.set(event.item, { ...said });
  }

  private isStored(key: string): boolean {
    return this.stored.some((event) => event.item === key);
  }

  private tell(tone: Notice["tone"], text: string): void {
    this.notices += 1;
    this.notice = { id: this.notices, tone, text };
  }

  private publish(acked: number): void {
    this.model.receive(() => this.set(acked));
  }

  private set(acked: number): void {
    const last = this.undone.at(-1)?.item;
    const open = this.all.filter((item) => !this.isStored(item.key)).slice(0, this.window);
    const first = open.find((item) => item.key === last) ?? open[0];
    const items = open.map((item) => ({ ...item, draft: this.drafts.get(item.key) ?? null }));
    this.model.set("content", { ...this.model.get("content"), items });
    this.model.set("view", {
      ...this.model.get("view"),
      phase: first ? "ranking" : "finished",
      answered: [],
      current: first?.key ?? "",
      progress: { done: this.stored.length, total: this.all.length },
    });
    this.model.set("notice", this.notice);
    this.model.set("acked_seq", acked);
  }
}
