// One candidate: its letter, its text, its rank.

import { fromSafeHtml, h } from "../shared/dom";
import { ranker as strings } from "../strings";
import type { CardData } from "./protocol";

export class Card {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
  private readonly badge = h("span", { class: "rr-badge", "aria-hidden": "true" });
  private readonly tie = h("span", { class: "rr-tie" });
  private readonly radios: HTMLButtonElement[];

  constructor(
    readonly data: CardData,
    count: number,
    describedBy: string,
    onRank: (rank: number) => void,
  ) {
    this.body = fromSafeHtml("rr-body rw-md", data.html);
    if (!this.body.textContent?.trim() && !this.body.children.length) {
      this.body.append(h("p", { class: "rw-muted" }, strings.emptyAnswer));
    }
    this.radios = Array.from({ length: count }, (_, i) => this.radio(i + 1, onRank));
    this.element = h(
      "div",
      { class: "rr-card", role: "group", tabindex: 0, "aria-describedby": describedBy },
      h(
        "div",
        { class: "rr-card-top" },
        h("span", { class: "rr-letter", "aria-hidden": "true" }, data.letter),
        this.tie,
        this.badge,
      ),
      this.body,
      h(
        "div",
        { class: "rr-ranks", role: "radiogroup", "aria-label": strings.rankGroup(data.letter) },
        ...this.radios,
      ),
    );
    this.show(null, []);
  }

  show(rank: number | null, tied: readonly string[]): void {
    this.element.setAttribute("aria-label", strings.cardLabel(this.data.letter, rank, tied));
    this.element.toggleAttribute("data-ranked", rank !== null);
    this.badge.textContent = rank === null ? strings.noRank : String(rank);
    this.tie.textContent = tied.length ? strings.tied(tied) : "";
    this.radios.forEach((radio, index) => {
      const checked = index + 1 === rank;
      radio.setAttribute("aria-checked", String(checked));
      // One stop for Tab in each radio group: the chosen rank, or the first.
      radio.tabIndex = checked || (rank === null && index === 0) ? 0 : -1;
    });
  }

  focus(): void {
    // Scrolled into view by hand: the browser would jump, and put the card's end below the fold.
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView?.({ block: "nearest" });
  }

  focusRank(rank: number): void {
    this.radios[rank - 1]?.focus();
  }

  /** Which rank button this is, or null. */
  rankOf(target: EventTarget | null): number | null {
    const index = this.radios.indexOf(target as HTMLButtonElement);
    return index < 0 ? null : index + 1;
  }

  /** Text that scrolls must be reachable by keyboard; text that fits must not be a Tab stop. */
  updateScrollable(): void {
    if (this.body.scrollHeight > this.body.clientHeight + 1) {
      this.body.tabIndex = 0;
      this.body.setAttribute("role", "region");
      this.body.setAttribute("aria-label", strings.bodyLabel(this.data.letter));
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) this.body.removeAttribute(name);
    }
  }

  scroll(pages: number): void {
    this.body.scrollBy?.({ top: pages * this.body.clientHeight * 0.85 });
  }

  private radio(rank: number, onRank: (rank: number) => void): HTMLButtonElement {
    const attributes = { type: "button", role: "radio", class: "rr-rank" };
    const label = { "aria-label": strings.rankOption(rank) };
    const button = h("button", { ...attributes, ...label }, String(rank));
    button.addEventListener("click", () => onRank(rank));
    return button;
  }
}
