// The sheets of the drawer. Each is made when it is opened.

import { diffView } from "../shared/diff";
import { h, uniqueId } from "../shared/dom";
import type { CardData } from "../shared/protocol";
import { ranker as strings } from "../strings";
import type { Draft } from "./draft";
import type { Sheet } from "./drawer";
import type { Content } from "./protocol";

/** What Python takes at most, in characters. */
const LONGEST_COMMENT = 4_000;
const LONGEST_DEMONSTRATION = 100_000;

/** Comment and flags of the item. */
export function notesSheet(
  draft: Draft,
  flags: readonly string[],
  start: "comment" | "flag",
  onChange: () => void,
): Sheet {
  const comment = h("textarea", {
    class: "rr-text",
    rows: 3,
    maxlength: LONGEST_COMMENT,
    "aria-label": strings.comment,
    placeholder: strings.commentPlaceholder,
  });
  comment.value = draft.comment;
  comment.addEventListener("input", () => {
    draft.comment = comment.value;
    onChange();
  });
  const boxes = flags.map((flag) => flagBox(flag, draft, onChange));
  const row = h("div", { class: "rr-flags", role: "group", "aria-label": strings.flags });
  row.append(...boxes.map((box) => box.label));
  row.hidden = flags.length === 0;
  return {
    kind: "notes",
    about: start,
    title: strings.notes,
    body: h("div", { class: "rr-sheet-body" }, comment, row, hint(strings.notesHint)),
    focus: () => (start === "flag" && boxes[0] ? boxes[0].box : comment).focus(),
    run(command) {
      const box = command.name === "rank" ? boxes[command.rank - 1]?.box : undefined;
      box?.click();
      box?.focus();
      return command.name === "rank";
    },
  };
}

function flagBox(flag: string, draft: Draft, onChange: () => void) {
  const box = h("input", { type: "checkbox" });
  box.checked = draft.flags.includes(flag);
  box.addEventListener("change", () => {
    draft.toggleFlag(flag);
    onChange();
  });
  return { box, label: h("label", { class: "rr-flag" }, box, flag) };
}

/** A response to be edited into what the model should have said. */
export function editSheet(
  card: CardData,
  start: string,
  does: { keep: (text: string) => void; save: (text: string) => void; cancel: () => void },
): Sheet {
  const text = h("textarea", {
    class: "rr-text rr-edit-text",
    rows: 9,
    maxlength: LONGEST_DEMONSTRATION,
    "aria-label": strings.editLabel(card.letter),
  });
  text.value = start;
  text.addEventListener("input", () => does.keep(text.value));
  const save = h("button", { type: "button", class: "rw-button rw-primary" }, strings.editSave);
  const cancel = h("button", { type: "button", class: "rw-button" }, strings.editCancel);
  const confirm = () => does.save(text.value);
  save.toggleAttribute("data-ready", true);
  save.addEventListener("click", confirm);
  cancel.addEventListener("click", does.cancel);
  const buttons = h("div", { class: "rr-sheet-actions" }, save, cancel, hint(strings.editHint));
  return {
    kind: "edit",
    about: card.letter,
    title: strings.editTitle(card.letter),
    body: h("div", { class: "rr-sheet-body" }, text, buttons),
    focus() {
      text.focus();
      text.setSelectionRange(0, 0);
      text.scrollTop = 0;
    },
    confirm,
  };
}

/** What one response has otherwise than another. */
export function compareSheet(from: CardData, to: CardData): Sheet {
  const title = strings.compareTitle(from.letter, to.letter);
  const text = { class: "rr-diff", role: "region", "aria-label": title, tabindex: 0 };
  const body = h("div", text, diffView(from.text, to.text));
  return {
    kind: "compare",
    about: from.letter + to.letter,
    title,
    body,
    focus: () => body.focus({ preventScroll: true }),
  };
}

/** Every key. */
export function helpSheet(count: number, content: Content): Sheet {
  const keys = strings.help(count, {
    criteria: content.criteria.length > 0,
    flags: content.flags.length > 0,
    editing: content.editing,
  });
  const label = uniqueId("rlhf-help");
  const list = keys.map(([key, what]) => {
    const names = key.split(" ").map((name) => h("kbd", {}, name));
    return h("div", {}, h("dt", {}, ...names), h("dd", {}, what));
  });
  const body = h("dl", { class: "rr-help-list", id: label }, ...list);
  const region = h("div", { class: "rr-sheet-body", tabindex: -1 }, body);
  return {
    kind: "help",
    about: String(count),
    title: strings.helpTitle,
    body: region,
    focus: () => region.focus({ preventScroll: true }),
  };
}

function hint(text: string): HTMLElement {
  return h("span", { class: "rr-hint" }, text);
}
