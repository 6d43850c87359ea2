// A person who writes, while Python goes on: no letter becomes a command, and no word is lost.

import { beforeEach, describe, expect, it } from "vitest";
import { content, items, Screen, view } from "./harness";
import { Kernel } from "./kernel";

const settings = { flags: ["unsafe"], editing: true, store_key: "lab-tester" };

function start(items_ = items(4)) {
  const screen = new Screen({ content: content({ ...settings, items: [] }) });
  const kernel = new Kernel(screen.model, items_);
  screen.card("A").focus();
  return { screen, kernel };
}

/** Another view deals with the first item. */
function dealtWith(screen: Screen): void {
  screen.model.set("view", view({ answered: ["one"], current: "two" }));
}

const written = () => (document.activeElement as HTMLTextAreaElement).value;
const edit = (screen: Screen, text: string) => {
  screen.press("e");
  screen.type(text);
};

beforeEach(() => {
  localStorage.clear();
});

describe("an item that is dealt with elsewhere while a person writes", () => {
  it("stays until the text is closed, and says why", () => {
    const { screen } = start();
    screen.press("2", "c");
    screen.type("a better");
    dealtWith(screen);
    expect(screen.shown).toBe("one");
    expect(screen.message).toBe(
      "Another item waits until you close this text. What you write is kept.",
    );
    screen.type(" sub");
    expect(written()).toBe("a better sub");
    expect(screen.events).toEqual([]);
    screen.press("Escape");
    expect(screen.shown).toBe("two");
    expect(screen.message).toBe("The item before was dealt with in another view.");
    expect(screen.announced).toBe(
      "The item before was dealt with in another view. Item 3 of 16. Response A has the focus.",
    );
    expect(screen.focusedLabel).toBe("Response A, not ranked");
  });

  it("takes the edited text that was under way", () => {
    const { screen } = start();
    edit(screen, "!");
    dealtWith(screen);
    screen.type("!");
    screen.press({ key: "Enter", ctrlKey: true });
    expect(screen.events).toMatchObject([
      { type: "demonstrate", item: "one", card: 0, text: "Answer A to one!!" },
    ]);
    expect(screen.shown).toBe("two");
    expect(screen.message).toBe("Response A as you wrote it becomes a demonstration.");
  });

  it("stays while flags are ticked, whose digits would rank", () => {
    const { screen } = start();
    screen.press("f");
    dealtWith(screen);
    screen.press("1");
    expect(screen.shown).toBe("one");
    expect((document.activeElement as HTMLInputElement).checked).toBe(true);
  });

  it("takes no answer any more, nor does the next one by mistake", () => {
    const { screen } = start();
    screen.press("1", "1", "1", "1", "c");
    dealtWith(screen);
    screen.button("Submit").focus();
    screen.button("Submit").click();
    expect(screen.events).toEqual([]);
    expect(screen.shown).toBe("two");
    expect(screen.message).toBe("The item before was dealt with in another view.");
  });

  it("goes at once where nobody writes", () => {
    const { screen } = start();
    screen.press("c", "Escape");
    dealtWith(screen);
    expect(screen.shown).toBe("two");
    expect(screen.message).toBe("The item before was dealt with in another view.");
  });

  it("waits with what an undo brings, too", () => {
    const { screen, kernel } = start();
    const [one] = items(1);
    screen.press("s");
    kernel.run();
    // A page that was loaded again knows no item before this one.
    const later = new Screen({
      content: content({ ...settings, items: items(4).slice(1) }),
      view: view({ current: "two" }),
    });
    later.card("A").focus();
    later.press("u", "c");
    later.type("u");
    later.model.receive(() => {
      later.model.set("content", content({ ...settings, items: [...items(4)] }));
      later.model.set("view", view({ current: "one" }));
      later.model.set("acked_seq", 1);
    });
    expect(later.shown).toBe("two");
    later.press("Escape");
    expect(later.shown).toBe(one?.key);
  });
});

describe("a demonstration that could not be saved", () => {
  const events = (kernel: Kernel) => kernel.seen.filter(({ type }) => type === "demonstrate");
  const kept = () => JSON.parse(localStorage.getItem("rlhf-lab.unsent.lab-tester") ?? "[]");

  function fail() {
    const { screen, kernel } = start();
    kernel.failing.add("one");
    edit(screen, "!");
    screen.press({ key: "Enter", ctrlKey: true }, "s");
    kernel.failing.clear();
    return { screen, kernel };
  }

  it("is there again when its item is", () => {
    const { screen, kernel } = start();
    kernel.failing.add("one");
    edit(screen, "!");
    screen.press({ key: "Enter", ctrlKey: true });
    kernel.run();
    expect(screen.message).toBe("Not saved: your answer to one. Disk full.");
    expect(screen.button("Edit A").hasAttribute("data-on")).toBe(true);
    kernel.failing.clear();
    screen.press("e");
    expect(written()).toBe("Answer A to one!");
    screen.press({ key: "Enter", ctrlKey: true });
    kernel.run();
    expect(events(kernel)).toHaveLength(2);
    expect(screen.button("Edit A").hasAttribute("data-on")).toBe(false);
    expect(kept()).toEqual([]);
  });

  it("is kept in the browser for a page that is loaded later, which sends it under a new id", () => {
    const { screen, kernel } = fail();
    kernel.failing.add("one");
    kernel.run();
    expect(kept()).toMatchObject([{ type: "demonstrate", text: "Answer A to one!" }]);
    screen.stop();
    const later = start();
    expect(later.screen.events).toMatchObject([{ type: "demonstrate", text: "Answer A to one!" }]);
    expect(later.screen.events[0]?.id).not.toBe(events(kernel)[0]?.id);
    later.kernel.run();
    expect(kept()).toEqual([]);
  });

  it("is known by its id, where Python names what was not saved", () => {
    for (const isNamed of [true, false]) {
      const { screen } = start();
      edit(screen, "!");
      screen.press({ key: "Enter", ctrlKey: true });
      const [sent] = screen.events;
      screen.model.receive(() => {
        const unsaved = isNamed && sent ? [sent.id] : [];
        screen.model.set("view", { ...screen.model.get("view"), unsaved });
        screen.model.set("notice", { id: 1, tone: "error", text: "Not saved: something." });
        screen.model.set("acked_seq", 1);
      });
      expect(screen.button("Edit A").hasAttribute("data-on")).toBe(isNamed);
    }
  });

  it("is not kept when it was saved", () => {
    const { screen, kernel } = fail();
    kernel.run();
    expect(events(kernel)).toHaveLength(1);
    expect(kept()).toEqual([]);
    screen.press("u");
    expect(screen.button("Edit A").hasAttribute("data-on")).toBe(false);
  });
});
