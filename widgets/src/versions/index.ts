// The tree of versions. It holds no truth and shows what Python says; what it has of its own are
// the chosen row, the marked one, and the queue of unsent events.

import { closingView } from "../shared/closing";
import { focusedIn, h, keepingFocus, setDisabled, uniqueId } from "../shared/dom";
import { hintsView } from "../shared/hints";
import { Reserve } from "../shared/reserve";
import { Widget, widgetModule } from "../shared/widget";
import { versions as strings } from "../strings";
import { comparison, details, pageLink } from "./details";
import { type Command, commandOf, find } from "./keys";
import { layout, type Row } from "./layout";
import type { Content, MoveEvent, TreeEvent, TreeModel, Version, View } from "./protocol";
import { type RowState, VersionTree } from "./tree";
import { Typing } from "./typing";

/** "1 min ago" is no longer true after that. */
const AGE_MS = 60_000;

class Versions extends Widget<View, Content, TreeEvent> {
  private readonly summary = h("div", { class: "rv-summary rw-muted" });
  private readonly keysId = uniqueId("rv-keys");
  private readonly tree = new VersionTree(this.keysId, (name, mark) => this.clicked(name, mark));
  private readonly panel = h("div", { class: "rv-panel", role: "region" });
  private readonly panelRoom = new Reserve(this.panel);
  private readonly stage = h("div", { class: "rv-stage" }, this.tree.element, this.panel);
  private readonly actions = h("div", { class: "rw-actions rv-actions" });
  private readonly closing = h("div", { hidden: true });
  private readonly checkoutButton = this.button(strings.checkout, "rw-primary", "Enter C", () =>
    this.checkout(),
  );
  private readonly compareButton = this.button(strings.compare, "", "X", () => this.compare());
  private readonly undoButton = this.button(strings.undo, "", "U", () => this.undo());
  private readonly backButton = this.button("", "rv-back", "B", () => this.goBack());
  private readonly askButton = this.button(strings.comparison.ask, "", "", () => this.ask());
  private readonly markButton = this.button(strings.mark, "rv-mark", "Space", () => {
    this.markCurrent();
    this.tree.focus(this.current);
  });
  private rows: Row[] = [];
  private byName = new Map<string, Version>();
  private built = "";
  private builds = 0;
  private panelShown = "";
  private current = "";
  private mark: string | null = null;
  private readonly typing = new Typing();

  constructor(model: TreeModel) {
    super(model, "versions", strings.widget);
    const refresh = this.button(strings.refresh, "rv-refresh", "", () => this.refresh());
    this.undoButton.title = strings.undoHint;
    this.backButton.title = strings.backHint;
    this.main.append(
      h(
        "header",
        { class: "rw-top" },
        h("div", { class: "rw-title" }, strings.title),
        this.summary,
        refresh,
      ),
      this.actions,
      this.stage,
      this.closing,
      h("div", { class: "rw-sr-only", id: this.keysId }, strings.keysDescription),
    );
    this.actions.append(
      this.checkoutButton,
      this.compareButton,
      this.undoButton,
      this.backButton,
      hintsView(strings.keys),
    );
    const aging = setInterval(() => this.tree.age(Date.now()), AGE_MS);
    this.onStop(() => clearInterval(aging));
    this.current = this.view.compared[1] ?? "";
    this.mark = this.view.compared[0] ?? null;
  }

  // ------------------------------------------------------------------------------------- showing

  private get all(): readonly Version[] {
    return this.content.versions ?? [];
  }

  private version(name: string | null): Version | undefined {
    return name === null ? undefined : this.byName.get(name);
  }

  protected override show(): void {
    const { view } = this;
    const isBare = view.phase === "empty" || (view.phase === "error" && this.all.length === 0);
    this.root.dataset.phase = view.phase;
    this.summary.textContent = strings.summary(view.present, this.all.length);
    keepingFocus(
      this.root,
      () => this.showStage(view, isBare),
      () => (isBare ? this.closing.querySelector("button") : this.tree.row(this.current)),
    );
  }

  /** The tree, or what stands in its place. */
  private showStage(view: View, isBare: boolean): void {
    this.stage.hidden = isBare;
    this.actions.hidden = isBare;
    this.closing.hidden = !isBare;
    if (isBare) this.showClosing(view);
    this.showTree(view);
  }

  private showTree(view: View): void {
    this.rows = layout(this.all, view.present);
    this.byName = new Map(this.all.map((version) => [version.name, version]));
    const build = JSON.stringify(this.all);
    if (build !== this.built) {
      const hadFocus = this.tree.contains(focusedIn(this.root));
      this.built = build;
      this.builds += 1;
      if (!this.version(this.mark)) this.mark = null;
      if (!this.version(this.current)) this.current = this.startingPoint(view);
      this.tree.build(this.rows, Date.now());
      this.update();
      if (hadFocus) this.tree.focus(this.current);
      else requestAnimationFrame(() => this.tree.reveal(this.current));
    } else {
      this.update();
    }
  }

  private startingPoint(view: View): string {
    return view.present[0] ?? this.rows.at(-1)?.version.name ?? "";
  }

  /** Bring in line what depends on the chosen row, the mark and what waits. */
  private update(): void {
    const working = this.workingOn();
    const { present } = this.view;
    this.tree.show(this.rows, (version) => this.stateOf(version, working));
    const current = this.version(this.current);
    const isPresent = present.includes(this.current);
    this.checkoutButton.setAttribute("aria-label", strings.checkoutName(this.current));
    const canCheckout = working === null && !isPresent && current !== undefined;
    setDisabled(this.checkoutButton, !canCheckout);
    this.checkoutButton.toggleAttribute("data-ready", canCheckout);
    this.compareButton.textContent = this.mark ? strings.compareEnd : strings.compare;
    const { undo, back } = this.view;
    this.undoButton.textContent = undo ? strings.undoTo(undo) : strings.undo;
    setDisabled(this.undoButton, working !== null || !undo);
    this.backButton.hidden = back.length === 0;
    this.backButton.textContent = strings.back(back);
    setDisabled(this.backButton, working !== null);
    this.askButton.hidden = !this.view.can_compare;
    this.showPanel(current, isPresent);
  }

  private stateOf(version: Version, working: string | null): RowState {
    const chosen = this.version(this.current);
    return {
      isCurrent: version.name === this.current,
      isMarked: version.name === this.mark,
      isPresent: this.view.present.includes(version.name),
      isAwaited: this.view.awaited.includes(version.name),
      isRelated: chosen?.role === "reward" && version.trained_with.includes(chosen.name),
      isWorking: version.name === working,
    };
  }

  private showPanel(current: Version | undefined, isPresent: boolean): void {
    const pair = this.pair();
    const { evaluate_page: page } = this.view;
    this.markButton.textContent = this.mark === this.current ? strings.unmark : strings.mark;
    // Not again what it shows already: a button in it may have the focus.
    const shown = [this.builds, isPresent, ...(pair ?? [current]).map((one) => one?.name)].join();
    if (shown === this.panelShown) return;
    this.panelShown = shown;
    const parts = pair
      ? comparison(...pair, this.all, page ? pageLink(page, ...pair) : this.askButton)
      : current
        ? details(current, this.all, isPresent, this.markButton)
        : [];
    this.panel.setAttribute("aria-label", pair ? strings.compare : strings.details.title);
    keepingFocus(
      this.panel,
      () => this.panel.replaceChildren(...parts),
      () => this.tree.row(this.current),
    );
    this.panelRoom.keep();
  }

  private showClosing(view: View): void {
    if (view.phase === "error") {
      const again = this.button(strings.error.again, "", "", () => this.refresh());
      this.closing.replaceChildren(closingView(strings.error, again));
      return;
    }
    const steps = strings.empty.steps.map(([code, what]) =>
      h("li", {}, h("code", {}, code), h("span", { class: "rw-muted" }, ` → ${what}`)),
    );
    const end = h("p", { class: "rw-muted" }, strings.empty.end);
    this.closing.replaceChildren(
      closingView(strings.empty, h("ol", { class: "rv-steps" }, ...steps), end),
    );
  }

  protected override resized(): void {
    this.panelRoom.reset();
    this.tree.reveal(this.current);
  }

  // ------------------------------------------------------------------------------------- sending

  protected override get waitWords() {
    return strings;
  }

  protected override acknowledged(): void {
    this.update();
  }

  private get isWaiting(): boolean {
    return this.queue.pending.length > 0;
  }

  /** The version that an event which is under way leads to. */
  private workingOn(): string | null {
    const event = this.queue.pending.find((pending): pending is MoveEvent => "present" in pending);
    return event?.name ?? null;
  }

  private move(type: MoveEvent["type"], name: string): void {
    this.send({ type, name, present: [...this.view.present] });
    this.update();
  }

  private checkout(): void {
    if (!this.version(this.current)) this.tell(strings.noneChosen);
    else if (this.isWaiting) this.tell(strings.stillWorking);
    else if (this.view.present.includes(this.current)) {
      this.tell(strings.alreadyPresent(this.current));
    } else this.move("checkout", this.current);
  }

  private undo(): void {
    const { undo } = this.view;
    if (this.isWaiting) this.tell(strings.stillWorking);
    else if (!undo) this.tell(strings.nothingToUndo);
    else this.move("undo", undo);
  }

  private goBack(): void {
    const [name] = this.view.back;
    if (this.isWaiting) this.tell(strings.stillWorking);
    else if (!name) this.tell(strings.nothingToGoBackTo);
    else this.move("back", name);
    // The button goes when nothing is left to go back to: the focus must not go with it.
    if (focusedIn(this.root) === this.backButton) this.tree.focus(this.current);
  }

  private refresh(): void {
    if (this.isWaiting) this.tell(strings.stillWorking);
    else this.send({ type: "refresh" });
  }

  /** What the lab says about the two that are compared. */
  private ask(): void {
    const pair = this.pair();
    if (!pair) return;
    if (this.isWaiting) this.tell(strings.stillWorking);
    else this.send({ type: "compare", first: pair[0].name, second: pair[1].name });
  }

  // ----------------------------------------------------------------------------------- comparing

  /** The two that are compared, the one made first first. */
  private pair(): [Version, Version] | null {
    const [marked, current] = [this.version(this.mark), this.version(this.current)];
    if (!marked || !current || marked === current || marked.role !== current.role) return null;
    const isOlder = this.all.indexOf(marked) < this.all.indexOf(current);
    return isOlder ? [marked, current] : [current, marked];
  }

  /** With the marked version, or with the present one of the same role; again ends it. */
  private compare(): void {
    const current = this.version(this.current);
    if (this.mark) {
      this.setMark(null);
      this.tell(strings.unmarked);
    } else if (current) {
      const present = this.view.present.find((name) => this.version(name)?.role === current.role);
      this.setMark(present ?? this.current);
      this.tellPair();
    } else this.tell(strings.noneChosen);
  }

  private setMark(name: string | null): void {
    this.mark = name;
    this.update();
  }

  private tellPair(): void {
    const pair = this.pair();
    const { mark } = this;
    if (pair) {
      this.say(strings.comparing(pair[0].name, pair[1].name));
      if (!this.isWaiting) this.ask();
    } else if (mark === this.current) this.tell(strings.chooseOther(mark));
    else if (mark) this.tell(strings.otherRole(mark, this.current));
  }

  private markCurrent(): void {
    const isMarked = this.mark === this.current;
    this.setMark(isMarked ? null : this.current);
    this.tell(isMarked ? strings.unmarked : strings.nowMarked(this.current));
  }

  // ------------------------------------------------------------------------------------ choosing

  private clicked(name: string, mark: boolean): void {
    if (mark && name !== this.current) {
      // The one chosen before stays the other of the two.
      this.mark = this.mark ?? this.current;
      this.choose(name);
      this.tellPair();
    } else this.choose(name);
  }

  private choose(name: string): void {
    if (!this.version(name)) return;
    this.current = name;
    this.untell();
    this.update();
    this.tree.focus(name);
    const pair = this.pair();
    if (pair) this.say(strings.comparing(pair[0].name, pair[1].name));
  }

  private step(by: number): void {
    const at = this.rows.findIndex((row) => row.version.name === this.current);
    this.chooseRow(Math.min(Math.max(at + by, 0), this.rows.length - 1));
  }

  private chooseRow(index: number): void {
    const name = this.rows[index]?.version.name;
    if (name) this.choose(name);
  }

  private get names(): string[] {
    return this.rows.map((row) => row.version.name);
  }

  private typeahead(text: string): void {
    const typed = this.typing.add(text);
    const index = find(this.names, this.names.indexOf(this.current), typed);
    if (index >= 0) this.chooseRow(index);
    else this.tell(strings.notFound(typed));
  }

  // ---------------------------------------------------------------------------------------- keys

  protected override onKey(event: KeyboardEvent): void {
    const target = event.target;
    const inTree = this.tree.contains(target) || target === this.root;
    const command = commandOf(event, this.typing.goesOn(event.key, this.names));
    if (!command || this.stage.hidden) return;
    const everywhere = ["checkout", "compare", "undo", "back", "escape"].includes(command.name);
    const onButton = target instanceof Element && target.closest("button") !== null;
    if (!inTree && (!everywhere || (onButton && event.key === "Enter"))) return;
    event.preventDefault();
    // A key held down walks, and does nothing else twice.
    if (event.repeat && command.name !== "step") return;
    this.run(command);
  }

  private run(command: Command): void {
    if (command.name !== "type") this.typing.end();
    const at = this.rows.findIndex((row) => row.version.name === this.current);
    if (command.name === "step") this.step(command.by);
    else if (command.name === "edge") this.chooseRow(command.last ? this.rows.length - 1 : 0);
    else if (command.name === "parent") this.chooseRow(this.rows[at]?.parentRow ?? -1);
    else if (command.name === "child") {
      this.chooseRow(this.rows.findIndex((row) => row.parentRow === at));
    } else if (command.name === "type") this.typeahead(command.text);
    else if (command.name === "checkout") this.checkout();
    else if (command.name === "compare") this.compare();
    else if (command.name === "undo") this.undo();
    else if (command.name === "back") this.goBack();
    else if (command.name === "mark") this.markCurrent();
    else if (this.mark) this.setMark(null);
  }
}

export default widgetModule((model: TreeModel) => new Versions(model));
