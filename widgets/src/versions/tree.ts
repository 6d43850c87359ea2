// The tree itself: rows with a graph, one Tab stop, and what a screen reader is told of each row.

import { h } from "../shared/dom";
import { versions as strings } from "../strings";
import { ago, interval, moment, number } from "./figures";
import { isReward, type Row } from "./layout";
import type { Interval, Version } from "./protocol";
import { graph, graphWidth, ruler } from "./svg";

/** What of a row may change while the versions stay what they are. */
export interface RowState {
  isCurrent: boolean;
  isMarked: boolean;
  isPresent: boolean;
  /** Whether a reward model of the present kind, when chosen, has trained it. */
  isRelated: boolean;
  isWorking: boolean;
}

class RowView {
  readonly element: HTMLElement;
  private readonly graph = h("span", { class: "rv-cell-graph" });
  private readonly badge = h("span", { class: "rv-badge" });
  private drawn = "";
  private told = "";

  constructor(
    private row: Row,
    now: number,
  ) {
    const { version } = row;
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
      ...cells(row, now),
    );
  }

  show(row: Row, lanes: number, state: RowState): void {
    this.row = row;
    // Five hundred rows are drawn again only where something of theirs is new.
    const drawing = JSON.stringify([row.lanes, row.elbow, lanes, state.isPresent]);
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
    element.setAttribute("aria-label", label(this.row, state));
    if (state.isPresent) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
    element.toggleAttribute("data-current", state.isCurrent);
    element.toggleAttribute("data-marked", state.isMarked);
    element.toggleAttribute("data-related", state.isRelated);
    element.toggleAttribute("data-working", state.isWorking);
    this.badge.textContent = state.isWorking
      ? strings.working
      : state.isPresent
        ? strings.present
        : state.isMarked
          ? strings.marked
          : "";
  }
}

export class VersionTree {
  readonly element = h("div", {
    class: "rv-tree",
    role: "tree",
    "aria-label": strings.tree,
    "aria-multiselectable": "true",
  });
  private views = new Map<string, RowView>();

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
    this.element.style.setProperty("--rv-graph", `${graphWidth(lanes)}px`);
    for (const row of rows) {
      this.views.get(row.version.name)?.show(row, lanes, stateOf(row.version));
    }
  }

  contains(target: EventTarget | null): boolean {
    return target instanceof Node && this.element.contains(target);
  }

  focus(name: string): void {
    const row = this.views.get(name)?.element;
    row?.focus({ preventScroll: true });
    row?.scrollIntoView?.({ block: "nearest" });
  }

  /** Bring a row into the visible part, and move nothing but the tree. */
  reveal(name: string): void {
    const row = this.views.get(name)?.element;
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

function nameCell(version: Version, badge: HTMLElement): HTMLElement {
  const cell = h("span", { class: "rv-name" }, h("span", { class: "rv-version" }, version.name));
  cell.append(badge);
  if (version.trained_with.length) {
    cell.append(h("span", { class: "rv-tag" }, ...version.trained_with.map(tag)));
  }
  return cell;
}

function tag(name: string): HTMLElement {
  return h("span", { "data-reward": name }, name);
}

function cells({ version, level }: Row, now: number): HTMLElement[] {
  const { metrics } = version;
  const first = isReward(version) ? metrics.loss : metrics.score;
  const made = h("span", { class: "rv-made", title: moment(version.made) }, ago(version.made, now));
  return [
    h("span", { class: "rv-round" }, String(level - 1)),
    h("span", { class: "rv-score" }, first === undefined ? "" : number(first)),
    h("span", { class: "rv-kl" }, metrics.kl === undefined ? "" : number(metrics.kl, 1)),
    rateCell(version),
    h("span", { class: "rv-judgments" }, version.judgments === null ? "" : `${version.judgments}`),
    made,
  ];
}

function rateCell(version: Version): HTMLElement {
  const latest = version.evaluations.at(-1);
  const found: Interval | undefined = version.accuracy ?? latest?.win_rate;
  const cell = h("span", { class: "rv-rate" });
  if (!found) return cell;
  cell.append(ruler(found), h("span", { class: "rv-interval" }, interval(found)));
  if (latest) cell.append(h("span", { class: "rw-muted" }, strings.against(latest.baseline)));
  return cell;
}

/** All that a row shows, in words. */
function label({ version, level }: Row, state: RowState): string {
  const { metrics } = version;
  const words = strings.label;
  const latest = version.evaluations.at(-1);
  const parts = [
    version.name,
    state.isPresent ? strings.present : "",
    state.isMarked ? strings.marked : "",
    state.isWorking ? strings.working : "",
    words.round(version.role, level - 1),
    version.trained_with.length ? words.with(version.trained_with) : "",
    metrics.score == null ? "" : words.score(number(metrics.score)),
    metrics.loss == null ? "" : words.loss(number(metrics.loss)),
    metrics.kl == null ? "" : words.kl(number(metrics.kl, 1)),
    latest ? words.winRate(interval(latest.win_rate), latest.baseline) : "",
    version.accuracy ? words.accuracy(interval(version.accuracy)) : "",
    version.judgments === null ? "" : words.judgments(version.judgments),
    words.made(moment(version.made)),
  ];
  return parts.filter(Boolean).join(", ");
}
