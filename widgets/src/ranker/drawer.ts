// Under the actions, and only when asked for: comment and flags, the editor, what differs, the keys.
// There it moves neither cards nor buttons.

import { focusedIn, h } from "../shared/dom";
import { takesText } from "../shared/keys";
import { ranker as strings } from "../strings";
import type { Command } from "./keys";

export type DrawerKind = "notes" | "edit" | "compare" | "help";

/** What a drawer shows. */
export interface Sheet {
  kind: DrawerKind;
  /** Which one of its kind: asked for again, the same sheet goes. */
  about: string;
  title: string;
  body: HTMLElement;
  focus(): void;
  /** Ctrl+Enter in a text. */
  confirm?(): void;
  /** A key that is not typed into a text; says whether it was meant for the sheet. */
  run?(command: Command): boolean;
}

const NAVIGATION = ["step", "row", "edge", "scroll"];

export class Drawer {
  readonly element = h("div", { class: "rr-drawer", hidden: true });
  private sheet: Sheet | null = null;

  /** @param onClose What to do when the person closes it. */
  constructor(private readonly onClose: () => void) {}

  get kind(): DrawerKind | null {
    return this.sheet?.kind ?? null;
  }

  shows(kind: DrawerKind, about: string): boolean {
    return this.sheet?.kind === kind && this.sheet.about === about;
  }

  /** Whether a person is at a comment, flags or an edited text: keys mean something else there. */
  get isInUse(): boolean {
    return ["notes", "edit"].includes(this.kind ?? "") && focusedIn(this.element) !== null;
  }

  open(sheet: Sheet): void {
    const close = h(
      "button",
      { type: "button", class: "rr-close", "aria-label": strings.close },
      "✕",
    );
    close.addEventListener("click", this.onClose);
    const title = h("div", { class: "rr-sheet-title" }, sheet.title);
    this.element.replaceChildren(
      h(
        "div",
        { class: `rr-sheet rr-${sheet.kind}`, role: "group", "aria-label": sheet.title },
        h("div", { class: "rr-sheet-top" }, title, close),
        sheet.body,
      ),
    );
    this.element.hidden = false;
    this.sheet = sheet;
    this.element.scrollIntoView?.({ block: "nearest" });
    sheet.focus();
  }

  close(): void {
    this.element.hidden = true;
    this.element.replaceChildren();
    this.sheet = null;
  }

  /** A key in a text of the drawer: all but these two are text. Says whether it was one. */
  onTextKey(event: KeyboardEvent): boolean {
    if (event.isComposing) return false;
    if (event.key === "Escape") this.onClose();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      (this.sheet?.confirm ?? this.onClose)();
    } else return false;
    return true;
  }

  /** Whether a command given here is the browser's: moving and scrolling. */
  leavesToBrowser(command: Command, target: EventTarget | null): boolean {
    return this.holds(target) && NAVIGATION.includes(command.name);
  }

  run(command: Command, target: EventTarget | null): boolean {
    return (this.holds(target) && this.sheet?.run?.(command)) || false;
  }

  private holds(target: EventTarget | null): boolean {
    return target instanceof Node && this.element.contains(target) && !takesText(target);
  }
}
