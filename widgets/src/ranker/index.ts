// The ranking widget. It holds no truth and shows what Python says; what it has of its own are the
// ranks typed so far and the queue of unsent events.

import { h } from "../shared/dom";
import { Widget, widgetModule } from "../shared/widget";
import { ranker as strings } from "../strings";
import { type ItemHost, ItemPanel } from "./item";
import { type Command, commandOf } from "./keys";
import type { Content, RankerEvent, RankerModel, View } from "./protocol";

class Ranker extends Widget<View, Content, RankerEvent> implements ItemHost {
  private readonly stage = h("div", { class: "rr-stage" });
  private readonly position = h("span", { class: "rr-position" });
  private readonly bar = h("progress", { "aria-label": "Progress" });
  private readonly submitButton = this.button(strings.submit, "rw-primary", "Enter", () =>
    this.submit(),
  );
  private readonly skipButton = this.button(strings.skip, "", "S", () => this.sendFor("skip"));
  private readonly undoButton = this.button(strings.undo, "", "U", () => this.sendFor("undo"));
  private readonly hints = h("div", { class: "rw-hints", "aria-hidden": "true" });
  private panel: ItemPanel | null = null;
  private stageHeight = 0;

  constructor(model: RankerModel) {
    super(model, "ranker", strings.widget);
    this.main.append(
      h(
        "header",
        { class: "rw-top" },
        h("div", { class: "rw-title" }, strings.title),
        h("div", { class: "rr-rule" }, strings.rule),
        h("div", { class: "rr-progress" }, this.bar, this.position),
      ),
      this.stage,
      h(
        "footer",
        { class: "rw-actions" },
        this.submitButton,
        this.skipButton,
        this.undoButton,
        this.hints,
      ),
    );
  }

  // ------------------------------------------------------------------ what an item asks of its host

  get editable(): boolean {
    return this.queue.pending.length === 0;
  }

  changed(): void {
    this.untell();
    this.showReady();
  }

  // ------------------------------------------------------------------------------------- showing

  protected override show(): void {
    const view = this.view;
    const hadFocus = this.hasFocus;
    this.showProgress(view);
    const isNew = !view.item || view.item.key !== this.panel?.item.key;
    if (isNew) this.showStage(view);
    this.showReady();
    // Only where the person already works in the widget: a cell that ran takes no focus.
    if (isNew && hadFocus) this.takeFocus(view);
  }

  private showStage(view: View): void {
    this.clearMessage();
    this.panel = null;
    if (view.item) {
      this.panel = new ItemPanel(view.item, this);
      this.stage.replaceChildren(this.panel.element);
      this.showHints(this.panel.count);
      this.measure();
    } else {
      this.hints.replaceChildren();
      this.stage.replaceChildren(this.closing(view));
    }
    this.root.dataset.phase = view.phase;
    this.submitButton.hidden = this.skipButton.hidden = !view.item;
    this.undoButton.hidden = view.phase === "empty";
  }

  private takeFocus(view: View): void {
    if (this.panel) {
      this.panel.focus(0);
      const { done, total } = view.progress;
      this.say(strings.newItem(Math.min(done + 1, total), total));
    } else {
      this.root.focus({ preventScroll: true });
      this.say(this.stage.textContent ?? "");
    }
  }

  private showProgress({ phase, progress: { done, total } }: View): void {
    const position = phase === "ranking" ? Math.min(done + 1, total) : done;
    this.position.textContent = total ? strings.position(position, total) : "";
    this.position.setAttribute("aria-label", strings.positionLong(position, total));
    this.bar.hidden = !total;
    this.bar.max = Math.max(total, 1);
    this.bar.value = done;
  }

  private showReady(): void {
    this.submitButton.toggleAttribute("data-ready", this.panel?.draft.complete != null);
  }

  private showHints(count: number): void {
    const hints = strings.keys(count).map(([key, what]) => h("span", {}, h("kbd", {}, key), what));
    this.hints.replaceChildren(...hints);
  }

  /** What stands in the place of an item when there is none. */
  private closing(view: View): HTMLElement {
    if (view.phase === "error") {
      const again = this.button(strings.tryAgain, "", "", () => this.sendFor("refresh"));
      return h("div", { class: "rw-closing" }, h("h2", {}, strings.error.title), again);
    }
    const { done, total } = view.progress;
    const finished = view.phase === "finished";
    const words = finished ? strings.finished : strings.empty;
    const title = finished ? strings.finished.title(done, total) : strings.empty.title;
    return h(
      "div",
      { class: "rw-closing" },
      h("h2", {}, title),
      h("p", {}, `${words.text} `, h("code", {}, words.code)),
      this.button(strings.checkAgain, "", "", () => this.sendFor("refresh")),
    );
  }

  // ------------------------------------------------------------------------------------- sending

  private submit(): void {
    if (!this.panel) {
      this.tell(strings.nothingToDo);
    } else if (!this.editable) {
      this.tell(strings.stillSaving);
    } else {
      const ranks = this.panel.ranksOrComplaint();
      if (ranks) this.sendFor("submit", ranks);
    }
  }

  private sendFor(type: RankerEvent["type"], ranks: number[] = []): void {
    const refusal = !this.editable
      ? strings.stillSaving
      : type === "skip" && !this.panel
        ? strings.nothingToDo
        : null;
    if (refusal) {
      this.tell(refusal);
      return;
    }
    const { item } = this.view;
    this.send({ type, item: item?.key ?? "", ranks, seconds: this.panel?.seconds ?? 0 });
  }

  // ---------------------------------------------------------------------------------------- keys

  protected override onKey(event: KeyboardEvent): void {
    const command = commandOf(event);
    if (!command || this.leftToBrowser(command, event)) return;
    event.preventDefault();
    // A key held down must not rank one card after the other, nor send twice.
    if (event.repeat && !["step", "row", "scroll"].includes(command.name)) return;
    this.run(command);
  }

  private leftToBrowser(command: Command, event: KeyboardEvent): boolean {
    const target = event.target instanceof Element ? event.target : null;
    const onButton = target?.matches("button") ?? false;
    if (command.name === "submit") return onButton && !target?.matches("[role=radio]");
    if (command.name === "scroll") return onButton || (this.panel?.readingText ?? false);
    return command.name === "row" && (this.panel?.readingText ?? false);
  }

  private run(command: Command): void {
    const panel = this.panel;
    if (command.name === "submit") this.submit();
    else if (command.name === "skip" || command.name === "undo") this.sendFor(command.name);
    else if (command.name === "saveKey") this.tell(strings.saveKey);
    else if (command.name === "rank") panel?.rank(command.rank);
    else if (command.name === "clear") panel?.clear();
    else if (command.name === "step") panel?.step(command.by);
    else if (command.name === "row") panel?.row(command.by);
    else if (command.name === "edge") panel?.edge(command.last);
    else if (command.name === "scroll") panel?.scroll(command.pages);
  }

  // ------------------------------------------------------------------------------------- layout

  protected override resized(): void {
    this.stageHeight = 0;
    this.measure();
  }

  /** The stage never shrinks at one width, so that buttons stay where the hand is. */
  private measure(): void {
    this.panel?.measure();
    if (this.stageHeight === 0) this.stage.style.minHeight = "";
    this.stageHeight = Math.max(this.stageHeight, this.stage.offsetHeight);
    this.stage.style.minHeight = this.stageHeight ? `${this.stageHeight}px` : "";
  }
}

export default widgetModule((model: RankerModel) => new Ranker(model));
