// One candidate: its letter on the screen, its text, its rank and its ratings.

import { h } from "../shared/dom";
import { markdown } from "../shared/markdown";
import type { CardData } from "../shared/protocol";
import { ranker as strings } from "../strings";
import { Radios } from "./radios";
import { Ratings } from "./ratings";

export interface CardSettings {
  /** How many ranks there are; none for a pair, which has its own scale. */
  ranks: number;
  criteria: readonly string[];
  describedBy: string;
  onRank: (rank: number) => void;
  onRate: (criterion: string, value: number | null) => void;
}

export class Card {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
  readonly ranks: Radios | null;
  readonly ratings: Ratings;
  private readonly badge = h("span", { class: "rr-badge", "aria-hidden": "true" });
  private readonly tie = h("span", { class: "rr-tie", "aria-hidden": "true" });

  constructor(
    readonly data: CardData,
    settings: CardSettings,
  ) {
    this.body = markdown("rr-body", data.html);
    this.ranks = settings.ranks ? ranksOf(data.letter, settings) : null;
    this.ratings = new Ratings(data.letter, settings.criteria, settings.onRate);
    this.badge.hidden = !this.ranks;
    this.element = h(
      "div",
      { class: "rr-card", role: "group", tabindex: 0, "aria-describedby": settings.describedBy },
      h(
        "div",
        { class: "rr-card-top" },
        h("span", { class: "rr-letter", "aria-hidden": "true" }, data.letter),
        this.tie,
        this.badge,
      ),
      this.body,
      this.ratings.element,
    );
    if (this.ranks) this.element.append(this.ranks.element);
  }

  /** Show the rank, and which others have the same. */
  showRank(rank: number | null, tied: readonly string[]): void {
    this.element.setAttribute("aria-label", strings.cardLabel(this.data.letter, rank, tied));
    this.element.toggleAttribute("data-ranked", rank !== null);
    this.badge.textContent = rank === null ? strings.noRank : String(rank);
    this.tie.textContent = tied.length ? strings.tied(tied) : "";
    this.ranks?.show(rank);
  }

  /** Show, for one of two, what the scale says of it. */
  showVerdict(chosen: boolean, words: string): void {
    this.element.setAttribute("aria-label", strings.pairLabel(this.data.letter, chosen, words));
    this.element.toggleAttribute("data-ranked", words !== "");
    this.tie.textContent = words;
  }

  focus(): void {
    // Scrolled into view by hand: the browser would jump, and put the card's end below the fold.
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView?.({ block: "nearest" });
  }

  /** The text that may scroll, and what it is called then. */
  get text(): [HTMLElement, string] {
    return [this.body, strings.bodyLabel(this.data.letter)];
  }

  scroll(pages: number): void {
    this.body.scrollBy?.({ top: pages * this.body.clientHeight * 0.85 });
  }
}

function ranksOf(letter: string, { ranks, onRank }: CardSettings): Radios {
  const options = Array.from({ length: ranks }, (_, index) => ({
    text: String(index + 1),
    label: strings.rankOption(index + 1),
  }));
  return new Radios("rr-ranks", strings.rankGroup(letter), options, onRank);
}
