// What may be said beside ranks, and what helps to give them: each has a key, a quiet button, and a
// sheet in the drawer.

import type { Tone } from "../shared/widget";
import { ranker as strings } from "../strings";
import { Drawer, type DrawerKind, type Sheet } from "./drawer";
import type { Edits } from "./edits";
import type { ItemPanel } from "./item";
import type { Plain } from "./keys";
import type { Content } from "./protocol";
import { compareSheet, editSheet, helpSheet, notesSheet } from "./sheets";
import { Tools } from "./tools";

export interface ExtrasHost {
  readonly panel: ItemPanel | null;
  readonly settings: Content;
  readonly edits: Edits;
  tell(text: string, tone?: Tone): void;
  /** Something was said of the item. */
  changed(): void;
  /** A response was edited into a demonstration. */
  demonstrate(card: number, text: string): void;
  /** The item has other parts, and so another height. */
  resized(): void;
  /** The drawer is closed: show the item that waited for that, and say whether there was one. */
  goOn(): boolean;
  /** Do what one of the quiet buttons says. */
  runPlain(name: Plain): void;
}

export class Extras {
  readonly drawer = new Drawer(() => this.close());
  readonly tools: Tools;
  /** Ratings are shown with every item, once asked for. */
  private rating = false;

  constructor(private readonly host: ExtrasHost) {
    this.tools = new Tools((name) => host.runPlain(name));
  }

  /** Another item is on the screen, or none. */
  itemChanged(): void {
    const count = this.host.panel?.count ?? 0;
    // Only the keys are about every item with so many responses.
    if (!this.drawer.shows("help", String(count))) this.drawer.close();
    this.tools.offer(this.host.settings, this.host.panel !== null);
    this.host.panel?.showRatings(this.rating);
    this.show();
  }

  /** Bring the quiet buttons in line with the item. */
  show(): void {
    const { panel } = this.host;
    if (!panel) return;
    const { comment, flags } = panel.draft;
    const edited = this.host.edits.unsaved(panel.item.key).length > 0;
    const said = { comment: comment !== "", flag: flags.length > 0, edit: edited };
    const sheets: Partial<Record<Plain, DrawerKind>> = {
      comment: "notes",
      flag: "notes",
      edit: "edit",
      compare: "compare",
      help: "help",
    };
    this.tools.show(panel.letter, said, (name) => {
      if (name === "rate") return this.rating;
      return sheets[name] && this.drawer.kind === sheets[name];
    });
  }

  /** Close what is open and go back to the responses. */
  close(): void {
    this.drawer.close();
    if (!this.host.goOn()) this.host.panel?.focus();
    this.show();
  }

  notes(start: "comment" | "flag"): void {
    const { panel, settings } = this.host;
    if (start === "flag" && settings.flags.length === 0) this.host.tell(strings.noFlags);
    else if (panel) {
      this.open(notesSheet(panel.draft, settings.flags, start, () => this.host.changed()));
    }
  }

  /** A key goes to and fro between a card and its ratings; the button shows and hides them. */
  rate(byKey: boolean): void {
    const { panel, settings } = this.host;
    if (!panel) return;
    if (settings.criteria.length === 0) {
      this.host.tell(strings.noCriteria);
      return;
    }
    const shown = !this.rating || byKey;
    if (shown !== this.rating) {
      this.rating = shown;
      panel.showRatings(shown);
      this.host.resized();
    }
    if (shown) panel.focusRatings();
    else panel.focus();
    this.show();
  }

  edit(): void {
    const { panel, settings } = this.host;
    const card = panel?.item.cards[panel.at];
    if (!panel || !card) return;
    if (!settings.editing) {
      this.host.tell(strings.noEditing);
      return;
    }
    const { edits } = this.host;
    const { key } = panel.item;
    const at = panel.at;
    const keep = (text: string) => edits.keep(key, at, text);
    const save = (text: string) => this.save(at, text);
    const start = edits.text(key, at) ?? card.text;
    this.open(editSheet(card, start, { keep, save, cancel: () => this.close() }));
  }

  compare(): void {
    const { panel } = this.host;
    const to = panel?.item.cards[panel.at];
    const from = panel?.item.cards[panel.draft.neighbour(panel.at)];
    if (from && to) this.open(compareSheet(from, to));
  }

  help(): void {
    const { panel, settings } = this.host;
    if (panel) this.open(helpSheet(panel.count, settings));
  }

  private save(card: number, text: string): void {
    if (!text.trim()) {
      this.host.tell(strings.editEmpty);
      return;
    }
    const letter = this.host.panel?.draft.letter(card) ?? "";
    this.host.demonstrate(card, text);
    this.close();
    this.host.tell(strings.editSent(letter));
  }

  private open(sheet: Sheet): void {
    if (this.drawer.shows(sheet.kind, sheet.about)) this.close();
    else this.drawer.open(sheet);
    this.show();
  }
}
