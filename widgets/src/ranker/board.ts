// The ranks as a board: a slot for each rank with the letters that are in it, and a tray of those
// that are in none. The same draft as digits and rank buttons, for the hand that likes to drag.

import Sortable from "sortablejs";
import { h, uniqueId } from "../shared/dom";
import { ranker as strings } from "../strings";
import type { Draft } from "./draft";

const WORDS_FIT = 4;

export class Board {
  readonly element: HTMLElement;
  private readonly chips: HTMLButtonElement[];
  /** One for each rank, and the tray as the last. */
  private readonly slots: HTMLElement[];
  private readonly sortables: Sortable[] = [];
  private isDropped = false;

  /**
   * @param onDrop Gets the index of the card, and its rank or null for the tray.
   * @param onPress Gets the index of the card whose chip was pressed and not dragged.
   */
  constructor(
    private readonly draft: Draft,
    private readonly onDrop: (index: number, rank: number | null) => void,
    private readonly onPress: (index: number) => void,
  ) {
    this.chips = draft.letters.map((letter, index) => this.chip(letter, index));
    const ranks = draft.letters.map((_, index) => index + 1);
    this.slots = [...ranks, null].map((rank) =>
      h("div", { class: "rr-slot", role: "group", "data-rank": rank ?? "" }),
    );
    this.element = h(
      "div",
      {
        class: "rr-board",
        role: "group",
        "aria-label": strings.board,
        "data-count": draft.count,
      },
      ...this.slots.map((slot, index) => this.place(slot, ranks[index] ?? null)),
    );
    this.element.addEventListener("pointerover", () => this.makeDraggable(), { once: true });
  }

  show(current: number): void {
    const filled = new Map<HTMLElement, string[]>();
    this.chips.forEach((chip, index) => {
      const rank = this.draft.rank(index);
      const slot = this.slots[(rank ?? this.slots.length) - 1];
      // Only what is elsewhere is moved: a moved element loses the focus.
      if (slot && (chip.parentElement !== slot || !inOrder(chip))) insert(slot, chip);
      chip.tabIndex = index === current ? 0 : -1;
      chip.toggleAttribute("data-current", index === current);
      chip.setAttribute("aria-label", strings.chip(this.draft.letter(index), rank));
      if (slot) filled.set(slot, [...(filled.get(slot) ?? []), this.draft.letter(index)]);
    });
    this.slots.forEach((slot, index) => {
      const rank = index + 1 < this.slots.length ? index + 1 : null;
      slot.setAttribute("aria-label", strings.slot(rank, filled.get(slot) ?? []));
    });
  }

  /** Which card's chip this is, or null. */
  indexOf(target: EventTarget | null): number | null {
    const index = this.chips.indexOf(target as HTMLButtonElement);
    return index < 0 ? null : index;
  }

  focus(index: number): void {
    this.chips[index]?.focus();
  }

  destroy(): void {
    for (const sortable of this.sortables) sortable.destroy();
    this.sortables.length = 0;
  }

  private chip(letter: string, index: number): HTMLButtonElement {
    const attributes = { type: "button", class: "rr-chip", "data-letter": letter };
    const chip = h("button", attributes, letter);
    chip.addEventListener("click", () => {
      if (!this.isDropped) this.onPress(index);
    });
    return chip;
  }

  private place(slot: HTMLElement, rank: number | null): HTMLElement {
    // Many letters leave no room for words; the sign is that of cards without a rank.
    const tray = this.draft.count > WORDS_FIT ? strings.noRank : strings.tray;
    const name = rank === null ? tray : String(rank);
    const kind = rank === null ? "rr-place rr-tray" : "rr-place";
    const label = h("span", { class: "rr-place-name", "aria-hidden": "true" }, name);
    return h("div", { class: kind }, label, slot);
  }

  /** Only when a pointer comes near: most people type, and each item would pay for it. */
  private makeDraggable(): void {
    const group = uniqueId("rlhf-board");
    for (const slot of this.slots) {
      this.sortables.push(
        Sortable.create(slot, {
          group,
          sort: false,
          animation: 0,
          // The browser's own dragging knows no touch, and notebooks listen to it.
          forceFallback: true,
          fallbackTolerance: 3,
          draggable: ".rr-chip",
          ghostClass: "rr-chip-ghost",
          dragClass: "rr-chip-drag",
          emptyInsertThreshold: 16,
          // Its types leave out the event of the browser.
          onEnd: ({
            item,
            to,
            originalEvent,
          }: Sortable.SortableEvent & { originalEvent?: Event }) =>
            this.drop(item, this.slotUnder(originalEvent) ?? to),
        }),
      );
    }
  }

  /** Where the hand let go. What is dragged over is looked at only now and then: a quick hand is past. */
  private slotUnder(event?: Event): HTMLElement | null {
    const touch = (event as TouchEvent | undefined)?.changedTouches?.[0];
    const { clientX: x, clientY: y } = touch ?? ((event ?? {}) as MouseEvent);
    const isUnder = (slot: HTMLElement) => {
      const box = (slot.parentElement ?? slot).getBoundingClientRect();
      return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    };
    return this.slots.find(isUnder) ?? null;
  }

  private drop(chip: HTMLElement, slot: HTMLElement): void {
    const index = this.indexOf(chip);
    const rank = Number(slot.dataset.rank) || null;
    if (index !== null) this.onDrop(index, rank);
    // Where the pointer goes up over the chip that it moved, the browser takes it for a click.
    this.isDropped = true;
    setTimeout(() => {
      this.isDropped = false;
    });
  }
}

const letterOf = (chip: Element | null): string =>
  (chip instanceof HTMLElement && chip.dataset.letter) || "";

/** Whether the chips beside this one are those of the letters before and after. */
function inOrder(chip: HTMLElement): boolean {
  const next = letterOf(chip.nextElementSibling);
  return letterOf(chip.previousElementSibling) < letterOf(chip) && (!next || letterOf(chip) < next);
}

function insert(slot: HTMLElement, chip: HTMLElement): void {
  const after = [...slot.children].find(
    (other) => other !== chip && letterOf(other) > letterOf(chip),
  );
  slot.insertBefore(chip, after ?? null);
}
