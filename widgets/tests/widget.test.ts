// What every widget sees of a message that a host takes apart.

import { afterEach, describe, expect, it } from "vitest";
import { keepKeysInside } from "../src/shared/keys";
import type { Model, WidgetEvent } from "../src/shared/protocol";
import { numbering } from "../src/shared/queue";
import { Widget, widgetModule } from "../src/shared/widget";
import { CompareScreen, view } from "./comparer-harness";
import { FakeModel } from "./harness";

type Sent = WidgetEvent & { type: "do" };
type Numbers = Model<number, number, Sent>;

/** Notes what it is shown. */
class Recorder extends Widget<number, number, Sent> {
  readonly seen: string[] = [];
  onShow = () => {};

  constructor(model: Numbers) {
    super(model, "recorder", "Recorder");
  }

  protected override show(): void {
    this.seen.push(`${this.content} ${this.view} ${this.queue.pending.length} waiting`);
    this.onShow();
  }

  protected override acknowledged(): void {
    this.seen.push("acknowledged");
  }

  act(): void {
    this.send({ type: "do" });
  }

  get told(): string {
    return this.root.querySelector(".rw-message")?.textContent ?? "";
  }
}

function recorder() {
  const model = new FakeModel<number, number, Sent>({ view: 1, content: 10 });
  const widget = new Recorder(model);
  widget.start();
  widget.act();
  widget.seen.length = 0;
  const answer = () => {
    model.set("content", 20);
    model.set("view", 2);
    model.set("notice", { id: 1, tone: "info", text: "Done." });
    model.set("acked_seq", 1);
  };
  return { model, widget, answer };
}

describe("a message that comes value by value", () => {
  it("is shown once, when it is through", () => {
    const { model, widget, answer } = recorder();
    model.receive(() => {
      answer();
      expect(widget.seen).toEqual([]);
    });
    expect(widget.seen).toEqual(["20 2 0 waiting", "acknowledged"]);
    expect(widget.told).toBe("Done.");
    expect(model.get("events")).toEqual([]);
  });

  it("leaves the focus in the widget, whatever it takes from the screen", () => {
    const { model, widget, answer } = recorder();
    const held = document.createElement("button");
    const elsewhere = document.createElement("button");
    widget.root.append(held);
    document.body.replaceChildren(widget.root, elsewhere);
    held.focus();
    widget.onShow = () => {
      held.hidden = true;
    };
    model.receive(answer);
    expect(document.activeElement).toBe(widget.root);
    elsewhere.focus();
    model.receive(() => model.set("view", 3));
    expect(document.activeElement).toBe(elsewhere);
  });

  it("reaches no widget that has ended meanwhile", () => {
    const { model, widget, answer } = recorder();
    model.receive(() => {
      answer();
      widget.stop();
    });
    expect(widget.seen).toEqual([]);
    expect(model.listeners).toBe(0);
  });

  it("echoes what the person does at once", () => {
    const { model, widget } = recorder();
    model.receive(() => {
      widget.act();
      expect(widget.told).toBe("Saving …");
      expect(model.get("events").map(({ seq }) => seq)).toEqual([1, 2]);
    });
  });
});

describe("Ctrl+S and Cmd+S", () => {
  it.each([{ ctrlKey: true }, { metaKey: true }])("bring no dialog in any widget", (held) => {
    const { widget } = recorder();
    const init = { key: "s", bubbles: true, cancelable: true, ...held };
    expect(widget.root.dispatchEvent(new KeyboardEvent("keydown", init))).toBe(false);
  });

  it("bring none in the dialog of a link either", () => {
    const dialog = document.createElement("dialog");
    keepKeysInside(dialog);
    const init = { key: "s", ctrlKey: true, cancelable: true };
    expect(dialog.dispatchEvent(new KeyboardEvent("keydown", init))).toBe(false);
    expect(dialog.dispatchEvent(new KeyboardEvent("keydown", { ...init, key: "c" }))).toBe(true);
  });
});

describe("a page that is loaded again", () => {
  afterEach(() => {
    Object.assign(numbering, { step: 1, window: 0 });
  });

  it("sends again what another window's number has overtaken meanwhile, and only that", () => {
    Object.assign(numbering, { step: 1000, window: 7 });
    const overtaken: Sent[] = [{ type: "do", seq: 4_003, id: "a" }];
    const load = (acked_seq: number) => {
      const model = new FakeModel({ view: 1, content: 10, events: overtaken, acked_seq });
      const module = widgetModule<number, number, Sent>((made) => new Recorder(made));
      module.render({ model, el: document.createElement("div") });
      return model;
    };
    expect(load(5_009).get("events")).toEqual([{ ...overtaken[0], seq: 6_007 }]);
    expect(load(3_009).sent).toEqual([]);
    expect(load(4_003).sent).toEqual([]);
  });
});

describe("two answered pairs, of which one is taken back", () => {
  const two = { undone: ["two"], back: { item: "two", event: "u1" } };

  it("keeps the pair and what was chosen since, when Python has taken it back, too", () => {
    const answered = view({ answered: ["one", "two"], progress: { done: 2, total: 4 } });
    const screen = new CompareScreen(answered).focus();
    screen.press("u");
    expect(screen.prompt).toContain("Prompt two");
    screen.press("1");
    // With the undo still in the queue, the new view would have it take back the first as well.
    screen.answer(view({ answered: ["one"], progress: { done: 1, total: 4 }, ...two }));
    expect(screen.prompt).toContain("Prompt two");
    expect(screen.chosen).toEqual(["A"]);
    expect(screen.position).toBe("2 of 4");
  });
});
