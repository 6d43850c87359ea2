// Keys that belong to a widget. JupyterLab would otherwise take single letters as commands.

/**
 * Keep all key presses in `root`. Bubbling is stopped at the root, after our own handlers: the
 * notebook listens further up. Shift+Enter and Ctrl+Enter too: running the cell would make a new
 * widget under the person's hands. The browser's own shortcuts do not bubble and keep working, but
 * for the one that would save the page: a hand used to a notebook presses it now and then.
 */
export function keepKeysInside(root: HTMLElement): void {
  root.addEventListener("keydown", (event) => {
    if (isSaveKey(event)) event.preventDefault();
  });
  for (const type of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(type, (event) => event.stopPropagation());
  }
}

/** Ctrl+S, or Cmd+S on a Mac. With Alt, too, it is a letter on some keyboards. */
export function isSaveKey(event: KeyboardEvent): boolean {
  const { ctrlKey, metaKey, altKey, shiftKey, key } = event;
  return (ctrlKey || metaKey) && !altKey && !shiftKey && key.toLowerCase() === "s";
}

/** Whether keys typed here are text: then no letter or digit is a command. */
export function takesText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement &&
      !["button", "checkbox", "radio", "range", "submit"].includes(target.type))
  );
}

/** Whether a key is part of a shortcut of the browser or the system, or of a sign being composed. */
export function isShortcut(event: KeyboardEvent): boolean {
  return event.isComposing || event.ctrlKey || event.metaKey || event.altKey;
}

/** The digit of a key press, or null. */
export function digitOf(event: KeyboardEvent): number | null {
  // On some keyboards (French) digits need Shift; there the key's place counts as well.
  const place = event.shiftKey ? undefined : /^Digit(\d)$/.exec(event.code)?.[1];
  const digit = /^\d$/.exec(event.key)?.[0] ?? place;
  return digit === undefined ? null : Number(digit);
}
