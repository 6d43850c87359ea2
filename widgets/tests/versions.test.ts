// The tree of versions: what it shows, and how one moves in it.

import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  evaluation,
  interval,
  policies,
  Screen,
  sample,
  start,
  version,
  view,
} from "./versions-screen";

describe("what it shows", () => {
  it("shows every version in the order of the tree, the present ones marked", () => {
    const screen = new Screen();
    expect(screen.names).toEqual([
      ...[0, 1, 6, 2, 3, 4, 5].map((number) => `policy@${number}`),
      ...["reward@0", "reward@1"],
    ]);
    const present = screen.all("[aria-current]").map((row) => row.dataset.name);
    expect(present).toEqual(["policy@5", "reward@1"]);
    expect(screen.get(".rv-summary").textContent).toBe(
      "Present: policy@5 with reward@1. 9 versions.",
    );
  });

  it("says of a row all that it shows", () => {
    const all = sample().map((one) =>
      one.name === "policy@2"
        ? { ...one, evaluations: [evaluation("policy@0", interval(0.64))] }
        : one,
    );
    expect(new Screen(all).row("policy@2").textContent).toMatch(
      /^policy@2 , trained with reward@1, round 2, score 0\.50, KL 4\.3 nats, won 0\.64 \[0\.56, 0\.72\] vs policy@0, 58 judgments, made /,
    );
    const reward = new Screen().row("reward@0").textContent;
    expect(reward).toContain(
      "reward@0 , update 0, loss 0.69, accuracy 0.61 [0.53, 0.69], 24 judgments",
    );
    expect(new Screen().row("policy@5").textContent).toMatch(/^policy@5 present, trained with/);
  });

  it("says whose opinion a win rate is, where that is known", () => {
    const all = sample().map((one) => {
      if (one.name !== "policy@5") return one;
      const known = { ...evaluation("policy@0", interval(0.64)), judge: "rubric" };
      return { ...one, evaluations: [evaluation("policy@2", interval(0.4)), known] };
    });
    const told = [...new Screen(all).all(".rv-evaluations li")].map((line) => line.textContent);
    expect(told[0]).toContain("vs policy@0 by rubric");
    expect(told[1]).toContain("vs policy@2worse");
  });

  it("puts text in as text", () => {
    const evil = "<img src=x onerror=alert(1)>";
    const screen = new Screen([
      ...policies({ 1: 0 }),
      version("policy@2", "policy@1", { trained_with: [evil], metrics: { [evil]: 1 } }),
    ]);
    screen.row("policy@2").click();
    expect(screen.all("img")).toEqual([]);
    expect(screen.panel).toContain(evil);
  });

  it("draws a knot for every version and fills the present ones", () => {
    const screen = new Screen();
    expect(screen.all("circle.rv-knot")).toHaveLength(7);
    expect(screen.all("rect.rv-knot")).toHaveLength(2);
    expect(screen.all(".rv-knot[data-present]")).toHaveLength(2);
    expect(screen.all("[data-name='policy@6'] path.rv-line")).toHaveLength(1);
  });

  it("starts at the present policy and shows its details", () => {
    const screen = new Screen();
    expect(screen.all("[tabindex='0']").map((row) => row.dataset.name)).toEqual(["policy@5"]);
    expect(screen.panel).toContain("policy@5presentfrom policy@4");
    expect(document.activeElement).toBe(document.body);
  });

  it("draws the scores from the start to the chosen version", () => {
    const scores = [0.2, 0.5, 1.6];
    const all = policies({ 1: 0, 2: 1, 3: 2 }).map((one, index) =>
      index ? { ...one, metrics: { score: scores[index - 1] ?? 0 } } : one,
    );
    const screen = new Screen(all, view({ present: ["policy@3"] }));
    expect(screen.get(".rv-spark").getAttribute("aria-label")).toBe(
      "Score from the start to here: policy@1 0.20, policy@2 0.50, policy@3 1.60",
    );
    screen.row("policy@1").click();
    expect(screen.all(".rv-spark")).toEqual([]);
  });

  it("shows which policies a chosen reward model has trained", () => {
    const screen = start("reward@1");
    expect(screen.all("[data-related]").map((row) => row.dataset.name)).toHaveLength(6);
    screen.row("reward@0").click();
    expect(screen.all("[data-related]")).toEqual([]);
  });

  it("explains what makes versions where there is only the start", () => {
    const screen = new Screen(policies({}), view({ phase: "empty", present: ["policy@0"] }));
    const text = screen.get(".rw-closing").textContent;
    for (const words of ["Only the start so far", "lab.update_reward()", "lab.ppo().run()"]) {
      expect(text).toContain(words);
    }
    expect(screen.get(".rv-stage").hidden).toBe(true);
    expect(screen.get(".rv-actions").hidden).toBe(true);
    screen.answer(view(), null, sample());
    expect(screen.get(".rv-stage").hidden).toBe(false);
    expect(screen.names).toHaveLength(9);
  });

  it("offers to try again where nothing could be read, and keeps a tree that was", () => {
    const bare = new Screen([], view({ phase: "error", present: [] }));
    bare.button("Try again").click();
    expect(bare.events).toMatchObject([{ type: "refresh" }]);
    const kept = new Screen(sample(), view({ phase: "error" }));
    expect(kept.get(".rv-stage").hidden).toBe(false);
  });
});

describe("moving", () => {
  it("goes up and down, to the ends, and not past them", () => {
    const screen = start();
    const visited = [
      "ArrowUp",
      "ArrowDown",
      "ArrowDown",
      "End",
      "ArrowDown",
      "Home",
      "ArrowUp",
    ].map((key) => {
      screen.press(key);
      return screen.focused;
    });
    expect(visited).toEqual([
      ...["policy@4", "policy@5", "reward@0", "reward@1", "reward@1", "policy@0", "policy@0"],
    ]);
  });

  it("goes left to the parent and right to the first child", () => {
    const screen = start();
    const visited = ["ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowRight"].map(
      (key) => {
        screen.press(key);
        return screen.focused;
      },
    );
    // The first child of 1 in the tree is 6, which stands beside it and has none.
    expect(visited).toEqual(["policy@4", "policy@2", "policy@1", "policy@6", "policy@6"]);
    screen.press("Home", "ArrowLeft");
    expect(screen.focused).toBe("policy@0");
  });

  it("has one Tab stop, which follows", () => {
    const screen = start();
    screen.press("Home");
    expect(screen.all("[role=treeitem][tabindex='0']").map((row) => row.dataset.name)).toEqual([
      "policy@0",
    ]);
    expect(screen.row("policy@0").getAttribute("aria-selected")).toBe("true");
    expect(screen.row("policy@5").getAttribute("aria-selected")).toBe("false");
    expect(screen.panel).toContain("policy@0");
  });

  it("finds a version by its number and by its name", () => {
    const parents = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [n + 1, n]));
    const screen = start("policy@5", new Screen([...policies(parents), version("reward@0")]));
    vi.useFakeTimers();
    const type = (...keys: string[]) => {
      vi.advanceTimersByTime(1000);
      screen.press(...keys);
      return screen.focused;
    };
    expect(type("1")).toBe("policy@1");
    expect(type("1", "2")).toBe("policy@12");
    expect(type("r")).toBe("reward@0");
    // Once a name is begun, letters that are commands belong to it.
    expect(type(..."policy@3")).toBe("policy@3");
    expect(screen.events).toEqual([]);
    // After a number they are commands again, however fast they come.
    expect(type("1", "Enter", "u")).toBe("policy@1");
    expect(screen.events.map((event) => event.type)).toEqual(["checkout"]);
    expect(screen.message).toBe("Still working on the last step.");
    screen.answer(view());
    type("1", "u");
    expect(screen.events.at(-1)).toMatchObject({ type: "undo" });
    screen.answer(view());
    type("9", "9");
    expect(screen.message).toBe("No version begins with “99”.");
    vi.useRealTimers();
  });
});

describe("the notebook around it", () => {
  it("sees no key, whatever element has the focus", () => {
    const screen = new Screen();
    for (const element of [screen.root, ...screen.all("button, [tabindex]")]) {
      element.focus();
      screen.press(..."abcdefghijklmnopqrstuvwxyz0123456789", "Enter", "Escape", " ", "ArrowUp");
      screen.press({ key: "Enter", shiftKey: true }, { key: "Enter", ctrlKey: true });
    }
    expect(screen.leaked).toEqual([]);
  });
});

describe("new versions", () => {
  it("keep the focus and the choice where they were", () => {
    const screen = start("policy@3");
    const more = [...sample(), version("policy@7", "policy@5")];
    screen.answer(view({ present: ["policy@7", "reward@1"] }), null, more);
    expect(screen.focused).toBe("policy@3");
    expect(screen.names).toContain("policy@7");
  });

  it("keep the focus in the panel, or give it to the tree", () => {
    const screen = start("policy@1");
    screen.press("x");
    screen.answer(view());
    screen.button("What they write").focus();
    const more = [...sample(), version("policy@7", "policy@5")];
    screen.answer(view(), null, more);
    expect(document.activeElement?.textContent).toBe("What they write");
    screen.answer(view({ can_compare: false }));
    expect(screen.focused).toBe("policy@1");
  });

  it("keep the focus when the tree goes, and when it comes back", () => {
    const screen = start("policy@1");
    screen.answer(view({ phase: "error" }), null, []);
    expect(screen.root.contains(document.activeElement)).toBe(true);
    screen.button("Try again").focus();
    screen.answer(view({ phase: "error", undo: null }), null, []);
    expect(document.activeElement).toBe(screen.button("Try again"));
    screen.answer(view(), null, sample());
    expect(screen.focused).toBe("policy@5");
  });

  it("redraw only the rows that they change", () => {
    const screen = new Screen();
    const drawing = screen.row("policy@6").querySelector("svg");
    screen.answer(view({ present: ["policy@4", "reward@1"] }));
    expect(screen.row("policy@6").querySelector("svg")).toBe(drawing);
    expect(screen.row("policy@4").querySelector(".rv-knot[data-present]")).not.toBeNull();
  });
});

describe("while the kernel is busy", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("says after a second what it may be waiting for", () => {
    const screen = start("policy@2");
    screen.press("Enter");
    vi.advanceTimersByTime(1000);
    expect(screen.message).toContain("weights are being loaded, or the kernel is busy");
    screen.answer(view());
    expect(screen.message).toBe("");
  });

  it("shows what waits after the page was loaded again", () => {
    const events = [{ seq: 8, id: "x", type: "undo" as const, name: "policy@4", present: ["a"] }];
    const screen = new Screen(sample(), view(), { events, acked_seq: 7 });
    expect(screen.row("policy@4").hasAttribute("data-working")).toBe(true);
  });
});

describe("five hundred versions", () => {
  const parents = Object.fromEntries(
    Array.from({ length: 499 }, (_, n) => [n + 1, (n + 1) % 7 ? n : Math.max(0, n - 6)]),
  );

  it("are all there, and a key changes no row but the two that it moves between", async () => {
    const large = new Screen(policies(parents), view({ present: ["policy@499"] }));
    const screen = start("policy@100", large);
    expect(screen.names).toHaveLength(500);
    const changed = new Set<string | undefined>();
    const observer = new MutationObserver((mutations) => {
      for (const { target } of mutations) {
        const element = target instanceof Element ? target : target.parentElement;
        changed.add(element?.closest<HTMLElement>("[data-name]")?.dataset.name);
      }
    });
    const all = { subtree: true, childList: true, attributes: true, characterData: true };
    observer.observe(screen.get(".rv-tree"), all);
    screen.press("ArrowUp");
    await Promise.resolve();
    observer.disconnect();
    changed.delete(undefined); // the tree's own style
    expect([...changed].sort()).toEqual(["policy@100", "policy@99"]);
  }, 60_000);
});

it("says how long ago versions were made as time goes on", () => {
  vi.useFakeTimers({ now: Date.parse("2026-03-02T12:00:30Z") });
  const screen = new Screen();
  expect(screen.row("policy@1").textContent).toContain("made just now");
  vi.advanceTimersByTime(61_000);
  expect(screen.row("policy@1").textContent).toContain("made 1 min ago");
  vi.useRealTimers();
});

it("ends without leaving a listener on the model or a timer", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const screen = new Screen();
  screen.stop();
  expect(screen.model.listeners).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
