// The board of ranks, by keys and by mouse.

import Sortable from "sortablejs";
import { describe, expect, it, vi } from "vitest";
import { Screen } from "./harness";

function start() {
  const screen = new Screen();
  screen.card("A").focus();
  return screen;
}

describe("the rank board", () => {
  const chip = (screen: Screen, letter: string) => screen.get(`.rr-chip[data-letter=${letter}]`);
  const slots = (screen: Screen) => screen.all(".rr-slot").map((slot) => slot.textContent || "·");

  it("shows the draft that digits and buttons make", () => {
    const screen = start();
    expect(slots(screen)).toEqual(["·", "·", "·", "·", "ABCD"]);
    screen.press("2", "1", "2");
    expect(slots(screen)).toEqual(["B", "AC", "·", "·", "D"]);
    expect(screen.all(".rr-slot").map((slot) => slot.getAttribute("aria-label"))).toEqual([
      "Rank 1: B",
      "Rank 2: A and C",
      "Rank 3: none",
      "Rank 4: none",
      "Not ranked: D",
    ]);
    screen.press("1", "ArrowLeft", "ArrowLeft", "1");
    expect(slots(screen)).toEqual(["BD", "AC", "·", "·", "·"]);
  });

  it("moves a chip by keyboard, and keeps the focus on it", () => {
    const screen = start();
    chip(screen, "C").focus();
    screen.press("ArrowLeft", "ArrowLeft");
    expect(slots(screen)).toEqual(["·", "·", "C", "·", "ABD"]);
    expect(document.activeElement).toBe(chip(screen, "C"));
    expect(screen.announced).toBe("Response C, rank 3");
    screen.press("1");
    expect(slots(screen)[0]).toBe("C");
    screen.press("ArrowDown", "1");
    expect(slots(screen)[0]).toBe("CD");
    expect(document.activeElement).toBe(chip(screen, "D"));
    screen.press("Backspace");
    expect(slots(screen)).toEqual(["C", "·", "·", "·", "ABD"]);
    screen.press("ArrowUp", "ArrowRight");
    expect(slots(screen)[1]).toBe("C");
    expect(screen.card("C").getAttribute("aria-label")).toBe("Response C, rank 2");
  });

  it("has one Tab stop", () => {
    const screen = start();
    const stops = () => screen.all(".rr-chip").filter((element) => element.tabIndex === 0);
    expect(stops().map((element) => element.textContent)).toEqual(["A"]);
    screen.press("1");
    expect(stops().map((element) => element.textContent)).toEqual(["B"]);
  });

  it("takes what is dropped on a rank, and on the tray", () => {
    const made = vi.spyOn(Sortable, "create");
    const screen = start();
    expect(made).not.toHaveBeenCalled();
    screen.get(".rr-board").dispatchEvent(new Event("pointerover"));
    expect(made).toHaveBeenCalledTimes(5);
    const drop = (letter: string, slot: number) => {
      const to = screen.all(".rr-slot")[slot];
      const dragged = chip(screen, letter);
      to?.append(dragged);
      made.mock.calls[0]?.[1]?.onEnd?.({ item: dragged, to } as never);
    };
    drop("D", 0);
    drop("B", 0);
    expect(slots(screen)).toEqual(["BD", "·", "·", "·", "AC"]);
    expect(screen.ranks).toBe("–1–1");
    drop("D", 4);
    expect(slots(screen)).toEqual(["B", "·", "·", "·", "ACD"]);
    expect(document.activeElement).toBe(chip(screen, "D"));
  });

  it("takes what a quick hand drops where the hand is, and not where it was seen last", () => {
    const made = vi.spyOn(Sortable, "create");
    const screen = start();
    screen.get(".rr-board").dispatchEvent(new Event("pointerover"));
    const places = screen.all(".rr-place");
    places.forEach((place, index) => {
      place.getBoundingClientRect = () => new DOMRect(index * 100, 0, 90, 40);
    });
    const drop = (letter: string, originalEvent: object) =>
      made.mock.calls[0]?.[1]?.onEnd?.({
        item: chip(screen, letter),
        to: screen.all(".rr-slot")[2],
        originalEvent,
      } as never);
    drop("D", { clientX: 150, clientY: 20 });
    drop("A", { changedTouches: [{ clientX: 20, clientY: 20 }] });
    drop("B", { clientX: 20, clientY: 300 });
    expect(slots(screen)).toEqual(["A", "D", "B", "·", "C"]);
  });

  it("leads to a response when its letter is pressed, and not when it was dragged", () => {
    vi.useFakeTimers();
    const screen = start();
    chip(screen, "C").click();
    expect(screen.focusedLabel).toBe("Response C, not ranked");
    expect(screen.announced).toBe("Response C, not ranked");
    screen.press("2");
    expect(screen.ranks).toBe("––2–");
    const made = vi.spyOn(Sortable, "create");
    screen.get(".rr-board").dispatchEvent(new Event("pointerover"));
    const [item, to] = [chip(screen, "A"), screen.all(".rr-slot")[0]];
    made.mock.calls[0]?.[1]?.onEnd?.({ item, to } as never);
    item.click();
    expect(document.activeElement).toBe(item);
    vi.runAllTimers();
    item.click();
    expect(screen.focusedLabel).toBe("Response A, rank 1");
    vi.useRealTimers();
  });
});
