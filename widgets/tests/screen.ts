// A widget with a notebook around it, and a person at the keyboard: what the tests of each need.

import type { Model, Traits, WidgetEvent } from "../src/shared/protocol";
import { FakeModel } from "./harness";

interface Module<View, Content, Sent extends WidgetEvent> {
  render(given: { model: Model<View, Content, Sent>; el: HTMLElement }): () => void;
}

type Start<View, Content, Sent extends WidgetEvent> = Pick<
  Traits<View, Content, Sent>,
  "view" | "content"
> &
  Partial<Traits<View, Content, Sent>>;

export class WidgetScreen<View, Content, Sent extends WidgetEvent> {
  readonly model: FakeModel<View, Content, Sent>;
  readonly root: HTMLElement;
  readonly stop: () => void;
  /** Keys that the notebook would have seen. */
  readonly leaked: string[] = [];

  /** @param extra What else the host's model has. */
  constructor(
    module: Module<View, Content, Sent>,
    start: Start<View, Content, Sent>,
    extra: object = {},
  ) {
    this.model = Object.assign(new FakeModel<View, Content, Sent>(start), extra);
    const notebook = document.createElement("div");
    document.body.replaceChildren(notebook);
    for (const type of ["keydown", "keypress", "keyup"]) {
      notebook.addEventListener(type, (event) => this.leaked.push((event as KeyboardEvent).key));
    }
    this.stop = module.render({ model: this.model, el: notebook });
    this.root = notebook.querySelector<HTMLElement>(".rlhf-widget") ?? notebook;
  }

  all(selector: string): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>(selector)];
  }

  get<E extends HTMLElement = HTMLElement>(selector: string): E {
    const found = this.root.querySelector<E>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  text(selector: string): string {
    return this.get(selector).textContent ?? "";
  }

  button(label: string): HTMLButtonElement {
    const all = [...this.root.querySelectorAll("button")];
    const found = all.find((button) => this.isLabelled(button, label));
    if (!found) throw new Error(`no button ${label}`);
    return found;
  }

  protected isLabelled(button: HTMLButtonElement, label: string): boolean {
    return (button.getAttribute("aria-label") ?? button.textContent) === label;
  }

  /** Press keys, one after the other, where the focus is; whether each did something. */
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

  get events(): Sent[] {
    return this.model.get("events");
  }

  get message(): string {
    return this.text(".rw-message");
  }

  get announced(): string {
    return this.text("[role=status]");
  }
}

/** Have all elements as if their content was larger than they are, until it is undone. */
export function overflow(...sizes: ("scrollHeight" | "scrollWidth")[]): () => void {
  for (const size of sizes) {
    Object.defineProperty(HTMLElement.prototype, size, { value: 900, configurable: true });
  }
  return () => {
    for (const size of sizes) Reflect.deleteProperty(HTMLElement.prototype, size);
  };
}
