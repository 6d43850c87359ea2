// The item on the screen: the prompt, its cards, and three views of one draft: the ranks on the
// cards, the board under them, or for a pair the scale.

import { focusedIn, h, makeReachable, uniqueId } from "../shared/dom";
import { promptView } from "../shared/prompt";
import { shared, ranker as strings } from "../strings";
import { Board } from "./board";
import { Card } from "./card";
import type { Draft } from "./draft";
import type { ItemCommand } from "./keys";
import type { Item } from "./protocol";
import { Scale } from "./scale";

export interface ItemHost {
  /** Tell a screen reader. */
  say(text: string): void;
  /** Show a line under the cards, and say it. */
  tell(text: string): void;
  /** Something was said of the item. */
  changed(): void;
  /** Another card is the current one. */
  moved(): void;
}

export class ItemPanel {
  readonly element: HTMLElement;
  readonly cards: Card[];
  private readonly prompt: HTMLElement;
  private readonly grid: HTMLElement;
  private readonly board: Board | null = null;
  private readonly scale: Scale | null = null;
  private readonly shownAt = performance.now();
  private current = 0;

  constructor(
    readonly item: Item,
    readonly draft: Draft,
    criteria: readonly string[],
    private readonly host: ItemHost,
  ) {
    const hint = uniqueId("rlhf-keys");
    this.cards = item.cards.map(
      (card, index) =>
        new Card(card, {
          ranks: this.isPair ? 0 : this.count,
          criteria,
          describedBy: hint,
          onRank: (rank) => this.assign(index, rank),
          onRate: (criterion, value) => this.rateCard(index, criterion, value),
        }),
    );
    if (this.isPair) this.scale = new Scale(draft.letters, (choice) => this.choose(choice));
    else {
      const onDrop = (index: number, rank: number | null) => this.dropped(index, rank);
      this.board = new Board(draft, onDrop, (index) => this.goTo(index));
    }
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
    this.prompt = promptView(item.turns);
    const keys = strings.keysDescription(this.count);
    this.element = h("div", { class: "rr-item" }, this.prompt, this.grid);
    const below = this.scale?.element ?? this.board?.element;
    if (below) this.element.append(below);
    this.element.append(h("span", { id: hint, hidden: true }, keys));
    this.element.addEventListener("focusin", (event) => this.noteFocus(event));
    this.paint();
  }

  get count(): number {
    return this.item.cards.length;
  }

  get isPair(): boolean {
    return this.count === 2;
  }

  get seconds(): number {
    return Math.round(performance.now() - this.shownAt) / 1000;
  }

  /** Index of the card that keys mean. */
  get at(): number {
    return this.current;
  }

  get letter(): string {
    return this.draft.letter(this.current);
  }

  /** Do what a key says, where it is about cards and ranks. */
  run(command: ItemCommand): void {
    const target = focusedIn(this.element);
    if (this.cards[this.current]?.ratings.indexOf(target) != null) this.runInRatings(command);
    else if (this.board?.indexOf(target) != null) this.runOnChip(command);
    else if (command.name === "rank") this.rank(command.rank);
    else if (command.name === "clear") this.clear();
    else if (command.name === "raise") this.raiseOrChoose(command);
    else if (command.name === "step") this.step(command.by);
    else if (command.name === "row") this.row(command.by);
    else if (command.name === "edge") this.focus(command.last ? this.count - 1 : 0);
    else if (command.name === "scroll") this.cards[this.current]?.scroll(command.pages);
  }

  /** Complete ranks, or null after telling which cards have none and going to the first. */
  ranksOrComplaint(): number[] | null {
    const ranks = this.draft.complete;
    if (ranks) return ranks;
    const missing = this.draft.missing;
    if (!this.isPair) this.focus(missing[0] ?? 0);
    this.host.tell(
      this.isPair
        ? strings.noChoice
        : strings.missing(missing.map((index) => this.draft.letter(index))),
    );
    return null;
  }

  /** To a response from its letter on the board. */
  private goTo(index: number): void {
    this.focus(index);
    this.sayRank(index);
  }

  focus(index = this.current): void {
    const changes = index !== this.current;
    this.current = Math.min(Math.max(index, 0), this.count - 1);
    this.cards[this.current]?.focus();
    if (changes) this.markCurrent();
  }

  /** Show or hide the ratings of every card, so that the cards of a row stay alike. */
  showRatings(shown: boolean): void {
    for (const card of this.cards) card.ratings.element.hidden = !shown;
  }

  /** Into the ratings of the current card, or from there back to the card. */
  focusRatings(): void {
    const ratings = this.cards[this.current]?.ratings;
    if (ratings?.indexOf(focusedIn(this.element)) != null) this.focus();
    else ratings?.focus(0);
  }

  /** Whether the focus is in a text that scrolls: then arrows are left to the browser. */
  get reading(): "text" | "wide" | null {
    const active = focusedIn(this.element);
    const text = [this.prompt, ...this.cards.map((card) => card.body)].find((one) =>
      one.contains(active),
    );
    if (!text) return null;
    return text === active ? "text" : "wide";
  }

  /** After the layout changed. */
  measure(): void {
    makeReachable(...this.cards.map((card) => card.text), [this.prompt, shared.prompt]);
  }

  destroy(): void {
    this.board?.destroy();
  }

  // --------------------------------------------------------------------------------------- ranking

  /** Put the current card in a rank and go on to the next card. */
  private rank(rank: number): void {
    if (this.scale) {
      this.choose(rank);
      return;
    }
    if (rank > this.count) {
      this.host.tell(strings.outOfRange(this.count));
      return;
    }
    const index = this.current;
    this.assign(index, rank);
    const next = this.cards[index + 1] ? index + 1 : null;
    this.focus(next ?? index);
    const letter = this.draft.letter(index);
    const ranked = strings.ranked(letter, rank, next === null ? null : this.draft.letter(next));
    // In one text: of two, a screen reader would say the second alone.
    this.host.say(next === null && this.draft.complete ? `${ranked} ${strings.complete}` : ranked);
  }

  private choose(choice: number): void {
    this.draft.choose(choice);
    this.paint();
    this.host.say(`${this.scale?.say(choice) ?? ""}. ${strings.enterSubmits}`);
  }

  /** Clear the current card's rank; where there is none, go back and clear the one before. */
  private clear(): void {
    if (this.isPair) {
      this.draft.choose(null);
      this.paint();
      this.host.say(strings.choiceCleared);
      return;
    }
    if (this.draft.rank(this.current) === null) this.focus(this.current - 1);
    this.draft.set(this.current, null);
    this.paint();
    this.host.say(strings.cleared(this.letter));
  }

  /** A pair has nothing to raise: there the key is the digit of its place. */
  private raiseOrChoose({ by, place }: { by: number; place?: number }): void {
    if (this.isPair && place !== undefined) this.choose(place);
    else this.raise(this.current, by);
  }

  private raise(index: number, by: number): void {
    if (this.isPair) return;
    this.draft.raise(index, by);
    this.paint();
    this.sayRank(index);
  }

  private assign(index: number, rank: number | null): void {
    this.current = index;
    this.draft.set(index, rank);
    this.paint();
  }

  private dropped(index: number, rank: number | null): void {
    this.assign(index, rank);
    this.board?.focus(index);
    this.sayRank(index);
  }

  private sayRank(index: number): void {
    this.host.say(
      strings.cardLabel(
        this.draft.letter(index),
        this.draft.rank(index),
        this.draft.tiedWith(index),
      ),
    );
  }

  /** On a chip arrows to the side move it between the slots, and up and down go to another chip. */
  private runOnChip(command: ItemCommand): void {
    const index = this.current;
    if (command.name === "step" || command.name === "raise") this.raise(index, command.by);
    else if (command.name === "row") this.current = Math.max(0, index + command.by);
    else if (command.name === "edge") this.current = command.last ? this.count - 1 : 0;
    else if (command.name === "rank" && command.rank <= this.count)
      this.assign(index, command.rank);
    else if (command.name === "clear") this.assign(index, null);
    else return;
    this.current = Math.min(this.current, this.count - 1);
    if (command.name === "rank" || command.name === "clear") this.sayRank(index);
    this.markCurrent();
    this.board?.focus(this.current);
  }

  // --------------------------------------------------------------------------------------- ratings

  private rateCard(index: number, criterion: string, value: number | null): void {
    this.current = index;
    this.draft.rate(index, criterion, value);
    this.paint();
  }

  private runInRatings(command: ItemCommand): void {
    const ratings = this.cards[this.current]?.ratings;
    const target = focusedIn(this.element);
    const at = ratings?.indexOf(target);
    if (!ratings || at == null) return;
    if (command.name === "rank") {
      const criterion = ratings.rate(target, command.rank);
      if (criterion) this.host.say(strings.rated(this.letter, criterion, command.rank));
      else this.host.tell(strings.ratingRange);
    } else if (command.name === "step") ratings.step(target, command.by);
    else if (command.name === "row") ratings.focus(at + command.by);
    else if (command.name === "clear") ratings.clear(target);
    else if (command.name === "raise") this.raise(this.current, command.by);
  }

  // --------------------------------------------------------------------------------------- moving

  private step(by: number): void {
    // Within a rank group arrows choose among its buttons, as everywhere in radio groups.
    if (!this.stepInRadios(by)) this.focus(this.current + by);
  }

  /** Up and down: by one row of the grid, or by one card where there is only one row. */
  private row(by: number): void {
    if (this.stepInRadios(by)) return;
    const tops = this.cards.map((card) => card.element.offsetTop);
    const columns = tops.filter((top) => top === tops[0]).length;
    const target = this.current + by * (columns < this.count ? columns : 1);
    if (this.cards[target]) this.focus(target);
  }

  private stepInRadios(by: number): boolean {
    const radios = this.scale?.radios ?? this.cards[this.current]?.ranks;
    const from = radios?.valueOf(focusedIn(this.element));
    if (!radios || !from) return false;
    const value = radios.after(from, by);
    if (this.scale) this.choose(value);
    else this.assign(this.current, value);
    radios.focus(value);
    if (!this.scale) this.host.say(strings.ranked(this.letter, value, null));
    return true;
  }

  private noteFocus(event: FocusEvent): void {
    const chip = this.board?.indexOf(event.target) ?? -1;
    const card = this.cards.findIndex(({ element }) => element.contains(event.target as Node));
    const index = Math.max(card, chip);
    if (index < 0 || index === this.current) return;
    this.current = index;
    this.markCurrent();
  }

  // --------------------------------------------------------------------------------------- showing

  private markCurrent(): void {
    this.cards.forEach((card, index) => {
      card.element.toggleAttribute("data-current", index === this.current);
    });
    this.board?.show(this.current);
    this.host.moved();
  }

  private paint(): void {
    const { choice } = this.draft;
    const verdicts = this.isPair ? strings.verdicts(choice) : null;
    this.cards.forEach((card, index) => {
      if (verdicts) card.showVerdict(choice !== null, verdicts[index] ?? "");
      else card.showRank(this.draft.rank(index), this.draft.tiedWith(index));
      card.ratings.show((criterion) => this.draft.rating(index, criterion));
    });
    this.scale?.show(choice);
    this.markCurrent();
    this.host.changed();
  }
}
