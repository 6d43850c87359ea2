// The token view with several responses, with figures that are missing, and with none.

import { describe, expect, test, vi } from "vitest";
import { report, Screen, unscored } from "./tokens-screen";

describe("figures that are left out", () => {
  test("cannot be chosen, and the view says why", () => {
    const screen = new Screen([unscored()]);
    expect(screen.get(".tk-left-out").textContent).toBe(
      "Left out: Value, Advantage and Return. policy@0 keeps no value role: lab.ppo() trains one.",
    );
    const disabled = screen
      .all(".tk-controls input")
      .map((input) => (input as HTMLInputElement).disabled);
    expect(disabled).toEqual([false, false, true, true, false]);
    screen.token(0).focus();
    screen.press("4");
    expect(screen.figure).toBe("Log-ratio");
    expect(screen.message).toBe("policy@0 keeps no value role: lab.ppo() trains one.");
    expect(screen.model.get("events")).toEqual([]);
    expect(screen.row("Advantage")).toEqual(["–", "–", "–"]);
  });

  test("a figure wanted from Python that is not there gives way to the log-ratio", () => {
    expect(new Screen([unscored()], { figure: "advantage" }).figure).toBe("Log-ratio");
  });

  test("nothing is said where nothing is missing", () => {
    expect(new Screen().get(".tk-left-out").hidden).toBe(true);
  });
});

describe("several responses", () => {
  const other = report({ name: "r2", texts: ["No", ".", "<|im_end|>"], score: -1 });

  test("are chosen with n and p, and the focus stays in the tokens", () => {
    const screen = new Screen([report(), other]);
    screen.token(1).click();
    screen.press("n");
    expect(screen.tokens.map((token) => token.textContent)).toEqual(["No", ".", "<|im_end|>"]);
    expect(screen.tokens).toContain(document.activeElement);
    screen.press("n");
    expect(screen.token(0).textContent).toBe("Yes");
    expect(document.activeElement).toBe(screen.token(1)); // where it was
    screen.press("p");
    // Of what Python has not heard, the last alone is kept, under a number of its own.
    expect(screen.model.get("events")).toMatchObject([{ shown: 1, seq: 3 }]);
    const sent = screen.model.sent.map((events) => events.at(-1)?.shown);
    expect(sent.filter((_, index) => index % 2)).toEqual([1, 0, 1]);
  });

  test("wait for nobody, so there are no words about waiting", () => {
    vi.useFakeTimers();
    const events = [
      { seq: 4, id: "before", type: "show" as const, shown: 1, figure: "kl" as const },
    ];
    const screen = new Screen([report(), other], {}, { events, acked_seq: 3 });
    expect(screen.message).toBe("");
    vi.advanceTimersByTime(1500);
    expect(screen.message).toBe("");
    vi.useRealTimers();
  });

  test("are shown by a figure that they have, and it is said why", () => {
    const screen = new Screen([report(), unscored()], { figure: "advantage" });
    screen.token(1).click();
    screen.press("n");
    expect(screen.get(".tk-responses :checked").closest("label")?.textContent).toContain(
      "Response 2",
    );
    expect(screen.get(".tk-left-out").hidden).toBe(false);
    expect(screen.figure).toBe("Log-ratio");
    expect(screen.message).toBe(
      "policy@0 keeps no value role: lab.ppo() trains one. Log-ratio, response 2 of 2.",
    );
    expect(screen.model.get("events")).toMatchObject([{ shown: 1, figure: "log_ratio" }]);
  });

  test("take the focus along, wherever it is", () => {
    const screen = new Screen([report(), unscored()], { figure: "advantage" });
    screen.press("t");
    screen.token(0).focus();
    screen.press("t");
    screen.get(".tk-table-place").focus();
    screen.press("n");
    expect(document.activeElement).toBe(screen.token(0));
  });

  test("take the focus from a figure that they do not have to the one that is shown", () => {
    const screen = new Screen([report(), unscored()], { figure: "advantage" });
    screen.get(".tk-controls :checked").focus();
    screen.press("n");
    expect(document.activeElement).toBe(screen.get(".tk-controls :checked"));
    expect(screen.figure).toBe("Log-ratio");
  });

  test("keep the focus on their choice when others come", () => {
    const screen = new Screen([report(), other]);
    screen.get(".tk-responses :checked").focus();
    screen.model.set("content", { responses: [report(), report(), other] });
    expect(document.activeElement).toBe(screen.get(".tk-responses :checked"));
    screen.model.set("view", { phase: "loading", shown: 0, figure: "kl" });
    expect(document.activeElement).toBe(screen.root);
  });

  test("share one scale", () => {
    const figures = { ...report().figures, log_ratio: [4, 0, 0] };
    const screen = new Screen([report(), report({ figures })]);
    expect(screen.levels).toEqual(["2", "-3", "0"]); // of 4, not of 1
  });

  test("what Python says later does not undo a newer choice", () => {
    const screen = new Screen([report(), other]);
    screen.token(0).focus();
    screen.press("2", "3");
    screen.model.set("view", { phase: "ready", shown: 0, figure: "kl" });
    expect(screen.figure).toBe("Value");
    screen.model.set("view", { phase: "ready", shown: 0, figure: "value" });
    screen.model.set("acked_seq", 2);
    expect(screen.figure).toBe("Value");
    screen.model.set("view", { phase: "ready", shown: 1, figure: "reward" });
    expect(screen.figure).toBe("Reward");
  });

  test("one alone says so", () => {
    const screen = new Screen();
    screen.token(0).focus();
    screen.press("n");
    expect(screen.message).toBe("There is only one response.");
  });
});

describe("without a response", () => {
  test.each([
    ["empty", "No response to look at"],
    ["loading", "Reading …"],
    ["error", "The tokens could not be read"],
  ] as const)("%s says so", (phase, title) => {
    const screen = new Screen([], { phase });
    expect(screen.get(".rw-closing").textContent).toContain(title);
    expect(screen.get(".rw-closing").closest("[hidden]")).toBeNull();
    expect(screen.get(".tk-bench").hidden).toBe(true);
    screen.press("1", "t");
  });

  test("reports that come later are shown", () => {
    const screen = new Screen([], { phase: "loading" });
    screen.model.set("content", { responses: [report()] });
    screen.model.set("view", { phase: "ready", shown: 0, figure: "reward" });
    expect(screen.levels).toEqual(["-2", "2", "6"]);
    expect(screen.get(".rw-closing").closest("[hidden]")).not.toBeNull();
  });
});
