// A model as a host offers it, a notebook around the widget, and a person at the keyboard.

import ranker from "../src/ranker";
import type { Content, Item, RankerEvent, View } from "../src/ranker/protocol";
import type { Model, Traits, WidgetEvent } from "../src/shared/protocol";
import { numbering } from "../src/shared/queue";

/** Events count from 1: there is one window. */
Object.assign(numbering, { step: 1, window: 0 });

/** What waits for the end of a message, here as in a page. */
const later: (() => void)[] = [];
const queued = globalThis.queueMicrotask;
globalThis.queueMicrotask = (task) => {
  later.push(task);
  queued(settle);
};

/** The message is through: what waited for that is done now, and no test has to wait for it. */
function settle(): void {
  for (let task = later.shift(); task; task = later.shift()) task();
}

/** Values with change events, as anywidget and Panel have them. Nothing acknowledges by itself. */
export class FakeModel<View, Content, Sent extends WidgetEvent>
  implements Model<View, Content, Sent>
{
  readonly sent: Sent[][] = [];
  private readonly values: Traits<View, Content, Sent>;
  private readonly callbacks = new Map<string, Set<() => void>>();
  private open = 0;

  constructor(
    start: Pick<Traits<View, Content, Sent>, "view" | "content"> &
      Partial<Traits<View, Content, Sent>>,
  ) {
    this.values = { notice: null, acked_seq: 0, events: [], ...start };
  }

  get<K extends keyof Traits<View, Content, Sent>>(key: K): Traits<View, Content, Sent>[K] {
    return this.values[key];
  }

  set<K extends keyof Traits<View, Content, Sent>>(
    key: K,
    value: Traits<View, Content, Sent>[K],
  ): void {
    this.receive(() => {
      this.values[key] = value;
      for (const callback of this.callbacks.get(`change:${key}`) ?? []) callback();
    });
  }

  /** One message of Python: all that is set within comes one after the other, as Panel sets it. */
  receive(message: () => void): void {
    this.open += 1;
    message();
    this.open -= 1;
    if (this.open === 0) settle();
  }

  save_changes(): void {
    this.sent.push(this.values.events);
  }

  on(event: string, callback: () => void): void {
    this.callbacks.set(event, (this.callbacks.get(event) ?? new Set()).add(callback));
  }

  off(event: string, callback: () => void): void {
    this.callbacks.get(event)?.delete(callback);
  }

  get listeners(): number {
    return [...this.callbacks.values()].reduce((sum, set) => sum + set.size, 0);
  }
}

export function item(key: string, count = 4, ranks: number[] | null = null): Item {
  const letters = [..."ABCDEFGHI"].slice(0, count);
  const draft = ranks && { ranks, strength: null, ratings: [], comment: "", flags: [] };
  return {
    key,
    turns: [{ role: "user", html: `<p>Prompt ${key}</p>` }],
    cards: letters.map((letter) => ({
      letter,
      html: `<p>Answer ${letter} to ${key}</p>`,
      text: `Answer ${letter} to ${key}`,
    })),
    draft,
  };
}

/** Items "one" to "twenty", the first of them all. */
export function items(number: number, count = 4): Item[] {
  return Array.from({ length: number }, (_, index) => item(NAMES[index] ?? `${index + 1}`, count));
}

const NAMES = ["one", "two", "three", "four", "five", "six"];

export function content(changes: Partial<Content> = {}): Content {
  const none = { criteria: [], flags: [], editing: false, store_key: "" };
  return { items: items(3), ...none, ...changes };
}

export function view(changes: Partial<View> = {}): View {
  const start = { phase: "ranking" as const, answered: [], current: "one" };
  return { ...start, progress: { done: 2, total: 16 }, pace: null, reveal: null, ...changes };
}

export class Screen {
  readonly model: FakeModel<View, Content, RankerEvent>;
  readonly root: HTMLElement;
  readonly stop: () => void;
  /** Keys that a notebook around the widget would have seen. */
  readonly leaked: string[] = [];

  constructor(traits: Partial<Traits<View, Content, RankerEvent>> = {}) {
    this.model = new FakeModel({ view: view(), content: content(), ...traits });
    const notebook = document.createElement("div");
    document.body.replaceChildren(notebook);
    for (const type of ["keydown", "keypress", "keyup"]) {
      notebook.addEventListener(type, (event) => this.leaked.push((event as KeyboardEvent).key));
    }
    this.stop = ranker.render({ model: this.model, el: notebook });
    this.root = notebook.querySelector<HTMLElement>(".rlhf-ranker") ?? notebook;
  }

  all(selector: string): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>(selector)];
  }

  get(selector: string): HTMLElement {
    const found = this.root.querySelector<HTMLElement>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  card(letter: string): HTMLElement {
    return this.get(`[aria-label^="Response ${letter},"]`);
  }

  button(label: string): HTMLElement {
    const found = this.all("button").find(
      (button) => (button.querySelector("span") ?? button).textContent === label,
    );
    if (!found) throw new Error(`no button ${label}`);
    return found;
  }

  /** Press keys, one after the other, where the focus is. */
  press(...keys: (string | KeyboardEventInit)[]): boolean[] {
    return keys.map((key) => {
      const init = typeof key === "string" ? { key } : key;
      const target = document.activeElement ?? document.body;
      const options = { bubbles: true, cancelable: true, ...init };
      const handled = !target.dispatchEvent(new KeyboardEvent("keydown", options));
      target.dispatchEvent(new KeyboardEvent("keypress", options));
      target.dispatchEvent(new KeyboardEvent("keyup", options));
      return handled;
    });
  }

  get events(): RankerEvent[] {
    return this.model.get("events");
  }

  get message(): string {
    return this.get(".rw-message").textContent ?? "";
  }

  get announced(): string {
    return this.get("[role=status]").textContent ?? "";
  }

  /** The key of the item on the screen, or the title of what is there instead. */
  get shown(): string {
    const prompt = this.root.querySelector(".rw-prompt .rw-md")?.textContent;
    return prompt?.replace("Prompt ", "") ?? this.get(".rr-stage h2").textContent ?? "";
  }

  /** The ranks on the cards, "–" for none. */
  get ranks(): string {
    return this.all(".rr-badge")
      .map((badge) => badge.textContent)
      .join("");
  }

  /** Type into the text that has the focus. */
  type(text: string): void {
    const field = document.activeElement;
    if (!(field instanceof HTMLTextAreaElement)) throw new Error("no text has the focus");
    this.press(...text);
    field.value += text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  get focusedLabel(): string | null {
    return document.activeElement?.getAttribute("aria-label") ?? null;
  }
}
