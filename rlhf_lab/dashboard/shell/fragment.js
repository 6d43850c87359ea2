// HTML from the server, shown as it is. What is done to an element with `data-act` goes back as the
// value `acted`; what changes is changed in place, so that focus, open details and half-typed words
// stay.

const BUSY_MS = 15_000;
const COPIED_MS = 2_000;

export function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "lab-fragment";
  const update = () => show(root, model.get("html"));
  update();
  model.on("change:html", update);
  model.on("change:handled", () => setBusy(root, false));
  model.on("change:address", () => goTo(model.get("address")));
  let number = 0;
  listen(root, (act) => {
    number += 1;
    // The number makes it another value when the same is done again.
    model.set("acted", { ...act, number });
    model.save_changes();
  });
  el.append(root);
  const clock = setInterval(() => tellTimes(root), 30_000);
  return () => clearInterval(clock);
}

function goTo(address) {
  if (!address.startsWith("/") || address.startsWith("//")) return;
  const { pathname, search } = globalThis.location;
  const next = encodeURIComponent(pathname + search);
  // Whoever has to sign in again comes back to where they were.
  globalThis.location.assign(address.startsWith("/login?") ? `${address}&next=${next}` : address);
}

// --------------------------------------------------------------------------------------- showing

function show(root, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  tellTimes(template.content);
  morphChildren(root, template.content);
}

/** Make one list of nodes like another; those with a `data-row` or an id stay what they are. */
function morphChildren(from, to) {
  const keyed = new Map();
  for (const child of from.children) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const known = keyOf(wanted) ? keyed.get(keyOf(wanted)) : isAlike(place, wanted) ? place : null;
    if (!known) {
      from.insertBefore(wanted, place);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else from.insertBefore(known, place);
    morph(known, wanted);
  }
  while (place) {
    const next = place.nextSibling;
    if (!(place instanceof HTMLDialogElement)) place.remove();
    place = next;
  }
}

function isAlike(node, wanted) {
  return node !== null && node.nodeName === wanted.nodeName && !keyOf(node) && !isOurs(node);
}

/** A question that is being asked is none of the server's elements. */
function isOurs(node) {
  return node instanceof HTMLDialogElement;
}

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  return node.id || node.dataset.row || "";
}

function morph(node, wanted) {
  if (node.nodeName !== wanted.nodeName) {
    node.replaceWith(wanted);
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (!wanted.hasAttribute(name) && !isPersons(node, name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value && !isPersons(node, name)) node.setAttribute(name, value);
  }
  const chosen = node instanceof HTMLSelectElement ? selectedAtFirst(node) : 0;
  morphChildren(node, wanted);
  // A select that somebody has used follows its options no more by itself.
  if (node instanceof HTMLSelectElement && selectedAtFirst(node) !== chosen) {
    node.selectedIndex = selectedAtFirst(node);
  }
}

/** What a person set by clicking, which no update may take back. */
function isPersons(node, name) {
  return (node.nodeName === "DETAILS" && name === "open") || name === "aria-busy";
}

// ----------------------------------------------------------------------------------------- times

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Times as people say them, in their own time zone; the whole time is in the tooltip. */
function tellTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const when = new Date(element.getAttribute("datetime"));
    if (Number.isNaN(when.getTime())) continue;
    element.title = when.toLocaleString();
    const text = element.dataset.form === "whole" ? element.title : ago(when);
    if (element.textContent !== text) element.textContent = text;
  }
}

function ago(when) {
  const seconds = (when.getTime() - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["now", 1];
  if (unit === "now") return "just now";
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  return words.format(Math.round(seconds / length), unit);
}

// ---------------------------------------------------------------------------------------- acting

function listen(root, send) {
  const act = (element, values) => {
    const { act: name, key = "" } = element.dataset;
    setBusy(root, true, element);
    send({ act: name, key, values });
  };
  const actIfSure = (element, values) => {
    if (element.dataset.confirm) ask(root, element, () => act(element, values));
    else act(element, values);
  };
  root.addEventListener("click", (event) => {
    const copying = event.target.closest("[data-copy]");
    if (copying) copy(root, copying);
    const element = event.target.closest("button[data-act]");
    if (element && element.getAttribute("aria-busy") !== "true") actIfSure(element, {});
  });
  root.addEventListener("change", (event) => {
    const element = event.target.closest("select[data-act], input[data-act]");
    if (element) actIfSure(element, { value: chosenIn(element) });
  });
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-act]");
    event.preventDefault();
    if (form && form.getAttribute("aria-busy") !== "true") actIfSure(form, valuesOf(form));
  });
}

function chosenIn(element) {
  return element.type === "checkbox" ? (element.checked ? "on" : "") : element.value;
}

function valuesOf(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => typeof value === "string");
  return Object.fromEntries(pairs);
}

function setBusy(root, isBusy, element) {
  if (isBusy) {
    element.setAttribute("aria-busy", "true");
    // A server that went away will not answer: whoever waits may try again.
    setTimeout(() => element.removeAttribute("aria-busy"), BUSY_MS);
    return;
  }
  for (const busy of root.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
}

/** Ask before something that cannot simply be taken back. */
function ask(root, element, act) {
  const dialog = document.createElement("dialog");
  dialog.className = "lab-dialog";
  const question = document.createElement("p");
  const chosen = element instanceof HTMLSelectElement ? element.selectedOptions[0].text : "";
  question.textContent = element.dataset.confirm.replace("%s", () => chosen);
  const buttons = document.createElement("div");
  buttons.className = "lab-row lab-end";
  const answer = (text, tone, onClick) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "lab-button";
    button.dataset.tone = tone;
    button.textContent = text;
    button.addEventListener("click", () => {
      dialog.close();
      onClick?.();
    });
    buttons.append(button);
    return button;
  };
  const no = answer("Cancel", "plain");
  answer(element.dataset.confirmed || element.textContent.trim(), toneOf(element), act);
  dialog.append(question, buttons);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (element instanceof HTMLSelectElement) element.selectedIndex = selectedAtFirst(element);
    element.focus();
  });
  root.append(dialog);
  dialog.showModal();
  no.focus();
}

function toneOf(element) {
  return element.dataset.tone === "danger" ? "danger" : "primary";
}

function selectedAtFirst(select) {
  return Math.max(
    0,
    [...select.options].findIndex((option) => option.defaultSelected),
  );
}

async function copy(root, button) {
  const text = root.querySelector(`#${CSS.escape(button.dataset.copy)}`);
  if (!text) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text.value ?? text.textContent);
    button.textContent = "Copied";
  } catch {
    // Without a secure origin there is no clipboard: at least it is selected.
    text.select?.();
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => {
    button.textContent = before;
  }, COPIED_MS);
}
