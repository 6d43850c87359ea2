// A comparing widget on a page, and a person at the keyboard.

import comparer from "../src/comparer";
import type { ComparerEvent, Content, Item, Result, View } from "../src/comparer/protocol";
import type { Notice, Traits } from "../src/shared/protocol";
import { WidgetScreen } from "./screen";

export function pair(
  key: string,
  texts: [string, string] = [`Left of ${key}`, `Right of ${key}`],
): Item {
  return {
    key,
    turns: [{ role: "user", html: `<p>Prompt ${key}</p>` }],
    cards: texts.map((text, n) => ({ letter: "AB".charAt(n), html: `<p>${text}</p>`, text })),
  };
}

export const PAIRS = ["one", "two", "three", "four"].map((key) => pair(key));

export function view(changes: Partial<View> = {}): View {
  return {
    phase: "comparing",
    answered: [],
    undone: [],
    ids: {},
    drafts: {},
    back: null,
    progress: { done: 0, total: 4 },
    lead: null,
    result: null,
    ...changes,
  };
}

export function content(items: Item[] = PAIRS): Content {
  return { items, store_key: "" };
}

export function result(changes: Partial<Result> = {}): Result {
  return {
    first: { name: "policy@1", wins: 12 },
    second: { name: "policy@0", wins: 9 },
    ties: 3,
    skipped: 1,
    done: 25,
    total: 25,
    unlike: 0,
    rate: { estimate: 0.5625, low: 0.3694, high: 0.7383, n: 24 },
    verdict: "unclear",
    needed: 246,
    ...changes,
  };
}

export class CompareScreen extends WidgetScreen<View, Content, ComparerEvent> {
  constructor(
    start: View = view(),
    items: Item[] = PAIRS,
    traits: Partial<Traits<View, Content, ComparerEvent>> = {},
  ) {
    super(comparer, { view: start, content: content(items), ...traits });
  }

  protected override isLabelled(button: HTMLButtonElement, label: string): boolean {
    return button.textContent?.endsWith(label) ?? false;
  }

  focus(): this {
    this.get(".rc-bar").focus();
    return this;
  }

  get said(): string[] {
    return this.events.map((event) => {
      const { type } = event;
      if (event.type === "submit") return `${event.item} ${event.choice}`;
      return "item" in event ? `${type} ${event.item}` : type;
    });
  }

  get prompt(): string {
    return this.get(".rw-prompt").textContent ?? "";
  }

  get chosen(): string[] {
    return this.all(".rc-answer[aria-pressed=true]").map((b) => b.dataset.choice ?? "");
  }

  get position(): string {
    return this.get(".rc-position").textContent ?? "";
  }

  /** What Python does, in one message: values in this order, then the acknowledgement of all. */
  answer(next: View, notice: Notice | null = null, items: Item[] | null = null): void {
    const last = this.events.at(-1)?.seq ?? this.model.get("acked_seq");
    this.model.receive(() => {
      if (items) this.model.set("content", { ...this.model.get("content"), items });
      this.model.set("view", next);
      if (notice) this.model.set("notice", notice);
      this.model.set("acked_seq", last);
    });
  }
}
