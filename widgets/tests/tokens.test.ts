// The token view: what keys and the pointer do.

import axe from "axe-core";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Report } from "../src/tokens/protocol";
import { asTabs } from "../src/tokens/table";
import { overflow } from "./screen";
import { report, Screen } from "./tokens-screen";

describe("the view", () => {
  let screen: Screen;
  beforeEach(() => {
    screen = new Screen();
  });

  test("colours the tokens by the figure, and the keys 1 to 5 change it", () => {
    // Of the range 1: 6 sqrt(0.5) = 4.2, 6, 0
    expect(screen.levels).toEqual(["4", "-6", "0"]);
    screen.token(0).focus();
    screen.press("5");
    expect(screen.figure).toBe("Reward");
    // Of the range 2: 6 sqrt(0.075) = 1.6, 6 sqrt(0.15) = 2.3, 6
    expect(screen.levels).toEqual(["-2", "2", "6"]);
    expect(screen.get(".tk-ends").textContent).toBe("−20+2");
    expect(document.activeElement).toBe(screen.token(0));
    expect(screen.model.get("events")).toMatchObject([
      { type: "show", shown: 0, figure: "reward" },
    ]);
    expect(screen.message).toBe("");
  });

  test("digits of a keyboard that needs Shift for them count too", () => {
    screen.token(0).focus();
    screen.press({ key: "à", code: "Digit4" });
    expect(screen.figure).toBe("Advantage");
    screen.press({ key: "1", code: "Digit1", ctrlKey: true });
    expect(screen.figure).toBe("Advantage");
  });

  test("has sums and means, but none of what cannot be added", () => {
    expect(screen.row("Log-ratio")).toEqual(["+0.50000", "−0.50000", "−0.16667"]);
    expect(screen.row("Reward")).toEqual(["−0.15000", "+2.15000", "+0.71667"]);
    expect(screen.row("Value")).toEqual(["+0.50000", "", "+0.58333"]);
  });

  test("arrows, Home and End walk, and the numbers follow", () => {
    screen.token(0).focus();
    screen.press("ArrowRight");
    expect(document.activeElement).toBe(screen.token(1));
    expect(screen.row("Advantage")[0]).toBe("+1.67000");
    expect(screen.get(".tk-look-place").textContent).toBe("2 of 3");
    screen.press("End");
    expect(document.activeElement).toBe(screen.token(2));
    expect(screen.get(".tk-how").textContent).toBe(
      "Reward: −0.3 × (0.00000), and the score +2.00000",
    );
    screen.press("ArrowRight");
    expect(document.activeElement).toBe(screen.token(2));
    screen.press("Home");
    expect(document.activeElement).toBe(screen.token(0));
    expect(screen.tokens.filter((token) => token.tabIndex === 0)).toEqual([screen.token(0)]);
    expect(screen.leaked).toEqual([]);
  });

  test("the focused token is named with its text, figure and value", () => {
    screen.token(0).focus();
    screen.press("ArrowRight");
    expect(screen.token(1).getAttribute("aria-label")).toBe("line break, Log-ratio −1.00000");
    screen.press("4");
    expect(screen.token(1).getAttribute("aria-label")).toBe("line break, Advantage +1.67000");
    expect(screen.all("[role=option][aria-label]")).toHaveLength(1);
  });

  test("the pointer shows a token's numbers, and leaving goes back to the focused one", () => {
    screen.token(1).dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect(screen.row("Value")[0]).toBe("+0.25000");
    screen.get(".tk-text").dispatchEvent(new Event("pointerleave"));
    expect(screen.row("Value")[0]).toBe("+0.50000");
    screen.token(1).click();
    expect(document.activeElement).toBe(screen.token(1));
  });

  test("up and down go by line, to what is nearest where the walk began", () => {
    // Three lines of 3, 1 and 3 tokens, each 10 wide; the goal is kept across the short line.
    const ids = [1, 2, 3, 4, 5, 6, 7];
    const column = ids.map(() => 0.5);
    const figures = Object.fromEntries(
      Object.keys(report().figures).map((name) => [name, column]),
    ) as unknown as Report["figures"];
    const other = new Screen([
      report({
        ids,
        kinds: ids.map(() => "text" as const),
        texts: ids.map(String),
        wholes: ids.map(() => ""),
        figures,
      }),
    ]);
    const places = [
      [0, 0],
      [10, 0],
      [20, 0],
      [0, 30],
      [0, 60],
      [10, 61],
      [20, 60],
    ];
    other.tokens.forEach((token, index) => {
      const [left = 0, top = 0] = places[index] ?? [];
      token.getClientRects = () => [new DOMRect(left, top, 10, 20)] as unknown as DOMRectList;
    });
    const at = () => other.tokens.indexOf(document.activeElement as HTMLElement);
    other.token(1).click();
    other.press("ArrowDown");
    expect(at()).toBe(3);
    other.press("ArrowDown");
    expect(at()).toBe(5);
    other.press("ArrowDown");
    expect(at()).toBe(6); // no further line: the end
    other.press("ArrowUp", "ArrowUp");
    expect(at()).toBe(1);
    other.press("ArrowUp"); // no line before: the start
    expect(at()).toBe(0);
  });

  test("hostile text stays text, in the tokens, the numbers and the table", () => {
    const hostile = "<img src=x onerror=alert(1)>\u202e";
    // The last token is a part of a turning character, the one before a special one's name.
    const other = new Screen([
      report({
        texts: [hostile, "<b>\u202e", "E2 80"],
        kinds: ["text", "special", "bytes"],
        wholes: ["", "", "\u202e"],
      }),
    ]);
    for (const token of other.tokens) {
      token.dispatchEvent(new Event("pointerover", { bubbles: true }));
      expect(other.get(".tk-inspector").textContent).not.toContain("\u202e");
      token.click();
      expect(token.getAttribute("aria-label")).not.toContain("\u202e");
    }
    expect(other.get(".tk-look-what").textContent).toBe("id 2, part of RLO");
    other.get(".rw-button").click();
    expect(other.all("img, b, script")).toEqual([]);
    expect(other.token(0).textContent).toBe("<img src=x onerror=alert(1)>RLO");
    expect(other.root.textContent).not.toContain("\u202e");
  });

  test("a table has every token with every figure, and is made when it is asked for", () => {
    expect(screen.all(".tk-table")).toEqual([]);
    screen.token(0).focus();
    screen.press("t");
    const rows = screen.all(".tk-table tbody tr").map((row) => row.textContent);
    expect(rows).toHaveLength(3);
    expect(rows[0]).toBe(
      "1“Yes”65−1.00000−1.50000+0.50000+0.10653+0.50000−0.15000+0.77740+1.27740",
    );
    screen.press("t");
    expect(screen.get(".tk-table-place").hidden).toBe(true);
  });

  test("the table gives its focus to its button when it goes", () => {
    screen.token(0).focus();
    screen.press("t");
    screen.get(".tk-table-place").focus();
    screen.press("t");
    expect(document.activeElement?.textContent).toBe("Show table");
  });

  test("the prompt is a Tab stop where it scrolls, and only there", () => {
    expect(screen.get(".rw-prompt").hasAttribute("tabindex")).toBe(false);
    const restore = overflow("scrollHeight");
    expect(new Screen().get(".rw-prompt").tabIndex).toBe(0);
    restore();
  });

  test("a long table comes in parts, and whole", async () => {
    const ids = Array.from({ length: 600 }, (_, index) => index);
    const column = ids.map(() => 0.5);
    const figures = Object.fromEntries(
      Object.keys(report().figures).map((name) => [name, column]),
    ) as unknown as Report["figures"];
    const texts = ids.map(String);
    const kinds = ids.map(() => "text" as const);
    const long = new Screen([report({ ids, texts, kinds, wholes: ids.map(() => ""), figures })]);
    long.get(".rw-button").click();
    const numbers = () => long.all(".tk-table tbody tr").map((row) => row.textContent?.slice(0, 9));
    expect(numbers()).toHaveLength(250);
    await vi.waitFor(() => expect(numbers()).toHaveLength(600), { timeout: 30_000 });
    expect(numbers().at(-1)).toBe("600“599”5");
  });

  test("copying gives full precision, one line for each token", async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    screen.all(".rw-button")[1]?.click();
    await vi.waitFor(() => expect(screen.message).toContain("3 tokens copied"), {
      timeout: 30_000,
    });
    vi.unstubAllGlobals();
    const lines = String(writeText.mock.calls[0]?.[0]).split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[2]).toBe("2\tline break\t66\t-2\t-1\t-1\t0.7182818\t0.25\t0.3\t1.67\t1.92");
    expect(asTabs(report({ texts: ["a\tb\nc", "", ""] })).split("\n")[1]).toMatch(/^1\t“a⇥b⏎c”\t/);
  });

  test("a page that may not copy shows the table and says so", async () => {
    vi.stubGlobal("navigator", {});
    screen.all(".rw-button")[1]?.click();
    await vi.waitFor(() => expect(screen.message).toContain("may not copy"), { timeout: 30_000 });
    vi.unstubAllGlobals();
    expect(screen.get(".tk-table-place").hidden).toBe(false);
  });

  test("axe finds nothing to complain of", { timeout: 60_000 }, async () => {
    screen.press("t");
    const { violations } = await axe.run(screen.root, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)])).toEqual([]);
  });
});
