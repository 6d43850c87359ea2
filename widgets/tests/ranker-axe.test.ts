// No violations of axe-core's rules, in every state. Colours need a real browser.

import axe from "axe-core";
import { expect, it } from "vitest";
import { content, item, items, Screen, view } from "./harness";

const all = { criteria: ["helpful", "honest"], flags: ["unsafe", "off topic"], editing: true };

async function violations(screen: Screen): Promise<string[]> {
  // The label of the widget's own region is what a page around it would judge.
  const rules = { "color-contrast": { enabled: false }, region: { enabled: false } };
  const { violations: found } = await axe.run(screen.root, { rules });
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

it.each([2, 3, 4, 9])("has none with %i candidates", async (count) => {
  const screen = new Screen({ content: content({ ...all, items: [item("one", count)] }) });
  screen.card("A").focus();
  screen.press("1", "1");
  expect(await violations(screen)).toEqual([]);
});

it.each(["r", "c", "f", "e", "d", "?"])("has none with what %s opens", async (key) => {
  const screen = new Screen({ content: content({ ...all, items: items(1) }) });
  screen.card("B").focus();
  screen.press("2", key);
  expect(await violations(screen)).toEqual([]);
});

it.each(["finished", "empty", "error"] as const)("has none when it is %s", async (phase) => {
  const screen = new Screen({
    content: content({ items: [] }),
    view: view({ phase, current: "" }),
  });
  expect(await violations(screen)).toEqual([]);
});

it("has none while all items wait", async () => {
  const screen = new Screen({ content: content({ items: items(2) }) });
  screen.card("A").focus();
  screen.press("s", "s");
  expect(screen.shown).toBe("All items at hand are answered");
  expect(await violations(screen)).toEqual([]);
});
