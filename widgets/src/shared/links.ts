// Addresses in what models and files say. rlhf_lab/widgets/rendering.py marks them with `data-url`
// and makes no links; here each becomes a button, which shows the whole address and asks before
// anything opens. Nothing is fetched before.

import { links as strings } from "../strings";
import { doubtsAbout, partsOf, readAddress } from "./address";
import { h } from "./dom";
import { keepKeysInside } from "./keys";

/** Make buttons of the marked addresses in `element`. */
export function enableLinks(element: HTMLElement): void {
  for (const mark of element.querySelectorAll<HTMLElement>("span.rw-md-link[data-url]")) {
    // Read again here: this file trusts Python no more than Python trusts the text.
    const address = readAddress(mark.dataset.url ?? "");
    if (address) mark.replaceWith(linkButton(mark, address));
  }
}

function linkButton(mark: HTMLElement, address: URL): HTMLButtonElement {
  const button = h("button", { type: "button", class: "rw-md-link", "aria-haspopup": "dialog" });
  button.title = strings.hint(address.host || address.pathname);
  button.append(...mark.childNodes);
  const label = visibleText(button);
  if (!label) button.replaceChildren(address.href);
  button.addEventListener("click", (event) => {
    event.stopPropagation(); // the card around it is not meant
    ask(button, address, label);
  });
  return button;
}

/** What can be seen of a label: some signs have no width, and part no name that they stand in. */
function visibleText(element: HTMLElement): string {
  const seen = (element.textContent ?? "").replace(/[\p{Cf}\p{Mn}]+/gu, "");
  return seen.replace(/[\p{Zs}\s]+/gu, " ").trim();
}

/** Ask, in the widget around the button. */
function ask(button: HTMLElement, address: URL, label: string): void {
  const widget = button.closest<HTMLElement>(".rlhf-widget");
  if (!widget) return;
  for (const open of widget.querySelectorAll(".rw-link-dialog")) open.remove();
  const dialog = linkDialog(address, label);
  dialog.addEventListener("close", () => {
    dialog.remove();
    // Meanwhile another text may have come in the place of the one with the link.
    (button.isConnected ? button : widget).focus({ preventScroll: true });
  });
  widget.append(dialog);
  dialog.showModal();
}

function linkDialog(address: URL, label: string): HTMLDialogElement {
  const mail = address.protocol === "mailto:";
  const cancel = h("button", { type: "button", class: "rw-button" }, strings.cancel);
  cancel.autofocus = true;
  const title = mail ? strings.mailTitle : strings.title;
  const doubts = doubtsAbout(address, label);
  const dialog = h(
    "dialog",
    { class: "rw-link-dialog", "aria-label": title },
    h("h2", {}, title),
    h(
      "p",
      { class: "rw-link-address", role: "group", "aria-label": strings.address },
      ...shown(address),
    ),
    ...(doubts.length ? [h("ul", {}, ...doubts.map((doubt) => h("li", {}, doubt)))] : []),
    h("p", { class: "rw-muted" }, mail ? strings.mailFrom : strings.from),
    h("div", { class: "rw-link-actions" }, opener(address, mail, doubts.length === 0), cancel),
  );
  keepKeysInside(dialog); // neither the notebook's nor the widget's: a digit here ranks nothing
  dialog.addEventListener("click", (event) => {
    event.stopPropagation();
    const onButton = event.target instanceof Element && event.target.closest("a, button");
    if (onButton || event.target === dialog) dialog.close();
  });
  return dialog;
}

/** A real link, so that the browser or VS Code opens it in its own way, and only when clicked. */
function opener(address: URL, mail: boolean, inviting: boolean): HTMLAnchorElement {
  const attributes = { class: "rw-button", href: address.href, "data-inviting": inviting };
  const target = mail ? {} : { target: "_blank" };
  const rel = "noopener noreferrer";
  return h("a", { ...attributes, ...target, rel }, mail ? strings.write : strings.open);
}

function shown(address: URL): Node[] {
  const { before, site, after } = partsOf(address);
  const texts = [before, after].map((text) => document.createTextNode(text));
  return [texts[0] as Node, h("strong", {}, site), texts[1] as Node];
}
