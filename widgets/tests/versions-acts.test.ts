// The tree of versions: going to a version, and comparing two.

import { describe, expect, it } from "vitest";
import { evaluation, interval, Screen, sample, start, view } from "./versions-screen";

describe("going to a version", () => {
  it("checks out with Enter, c or the button, and says what was present", () => {
    const ways = [
      (screen: Screen) => screen.press("Enter"),
      (screen: Screen) => screen.press("c"),
      (screen: Screen) => screen.button("Check out").click(),
    ];
    for (const way of ways) {
      const screen = start("policy@2");
      way(screen);
      expect(screen.events).toMatchObject([
        { type: "checkout", name: "policy@2", present: ["policy@5", "reward@1"] },
      ]);
    }
  });

  it("shows at once that it works, and does nothing else meanwhile", () => {
    const screen = start("policy@2");
    screen.press("Enter");
    expect(screen.row("policy@2").hasAttribute("data-working")).toBe(true);
    expect(screen.row("policy@2").textContent).toContain("loading …");
    expect(screen.root.getAttribute("aria-busy")).toBe("true");
    expect(screen.message).toBe("Working …");
    expect(screen.button("Undo").getAttribute("aria-disabled")).toBe("true");
    screen.press("u", "Enter", "c");
    expect(screen.events).toHaveLength(1);
    expect(screen.message).toBe("Still working on the last step.");
    screen.press("ArrowUp"); // looking around is not forbidden
    expect(screen.focused).toBe("policy@6");
  });

  it("marks the new version present and offers the way back", () => {
    const screen = start("policy@2");
    screen.press("Enter");
    const next = view({
      present: ["policy@2", "reward@1"],
      undo: "policy@1",
      back: ["policy@5"],
    });
    screen.answer(next, { id: 1, tone: "info", text: "Present now: policy@2 with reward@1." });
    expect(screen.all("[data-working]")).toEqual([]);
    expect(screen.row("policy@2").getAttribute("aria-current")).toBe("true");
    expect(screen.row("policy@5").hasAttribute("aria-current")).toBe(false);
    expect(screen.message).toBe("Present now: policy@2 with reward@1.");
    expect(screen.focused).toBe("policy@2");
    // The way from the start now ends there.
    expect(screen.all("[data-name='policy@4'] [data-line=hot]")).toEqual([]);
    screen.press("b");
    expect(screen.events.at(-1)).toMatchObject({ type: "back", present: ["policy@2", "reward@1"] });
  });

  it("stays where it is when Python says that it failed", () => {
    const screen = start("policy@2");
    screen.press("Enter");
    const text = "Not checked out. Nothing was changed. process 4711 works in it: wait.";
    screen.answer(view(), { id: 1, tone: "error", text });
    expect(screen.message).toBe(text);
    expect(screen.get("[role=alert]").textContent).toBe(text);
    expect(screen.row("policy@5").getAttribute("aria-current")).toBe("true");
    screen.press("Enter");
    expect(screen.events).toHaveLength(1);
    expect(screen.button("Back").hidden).toBe(true);
  });

  it("does not load what is present", () => {
    const screen = start("policy@5");
    screen.press("Enter");
    expect(screen.events).toEqual([]);
    expect(screen.message).toBe("policy@5 is present already.");
    expect(screen.button("Check out").getAttribute("aria-disabled")).toBe("true");
  });

  it("undoes to the parent, and says so where there is none", () => {
    const screen = start("policy@0");
    expect(screen.button("Undo").textContent).toBe("Undo to policy@4");
    screen.press("u");
    expect(screen.events).toMatchObject([{ type: "undo", present: ["policy@5", "reward@1"] }]);
    expect(screen.row("policy@4").hasAttribute("data-working")).toBe(true);
    screen.answer(view({ undo: null, present: ["policy@0"] }));
    screen.press("u");
    expect(screen.message).toBe("The present policy is the start: there is nothing to undo.");
  });

  it("keeps the focus in the widget when the button for the way back goes", () => {
    const screen = start("policy@2", new Screen(sample(), view({ back: ["policy@3"] })));
    screen.button("Back to policy@3").focus();
    screen.button("Back to policy@3").click();
    expect(screen.focused).toBe("policy@2");
  });

  it("marks what was asked for, and takes the next wish meanwhile", () => {
    const screen = start("policy@2");
    screen.press("Enter");
    const text = "Asked for policy@2: it becomes present when the worker gets to it.";
    screen.answer(view({ awaited: ["policy@2"] }), { id: 1, tone: "info", text });
    expect(screen.row("policy@2").textContent).toContain("asked for");
    expect(screen.row("policy@2").hasAttribute("aria-current")).toBe(false);
    expect(screen.root.getAttribute("aria-busy")).toBe("false");
    expect(screen.message).toBe(text);
    screen.press("u");
    expect(screen.events.at(-1)).toMatchObject({ type: "undo", name: "policy@4" });
    screen.answer(view({ present: ["policy@2", "reward@1"], undo: "policy@1" }));
    expect(screen.row("policy@2").textContent).not.toContain("asked for");
    expect(screen.row("policy@2").getAttribute("aria-current")).toBe("true");
  });

  it("ignores a key held down", () => {
    const screen = start("policy@2");
    screen.press({ key: "u", repeat: true }, { key: "Enter", repeat: true });
    expect(screen.events).toEqual([]);
  });

  it("leaves Enter on a button to the button", () => {
    const screen = start("policy@2");
    screen.button("Refresh").focus();
    screen.press("Enter");
    expect(screen.events).toEqual([]);
    screen.press("u");
    expect(screen.events).toMatchObject([{ type: "undo" }]);
  });
});

describe("comparing", () => {
  it("sets a version beside the present one with x, the older first", () => {
    const screen = start("policy@6");
    screen.press("x");
    expect(screen.events).toMatchObject([
      { type: "compare", first: "policy@5", second: "policy@6" },
    ]);
    expect(screen.get(".rv-compared thead").textContent).toBe("Figurepolicy@5policy@6Change");
    expect(screen.panel).toContain("Both come from policy@1.");
    expect(screen.panel).toContain("Not evaluated against each other.");
    const selected = screen.all("[aria-selected=true]").map((row) => row.dataset.name);
    expect(selected).toEqual(["policy@6", "policy@5"]);
  });

  it("follows the arrows while one is marked, and Escape ends it", () => {
    const screen = start("policy@2");
    screen.press(" ");
    expect(screen.message).toBe("policy@2 is marked for comparison.");
    screen.press("ArrowDown");
    expect(screen.panel).toContain("policy@2 and policy@3");
    screen.press("ArrowDown");
    expect(screen.panel).toContain("policy@2 and policy@4");
    expect(screen.events).toEqual([]); // looking asks nobody
    screen.button("What they write").click();
    expect(screen.events).toMatchObject([
      { type: "compare", first: "policy@2", second: "policy@4" },
    ]);
    screen.press("Escape");
    expect(screen.all(".rv-compared")).toEqual([]);
  });

  it("takes a second with a click and a modifier", () => {
    const screen = start("policy@1");
    screen.row("policy@3").dispatchEvent(new MouseEvent("click", { ctrlKey: true, bubbles: true }));
    expect(screen.panel).toContain("policy@1 and policy@3");
    expect(screen.events).toMatchObject([{ first: "policy@1", second: "policy@3" }]);
  });

  it("marks with a button, for fingers", () => {
    const screen = start("policy@1");
    screen.button("Mark").click();
    expect(screen.focused).toBe("policy@1");
    expect(screen.button("Unmark")).toBeTruthy();
    screen.row("policy@3").click();
    expect(screen.panel).toContain("policy@1 and policy@3");
  });

  it("keeps the focus on the button that asked", () => {
    const screen = start("policy@1");
    screen.press("x");
    screen.answer(view());
    screen.button("What they write").focus();
    screen.button("What they write").click();
    screen.answer(view({ compared: ["policy@1", "policy@5"] }));
    expect(document.activeElement?.textContent).toBe("What they write");
  });

  it("ends with x again", () => {
    const screen = start("policy@1");
    screen.press("x");
    expect(screen.button("End comparison")).toBeTruthy();
    screen.press("x");
    expect(screen.button("Compare")).toBeTruthy();
    expect(screen.all(".rv-compared")).toEqual([]);
  });

  it("asks for another where the present one is chosen, and for one of the same role", () => {
    const screen = start("policy@5");
    screen.press("x");
    expect(screen.message).toBe("policy@5 is marked. Choose the version to compare it with.");
    screen.press("End");
    expect(screen.all(".rv-compared")).toEqual([]);
    screen.press("x", "x");
    expect(screen.message).toBe("reward@1 is marked. Choose the version to compare it with.");
    screen.press("ArrowUp");
    expect(screen.panel).toContain("reward@0 and reward@1");
  });

  it("tells the outcome of an evaluation between the two", () => {
    const all = sample().map((one) =>
      one.name === "policy@5"
        ? { ...one, evaluations: [evaluation("policy@2", interval(0.64))] }
        : one,
    );
    const screen = start("policy@2", new Screen(all));
    screen.press("x");
    expect(screen.get(".rv-outcome").textContent).toBe(
      "policy@5 won 0.64 [0.56, 0.72] against policy@2 on 64 held-out prompts: better.",
    );
  });

  it("offers their texts only where the lab can show them", () => {
    const screen = start("policy@1", new Screen(sample(), view({ can_compare: false })));
    screen.press("x");
    expect(screen.button("What they write").hidden).toBe(true);
  });

  it("leads to the page that compares two, where there is one", () => {
    const screen = start("policy@1", new Screen(sample(), view({ evaluate_page: "evaluate" })));
    screen.press("x");
    const link = screen.get("a.rv-ask");
    expect(link.textContent).toBe("What they write");
    expect(link.getAttribute("href")).toBe("evaluate?first=policy%401&second=policy%405");
  });

  it("shows again what was compared when the page is loaded again", () => {
    const screen = new Screen(sample(), view({ compared: ["policy@1", "policy@3"] }));
    expect(screen.panel).toContain("policy@1 and policy@3");
  });
});
