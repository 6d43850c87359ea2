// The quiet buttons beside the actions. Each has a key, so few people need them twice.

import { h } from "../shared/dom";
import { ranker as strings } from "../strings";
import type { Plain } from "./keys";
import type { Content } from "./protocol";

export class Tools {
  readonly element = h("div", {
    class: "rr-tools",
    role: "group",
    "aria-label": strings.tools,
  });
  private readonly buttons = new Map<Plain, HTMLButtonElement>();

  constructor(run: (command: Plain) => void) {
    for (const [name, key, label] of strings.toolList) {
      const button = h("button", {
        type: "button",
        class: "rr-tool",
        "aria-keyshortcuts": key === "?" ? "Shift+?" : key.toUpperCase(),
      });
      const note = h("span", { class: "rw-sr-only" });
      button.append(h("kbd", { "aria-hidden": "true" }, key), h("span", {}, label("")), note);
      button.addEventListener("click", () => run(name));
      this.buttons.set(name, button);
    }
    this.element.append(...this.buttons.values());
  }

  /** Only what the lab offers, and without an item only what needs none. */
  offer(content: Content, hasItem: boolean): void {
    const offered: Partial<Record<Plain, boolean>> = {
      rate: content.criteria.length > 0,
      flag: content.flags.length > 0,
      edit: content.editing,
    };
    for (const [name, button] of this.buttons) {
      button.hidden = !hasItem || offered[name] === false;
    }
  }

  /**
   * Name the card that a tool would work on, and mark what is said.
   *
   * @param isOpen Whether the sheet of a tool is open; undefined for a tool without one.
   */
  show(
    letter: string,
    said: Partial<Record<Plain, boolean>>,
    isOpen: (name: Plain) => boolean | undefined,
  ): void {
    for (const [name, , label] of strings.toolList) {
      const button = this.buttons.get(name);
      if (!button) continue;
      const [, words, note] = button.children;
      if (words) words.textContent = label(letter);
      const open = isOpen(name);
      if (open !== undefined) button.setAttribute("aria-expanded", String(open));
      button.toggleAttribute("data-on", said[name] || open || false);
      if (note) note.textContent = said[name] ? strings.toolSaid : "";
    }
  }
}
