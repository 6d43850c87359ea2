// The pair on the screen: the prompt, two responses, and which one is better.

import { diffView } from "../shared/diff";
import { h, keepingFocus, makeReachable, uniqueId } from "../shared/dom";
import { markdown } from "../shared/markdown";
import { promptView } from "../shared/prompt";
import type { CardData } from "../shared/protocol";
import { shared, comparer as strings } from "../strings";
import type { Choice, Item } from "./protocol";

const CHOICES: readonly Choice[] = ["A", "tie", "B"];
const KEYS: Record<Choice, string> = { A: "1", tie: "0", B: "2" };

export interface PairHost {
  /** A choice was made or taken back. */
  chosen(choice: Choice | null): void;
}

export class PairPanel {
  readonly element: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly prompt: HTMLElement;
  private readonly cards: HTMLElement;
  private readonly diff = h("div", { class: "rc-diff", hidden: true });
  private readonly shownAt = performance.now();
  private readonly buttons = new Map<Choice, HTMLButtonElement>();
  private readonly bodies: HTMLElement[] = [];
  private selected: Choice | null = null;

  constructor(
    readonly item: Item,
    start: Choice | null,
    private readonly host: PairHost,
  ) {
    const hint = uniqueId("rlhf-compare-keys");
    this.prompt = promptView(item.turns);
    this.cards = h("div", { class: "rc-cards" }, ...item.cards.map((card) => this.card(card)));
    this.bar = h(
      "div",
      {
        class: "rc-bar",
        role: "group",
        tabindex: -1,
        "aria-label": strings.question,
        "aria-describedby": hint,
      },
      ...CHOICES.map((choice) => this.button(choice)),
    );
    this.element = h(
      "div",
      { class: "rc-pair" },
      this.prompt,
      h("div", { class: "rc-texts" }, this.cards, this.diff),
      this.bar,
      h("span", { id: hint, hidden: true }, strings.keysDescription),
    );
    this.select(start);
  }

  get choice(): Choice | null {
    return this.selected;
  }

  get seconds(): number {
    return Math.round(performance.now() - this.shownAt) / 1000;
  }

  /** Whether the two say the same, word for word. */
  get same(): boolean {
    const [left, right] = this.item.cards;
    return left?.text === right?.text;
  }

  choose(choice: Choice | null): void {
    this.select(choice);
    this.host.chosen(choice);
  }

  /** Whether a target is one of the three answers: there Enter submits. */
  isAnswer(target: EventTarget | null): boolean {
    return [...this.buttons.values()].some((button) => button === target);
  }

  focus(): void {
    // Scrolled into view by hand: the browser would jump, and put the prompt above the fold.
    this.bar.focus({ preventScroll: true });
    this.element.scrollIntoView?.({ block: "nearest" });
  }

  showDiff(shown: boolean): void {
    const [left, right] = this.item.cards;
    if (shown && left && right && !this.diff.firstChild) {
      this.diff.append(
        h("div", { class: "rc-diff-title" }, strings.diffTitle),
        diffView(left.text, right.text),
      );
    }
    const change = () => {
      this.diff.hidden = !shown;
      this.cards.hidden = shown;
    };
    keepingFocus(this.element, change, () => this.bar);
    this.measure();
  }

  /** Read on in what is shown: both responses, or how they differ. */
  scroll(pages: number): void {
    for (const text of this.diff.hidden ? this.bodies : [this.diff]) {
      text.scrollBy?.({ top: pages * text.clientHeight * 0.85 });
    }
  }

  /** Text that scrolls must be reachable by keyboard; text that fits must not be a Tab stop. */
  measure(): void {
    const label = (index: number) => strings.bodyLabel(this.item.cards[index]?.letter ?? "");
    makeReachable(
      ...this.bodies.map((body, index): [HTMLElement, string] => [body, label(index)]),
      [this.prompt, shared.prompt],
      [this.diff, strings.diffTitle],
    );
  }

  private select(choice: Choice | null): void {
    this.selected = choice;
    for (const [which, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(which === choice));
    }
    for (const card of this.cards.children) {
      const letter = (card as HTMLElement).dataset.letter;
      const mark = choice === "tie" ? "tie" : choice === letter ? "better" : "";
      card.toggleAttribute("data-marked", mark !== "");
      const badge = card.querySelector(".rc-badge");
      if (badge) badge.textContent = mark && strings.badges[mark];
    }
  }

  private card(card: CardData): HTMLElement {
    const body = markdown("rc-body", card.html);
    this.bodies.push(body);
    return h(
      "div",
      {
        class: "rc-card",
        role: "group",
        "aria-label": strings.cardLabel(card.letter),
        "data-letter": card.letter,
      },
      h(
        "div",
        { class: "rc-card-top", "aria-hidden": "true" },
        h("span", { class: "rc-letter" }, card.letter),
        h("span", { class: "rc-badge" }),
      ),
      body,
    );
  }

  private button(choice: Choice): HTMLButtonElement {
    const button = h(
      "button",
      {
        type: "button",
        class: "rc-answer",
        "aria-keyshortcuts": KEYS[choice],
        "data-choice": choice,
      },
      h("kbd", { "aria-hidden": "true" }, KEYS[choice]),
      strings.answers[choice],
    );
    button.addEventListener("click", () => this.choose(choice));
    this.buttons.set(choice, button);
    return button;
  }
}
