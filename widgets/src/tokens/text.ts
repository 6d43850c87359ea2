// The response as inline text: one element for each token, one of them in the tab order.

import { focusedIn, h } from "../shared/dom";
import { tokens as strings } from "../strings";
import { drawToken, inWords } from "./glyphs";
import { exact } from "./numbers";
import type { Figure, Report } from "./protocol";
import { levelOf } from "./scale";

export interface TextHost {
  /** A token is under the pointer or the focus. */
  look(index: number): void;
}

export class TokenText {
  readonly element: HTMLElement;
  /** The token that has the focus, or would get it. */
  current = 0;
  private readonly spans: HTMLElement[];
  private figure: Figure = "log_ratio";
  private goal: number | null = null;

  constructor(
    private readonly report: Report,
    private readonly host: TextHost,
  ) {
    this.spans = report.ids.map((_, index) => this.token(index));
    this.element = h("div", {
      class: "tk-text",
      role: "listbox",
      "aria-label": strings.text,
      "aria-orientation": "horizontal",
      dir: "auto",
    });
    this.element.append(...this.spans);
    this.element.addEventListener("pointerover", (event) => this.hover(event));
    this.element.addEventListener("pointerleave", () => this.host.look(this.current));
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("focusin", (event) => this.noteFocus(event));
    this.mark(0);
  }

  get count(): number {
    return this.spans.length;
  }

  /** The token that the focus comes to. */
  get focusable(): HTMLElement | undefined {
    return this.spans[this.current];
  }

  get hasFocus(): boolean {
    return focusedIn(this.element) !== null;
  }

  /** Colour every token by a figure. */
  paint(figure: Figure, range: number): void {
    this.figure = figure;
    const values = this.report.figures[figure];
    this.spans.forEach((span, index) => {
      const level = String(levelOf(values?.[index] ?? null, range));
      if (span.dataset.level !== level) span.dataset.level = level;
    });
    this.name(this.current);
  }

  step(by: number): void {
    this.focus(this.current + by);
  }

  edge(last: boolean): void {
    this.focus(last ? this.count - 1 : 0);
  }

  /** Up and down: to the token of the next line that is nearest to where the walk began. */
  line(by: number): void {
    const here = this.place(this.current);
    if (!here) return;
    const goal = this.goal ?? here.middle;
    let at = this.current + by;
    while (this.spans[at] && onOneLine(this.place(at), here)) at += by;
    const line = this.place(at);
    if (line) this.focus(this.nearest(at, by, line, goal));
    else this.edge(by > 0);
    this.goal = goal;
  }

  focus(index = this.current): void {
    const target = Math.min(Math.max(index, 0), this.count - 1);
    this.goal = null;
    this.mark(target);
    const span = this.spans[target];
    span?.focus({ preventScroll: true });
    span?.scrollIntoView?.({ block: "nearest" });
  }

  private nearest(start: number, by: number, line: Place, goal: number): number {
    let [best, distance] = [start, Number.POSITIVE_INFINITY];
    for (let at = start; this.spans[at]; at += by) {
      const place = this.place(at);
      if (!place || !onOneLine(place, line)) break;
      const off = Math.abs(place.middle - goal);
      if (off < distance) [best, distance] = [at, off];
    }
    return best;
  }

  private place(index: number): Place | null {
    const box = this.spans[index]?.getClientRects()[0];
    return box ? { top: box.top, height: box.height, middle: box.left + box.width / 2 } : null;
  }

  private token(index: number): HTMLElement {
    const span = document.createElement("span");
    const kind = this.report.kinds[index] ?? "text";
    span.className = kind === "text" ? "tk-token" : `tk-token tk-${kind}`;
    span.setAttribute("role", "option");
    span.dataset.index = String(index);
    drawToken(span, this.report.texts[index] ?? "", kind);
    return span;
  }

  private mark(index: number): void {
    const before = this.spans[this.current];
    before?.removeAttribute("tabindex");
    before?.removeAttribute("aria-selected");
    before?.removeAttribute("aria-label");
    this.current = index;
    this.spans[index]?.setAttribute("tabindex", "0");
    this.spans[index]?.setAttribute("aria-selected", "true");
    this.name(index);
  }

  /** Only the current token has a name beyond its text: two thousand would slow every change. */
  private name(index: number): void {
    const { texts, kinds, wholes, figures } = this.report;
    const words = inWords(texts[index] ?? "", kinds[index] ?? "text", wholes[index] ?? "");
    const value = exact(figures[this.figure]?.[index]);
    this.spans[index]?.setAttribute("aria-label", strings.tokenLabel(words, this.figure, value));
  }

  private hover(event: Event): void {
    const index = this.indexOf(event);
    if (index !== null) this.host.look(index);
  }

  private click(event: Event): void {
    const index = this.indexOf(event);
    if (index !== null) this.focus(index);
  }

  private noteFocus(event: Event): void {
    const index = this.indexOf(event);
    if (index === null) return;
    if (index !== this.current) this.mark(index);
    this.host.look(index);
  }

  private indexOf(event: Event): number | null {
    const target = event.target instanceof Element ? event.target : null;
    const index = target?.closest<HTMLElement>(".tk-token")?.dataset.index;
    return index === undefined ? null : Number(index);
  }
}

interface Place {
  top: number;
  height: number;
  middle: number;
}

function onOneLine(one: Place | null, other: Place): boolean {
  return one !== null && Math.abs(one.top - other.top) < Math.max(other.height, 1) / 2;
}
