// The tree itself: rows with a graph, one Tab stop, and what a screen reader is told of each row.

import { h } from "../shared/dom";
import type { Interval } from "../shared/protocol";
import { versions as strings } from "../strings";
import { ago, interval, moment, number } from "./figures";
import { isReward, type Row } from "./layout";
import type { Version } from "./protocol";
import { graph, graphWidth, ruler } from "./svg";

/** What of a row may change while the versions stay what they are. */
export interface RowState {
  isCurrent: boolean;
  isMarked: boolean;
  isPresent: boolean;
  isAwaited: boolean;
  /** Whether a reward model of the present kind, when chosen, has trained it. */
  isRelated: boolean;
  isWorking: boolean;
}

class RowView {
  readonly element: HTMLElement;
  private readonly graph = h("span", { class: "rv-cell-graph" });
  private readonly badge = h("span", { class: "rv-badge" });
  private readonly made = h("span");
  private readonly madeAt: string;
  private drawn = "";
  private told = "";

  constructor(row: Row, now: number) {
    const { version } = row;
    this.madeAt = version.made;
    this.age(now);
    this.element = h(
      "div",
      {
        class: "rv-row",
        role: "treeitem",
        tabindex: -1,
        "aria-level": row.level,
        "aria-posinset": row.place,
        "aria-setsize": row.siblings,
        "data-name": version.name,
        "data-role": version.role,
      },
      this.graph,
      nameCell(version, this.badge),
      ...cells(row, this.made),
    );
  }

  /** Say anew how long ago it was made. */
  age(now: number): void {
    const text = ago(this.madeAt, now);
    if (this.made.textContent !== text) this.made.textContent = text;
  }

  show(row: Row, lanes: number, state: RowState): void {
    // Five hundred rows are drawn again only where something of theirs is new.
    const drawing = JSON.stringify([row.lanes, row.elbow, row.onPath, lanes, state.isPresent]);
    if (drawing !== this.drawn) this.graph.replaceChildren(graph(row, lanes, state.isPresent));
    this.drawn = drawing;
    const told = JSON.stringify(state);
    if (told !== this.told) this.tell(state);
    this.told = told;
  }

  private tell(state: RowState): void {
    const { element } = this;
    element.tabIndex = state.isCurrent ? 0 : -1;
    element.setAttribute("aria-selected", String(state.isCurrent || state.isMarked));
    if (state.isPresent) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
    element.toggleAttribute("data-current", state.isCurrent);
    element.toggleAttribute("data-marked", state.isMarked);
    element.toggleAttribute("data-related", state.isRelated);
    element.toggleAttribute("data-working", state.isWorking);
    element.toggleAttribute("data-awaited", state.isAwaited);
    this.badge.textContent = badge(state);
  }
}

function badge(state: RowState): string {
  if (state.isWorking) return strings.working;
  if (state.isPresent) return strings.present;
  if (state.isAwaited) return strings.awaited;
  return state.isMarked ? strings.marked : "";
}

export class VersionTree {
  readonly element = h("div", {
    class: "rv-tree",
    role: "tree",
    "aria-label": strings.tree,
    "aria-multiselectable": "true",
  });
  private views = new Map<string, RowView>();
  private width = "";

  /** @param choose A row was clicked; with a modifier it is to be marked. */
  constructor(describedBy: string, choose: (name: string, mark: boolean) => void) {
    this.element.setAttribute("aria-describedby", describedBy);
    this.element.addEventListener("click", (event) => {
      const row = event.target instanceof Element ? event.target.closest(".rv-row") : null;
      const name = row?.getAttribute("data-name");
      if (name) choose(name, event.ctrlKey || event.metaKey || event.shiftKey);
    });
  }

  /** Put other versions in. */
  build(rows: readonly Row[], now: number): void {
    this.views = new Map(rows.map((row) => [row.version.name, new RowView(row, now)]));
    const children: HTMLElement[] = [];
    let role = "";
    for (const row of rows) {
      if (row.version.role !== role) children.push(heading(row.version));
      role = row.version.role;
      const view = this.views.get(row.version.name);
      if (view) children.push(view.element);
    }
    this.element.replaceChildren(...children);
  }

  show(rows: readonly Row[], stateOf: (version: Version) => RowState): void {
    const lanes = Math.max(1, ...rows.map((row) => row.lane + 1));
    const width = `${graphWidth(lanes)}px`;
    // Set again, even the same value would have every row laid out anew.
    if (width !== this.width) this.element.style.setProperty("--rv-graph", width);
    this.width = width;
    for (const row of rows) {
      this.views.get(row.version.name)?.show(row, lanes, stateOf(row.version));
    }
  }

  /** Time has gone on. */
  age(now: number): void {
    for (const view of this.views.values()) view.age(now);
  }

  contains(target: EventTarget | null): boolean {
    return target instanceof Node && this.element.contains(target);
  }

  row(name: string): HTMLElement | undefined {
    return this.views.get(name)?.element;
  }

  focus(name: string): void {
    const row = this.row(name);
    row?.focus({ preventScroll: true });
    row?.scrollIntoView?.({ block: "nearest" });
  }

  /** Bring a row into the visible part, and move nothing but the tree. */
  reveal(name: string): void {
    const row = this.row(name);
    if (!row) return;
    const { element } = this;
    const top = row.offsetTop;
    const isVisible =
      top >= element.scrollTop &&
      top + row.offsetHeight <= element.scrollTop + element.clientHeight;
    if (!isVisible) element.scrollTop = top - element.clientHeight / 2;
  }
}

function heading(version: Version): HTMLElement {
  const words = isReward(version) ? strings.columns.reward : strings.columns.policy;
  return h(
    "div",
    { class: "rv-heading", "aria-hidden": "true", "data-role": version.role },
    h("span"),
    ...words.map((word) => h("span", {}, word)),
  );
}

// The name of a row is all that stands in it; what its columns say to the eye, hidden words say to
// the ear. On a narrow page, where there are no columns, some of them are shown.

function nameCell(version: Version, badge: HTMLElement): HTMLElement {
  const cell = h("span", { class: "rv-name" }, h("span", { class: "rv-version" }, version.name));
  cell.append(hidden(" "), badge);
  if (version.trained_with.length) {
    const tag = h("span", { class: "rv-tag" }, version.trained_with.join(", "));
    cell.append(hidden(strings.words.trainedWith), tag);
  }
  return cell;
}

function cells({ version, level }: Row, age: HTMLElement): HTMLElement[] {
  const { metrics, role } = version;
  const { words } = strings;
  const { loss, score, kl } = metrics;
  const made = cell("rv-made", hidden(words.made), age);
  made.title = moment(version.made);
  return [
    cell("rv-round", hidden(words.round(role)), String(level - 1)),
    isReward(version)
      ? figure("rv-score", words.loss, loss, 2)
      : figure("rv-score", words.score, score, 2),
    figure("rv-kl", words.kl, kl, 1, words.nats),
    rateCell(version),
    figure("rv-judgments", "", version.judgments, 0, words.judgments),
    made,
  ];
}

function cell(name: string, ...children: (Node | string)[]): HTMLElement {
  return h("span", { class: name }, ...children);
}

/** Empty where there is no such figure. */
function figure(
  name: string,
  word: string,
  value: number | null | undefined,
  digits: number,
  unit = "",
): HTMLElement {
  if (value === null || value === undefined) return cell(name);
  return cell(name, hidden(", "), shown(word), number(value, digits), hidden(unit));
}

function hidden(text: string): HTMLElement {
  return h("span", { class: "rw-sr-only" }, text);
}

function shown(text: string): HTMLElement {
  return h("span", { class: "rw-sr-only rv-word" }, text);
}

function rateCell(version: Version): HTMLElement {
  const latest = version.evaluations.at(-1);
  const found: Interval | undefined = version.accuracy ?? latest?.win_rate;
  if (!found) return cell("rv-rate");
  const word = version.accuracy ? strings.words.accuracy : strings.words.won;
  const parts = [hidden(", "), shown(word), ruler(found)];
  const rate = cell("rv-rate", ...parts, h("span", { class: "rv-interval" }, interval(found)));
  if (latest) {
    const against = h("span", { class: "rw-muted" }, strings.against(latest.baseline));
    rate.append(hidden(" "), against);
  }
  return rate;
}
