// The item on the screen: the prompt, its cards, and the ranks given so far.

import { focusedIn, fromSafeHtml, h, uniqueId } from "../shared/dom";
import { ranker as strings } from "../strings";
import { Card } from "./card";
import { Draft } from "./draft";
import type { Item } from "./protocol";

export interface ItemHost {
  /** Tell a screen reader. */
  say(text: string): void;
  /** Show a line under the cards, and say it. */
  tell(text: string): void;
  /** Whether the item may be changed now; not while it is being saved. */
  readonly editable: boolean;
  /** A rank was given or taken. */
  changed(): void;
}

export class ItemPanel {
  readonly element: HTMLElement;
  readonly draft: Draft;
  readonly cards: Card[];
  private readonly grid: HTMLElement;
  private readonly shownAt = performance.now();
  private current = 0;

  constructor(
    readonly item: Item,
    private readonly host: ItemHost,
  ) {
    const letters = item.cards.map((card) => card.letter);
    const hint = uniqueId("rlhf-keys");
    this.draft = new Draft(letters, item.ranks);
    this.cards = item.cards.map(
      (card, index) => new Card(card, letters.length, hint, (rank) => this.assign(index, rank)),
    );
    this.grid = h(
      "div",
      {
        class: "rr-cards",
        role: "group",
        "aria-label": strings.responses,
        "data-count": this.count,
      },
      ...this.cards.map((card) => card.element),
    );
    this.element = h(
      "div",
      { class: "rr-item" },
      promptOf(item),
      this.grid,
      h("span", { id: hint, hidden: true }, strings.keysDescription(this.count)),
    );
    this.grid.addEventListener("focusin", (event) => this.noteFocus(event));
    this.paint();
  }

  get count(): number {
    return this.cards.length;
  }

  get seconds(): number {
    return Math.round(performance.now() - this.shownAt) / 1000;
  }

  /** Put the current card in a rank and go on to the next card. */
  rank(rank: number): void {
    if (rank > this.count) {
      this.host.tell(strings.outOfRange(this.count));
      return;
    }
    const index = this.current;
    if (!this.assign(index, rank)) return;
    const next = this.cards[index + 1] ? index + 1 : null;
    this.focus(next ?? index);
    const letter = this.draft.letter(index);
    this.host.say(strings.ranked(letter, rank, next === null ? null : this.draft.letter(next)));
    if (next === null && this.draft.complete) this.host.say(strings.complete);
  }

  /** Clear the current card's rank; where there is none, go back and clear the one before. */
  clear(): void {
    if (!this.host.editable) return;
    if (this.draft.rank(this.current) === null) this.focus(Math.max(0, this.current - 1));
    this.draft.set(this.current, null);
    this.paint();
    this.host.say(strings.cleared(this.draft.letter(this.current)));
  }

  /** Complete ranks, or null after telling which cards have none and going to the first. */
  ranksOrComplaint(): number[] | null {
    const ranks = this.draft.complete;
    if (!ranks) {
      const missing = this.draft.missing;
      this.focus(missing[0] ?? 0);
      this.host.tell(strings.missing(missing.map((index) => this.draft.letter(index))));
    }
    return ranks;
  }

  focus(index = this.current): void {
    this.current = Math.min(Math.max(index, 0), this.count - 1);
    this.cards[this.current]?.focus();
    this.markCurrent();
  }

  step(by: number): void {
    // Within a rank group arrows choose among its buttons, as everywhere in radio groups.
    if (!this.stepInRanks(by)) this.focus(this.current + by);
  }

  /** Up and down: by one row of the grid, or by one card where there is only one row. */
  row(by: number): void {
    if (this.stepInRanks(by)) return;
    const tops = this.cards.map((card) => card.element.offsetTop);
    const columns = tops.filter((top) => top === tops[0]).length;
    const target = this.current + by * (columns < this.count ? columns : 1);
    if (this.cards[target]) this.focus(target);
  }

  edge(last: boolean): void {
    this.focus(last ? this.count - 1 : 0);
  }

  scroll(pages: number): void {
    this.cards[this.current]?.scroll(pages);
  }

  /** Whether the focus is in a text that scrolls: then up and down are left to the browser. */
  get readingText(): boolean {
    const active = focusedIn(this.element);
    return this.cards.some((card) => card.body === active);
  }

  /** After the layout changed. */
  measure(): void {
    for (const card of this.cards) card.updateScrollable();
  }

  private assign(index: number, rank: number): boolean {
    if (!this.host.editable) {
      this.host.tell(strings.stillSaving);
      return false;
    }
    this.current = index;
    this.draft.set(index, rank);
    this.paint();
    return true;
  }

  private stepInRanks(by: number): boolean {
    const card = this.cards[this.current];
    const from = card?.rankOf(focusedIn(this.element));
    if (!card || !from) return false;
    const rank = ((from - 1 + by + this.count) % this.count) + 1;
    if (this.assign(this.current, rank)) {
      card.focusRank(rank);
      this.host.say(strings.ranked(this.draft.letter(this.current), rank, null));
    }
    return true;
  }

  private noteFocus(event: FocusEvent): void {
    const index = this.cards.findIndex((card) => card.element.contains(event.target as Node));
    if (index >= 0) this.current = index;
    this.markCurrent();
  }

  private markCurrent(): void {
    this.cards.forEach((card, index) => {
      card.element.toggleAttribute("data-current", index === this.current);
    });
  }

  private paint(): void {
    this.cards.forEach((card, index) => {
      card.show(this.draft.rank(index), this.draft.tiedWith(index));
    });
    this.markCurrent();
    this.host.changed();
  }
}

function promptOf(item: Item): HTMLElement {
  const single = item.turns.length === 1;
  const turns = item.turns.map((turn) => {
    const role = single ? strings.prompt : (strings.roles[turn.role] ?? turn.role);
    return h(
      "div",
      { class: "rr-turn", "data-role": turn.role },
      h("div", { class: "rr-role" }, role),
      fromSafeHtml("rw-md", turn.html),
    );
  });
  return h("div", { class: "rr-prompt", role: "group", "aria-label": strings.prompt }, ...turns);
}
