// Light or dark, as the host is. Every host marks its theme in its own way, but all of them paint a
// background; so that is what is looked at. Works inside a shadow root too.

const OPAQUE = 0.5;

function parentOf(element: Element): Element | null {
  const root = element.getRootNode();
  return element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}

function backgroundOf(element: Element): [number, number, number] | null {
  const numbers =
    getComputedStyle(element)
      .backgroundColor.match(/[\d.]+/g)
      ?.map(Number) ?? [];
  const [red, green, blue, alpha = 1] = numbers;
  if (red === undefined || green === undefined || blue === undefined) return null;
  return alpha > OPAQUE ? [red, green, blue] : null;
}

export function isDark(element: Element): boolean {
  for (let e: Element | null = element; e; e = parentOf(e)) {
    const colour = backgroundOf(e);
    if (colour) return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 128;
  }
  return globalThis.matchMedia?.("(prefers-color-scheme: dark)").matches ?? false;
}

/** Keep `root`'s data-theme in step with the page; returns a function that stops it. */
export function followTheme(root: HTMLElement): () => void {
  const update = () => {
    const theme = root.parentElement && isDark(root.parentElement) ? "dark" : "light";
    // Set again to what it is, it would be news to whoever watches it.
    if (root.dataset.theme !== theme) root.dataset.theme = theme;
  };
  // Hosts change attributes of <body> or <html>, or swap style sheets in <head>.
  const observer = new MutationObserver(() => requestAnimationFrame(update));
  const attributes = { attributes: true, attributeFilter: ["class", "style"] };
  observer.observe(document.documentElement, { attributes: true });
  observer.observe(document.body, { attributes: true });
  observer.observe(document.head, { childList: true, subtree: true, ...attributes });
  const media = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
  media?.addEventListener("change", update);
  // The element is attached to the page only after the host's render call.
  requestAnimationFrame(update);
  return () => {
    observer.disconnect();
    media?.removeEventListener("change", update);
  };
}
