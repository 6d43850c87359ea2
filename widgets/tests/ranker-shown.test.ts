// What the ranking widget shows, and when: texts, progress, words.

import { describe, expect, it, vi } from "vitest";
import { content, item, Screen, view } from "./harness";

const nothing = { content: content({ items: [] }) };

describe("what it shows", () => {
  it("shows position, prompt and candidates", () => {
    const screen = new Screen();
    expect(screen.get(".rr-position").textContent).toBe("3 of 16");
    expect(screen.get(".rw-prompt").textContent).toContain("Prompt one");
    expect(
      screen.all(".rr-card").map((card) => card.querySelector(".rr-body")?.textContent),
    ).toEqual([..."ABCD"].map((letter) => `Answer ${letter} to one`));
  });

  it("starts from the draft that an undo brought back", () => {
    const screen = new Screen({ content: content({ items: [item("one", 4, [1, 3, 3, 2])] }) });
    screen.card("A").focus();
    screen.press("Enter");
    expect(screen.events[0]).toMatchObject({ ranks: [1, 3, 3, 2] });
  });

  it("tells the pace and what remains, from when it is known", () => {
    const screen = new Screen();
    expect(screen.get(".rr-pace").textContent).toBe("");
    screen.model.set("view", view({ pace: 31 }));
    // 14 of 16 remain: 14 x 31 s = 434 s.
    expect(screen.get(".rr-pace").textContent).toBe("31 s each, about 7 minutes left");
    screen.model.set("view", view({ pace: 75, progress: { done: 15, total: 16 } }));
    expect(screen.get(".rr-pace").textContent).toBe("1 min 15 s each, about 1 minute left");
    screen.model.set("view", view({ pace: 30, progress: { done: 0, total: 600 } }));
    expect(screen.get(".rr-pace").textContent).toBe("30 s each, about 5 hours left");
  });

  it("reveals after the vote what the reward model says", () => {
    const screen = new Screen();
    expect(screen.get(".rr-reveal").textContent).toBe("");
    const reveal = { item: "zero", order: "B > A = C", agrees: 0.8, text: "" };
    screen.model.set("view", view({ reveal }));
    expect(screen.get(".rr-reveal").textContent).toBe(
      "Last answer: Reward model: B > A = C. You agree on 80% of the pairs.",
    );
    const told = screen.get(".rr-reveal").firstChild;
    screen.model.set("view", view({ reveal }));
    expect(screen.get(".rr-reveal").firstChild).toBe(told);
    const hostile = { ...reveal, item: "one", text: "<b>As you</b>." };
    screen.model.set("view", view({ reveal: hostile }));
    expect(screen.get(".rr-reveal").textContent).toBe("Last answer: <b>As you</b>.");
  });

  it("says what to do when there is nothing to rank", () => {
    const empty = view({ phase: "empty", current: "", progress: { done: 0, total: 0 } });
    const screen = new Screen({ ...nothing, view: empty });
    expect(screen.get(".rr-stage").textContent).toContain("Nothing to rank");
    expect(screen.get(".rr-stage").textContent).toContain("lab.generate()");
    expect(screen.button("Submit").hidden).toBe(true);
    const before = screen.shown;
    screen.button("Check again").click();
    expect(screen.events[0]).toMatchObject({ type: "refresh" });
    screen.model.set("view", { ...screen.model.get("view") });
    expect(screen.shown).toBe(before);
  });

  it("says what comes next when all is ranked", () => {
    const done = { done: 16, total: 16 };
    const finished = view({ phase: "finished", current: "", progress: done });
    const screen = new Screen({ ...nothing, view: finished });
    expect(screen.get(".rr-stage").textContent).toContain("All ranked: 16 of 16");
    expect(screen.get(".rr-stage").textContent).toContain("Next: lab.update_reward()");
  });

  it("waits for what others have in hand, and asks again by itself", () => {
    vi.useFakeTimers();
    try {
      const waiting = view({ phase: "waiting", current: "", progress: { done: 1, total: 3 } });
      const screen = new Screen({ ...nothing, view: waiting });
      const words =
        "Others are answering what is left. New items come here when theirs are given back.";
      expect(screen.get(".rr-stage").textContent).toContain(words);
      expect(screen.events).toEqual([]);
      vi.advanceTimersByTime(30_000);
      expect(screen.events).toHaveLength(1);
      expect(screen.events[0]).toMatchObject({ type: "refresh" });
      expect(screen.get(".rr-stage").textContent).toContain(words);
      // Once as long as Python has not answered, and never while there is something to rank.
      vi.advanceTimersByTime(90_000);
      expect(screen.events).toHaveLength(1);
      screen.model.set("acked_seq", 1);
      screen.model.set("content", content());
      screen.model.set("view", view());
      vi.advanceTimersByTime(90_000);
      expect(screen.events).toEqual([]);
      expect(screen.shown).toBe("one");
    } finally {
      vi.useRealTimers();
    }
  });

  it("offers to try again when the next item could not be read", () => {
    const notice = { id: 1, tone: "error" as const, text: "The next item could not be read." };
    const failed = view({ phase: "error", current: "" });
    const screen = new Screen({ ...nothing, view: failed, notice });
    screen.button("Try again").click();
    expect(screen.events[0]).toMatchObject({ type: "refresh" });
  });

  it("goes on by itself when there is something to rank again", () => {
    const empty = view({ phase: "empty", current: "", progress: { done: 0, total: 0 } });
    const screen = new Screen({ ...nothing, view: empty });
    screen.model.set("content", content());
    screen.model.set("view", view());
    expect(screen.shown).toBe("one");
    expect(screen.button("Submit").hidden).toBe(false);
  });

  it("marks an answer without text", () => {
    const empty = item("one", 3);
    empty.cards[0] = { letter: "A", html: "", text: "" };
    const screen = new Screen({ content: content({ items: [empty] }) });
    expect(screen.card("A").textContent).toContain("(empty response)");
  });
});
