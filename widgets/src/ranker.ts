// The ranking widget: one ES module for every host that can show an anywidget.
//
// It uses synced values alone (get, set, save_changes, on change), holds no truth, and shows what
// Python says. What it has of its own are the ranks typed so far and the queue of unsent events.

import { focusedIn, h } from "./dom";
import { type ItemHost, ItemPanel } from "./item";
import { type Command, commandOf, keepKeysInside } from "./keys";
import type { Model, RankerEvent, View } from "./protocol";
import { EventQueue } from "./queue";
import { strings } from "./strings";
import { followTheme } from "./theme";

/** Below this a person feels no wait and needs no word about it. */
const BUSY_AFTER_MS = 1000;

class Ranker implements ItemHost {
  readonly root = h("section", {
    class: "rlhf-ranker",
    "aria-label": strings.widget,
    tabindex: -1,
  });
  private readonly queue: EventQueue;
  private readonly stage = h("div", { class: "rr-stage" });
  private readonly position = h("span", { class: "rr-position" });
  private readonly bar = h("progress", { "aria-label": "Progress" });
  private readonly message = h("div", { class: "rr-message" });
  private readonly live = h("div", { class: "rr-sr-only", role: "status", "aria-live": "polite" });
  private readonly alert = h("div", { class: "rr-sr-only", role: "alert" });
  private readonly submitButton = this.button(strings.submit, "rr-primary", "Enter", () =>
    this.submit(),
  );
  private readonly skipButton = this.button(strings.skip, "", "S", () => this.send("skip"));
  private readonly undoButton = this.button(strings.undo, "", "U", () => this.send("undo"));
  private readonly hints = h("div", { class: "rr-hints", "aria-hidden": "true" });
  private readonly stops: (() => void)[] = [];
  private panel: ItemPanel | null = null;
  private noticeShown = 0;
  private busyTimer: ReturnType<typeof setTimeout> | undefined;
  private stageHeight = 0;

  constructor(private readonly model: Model) {
    this.queue = new EventQueue(model);
    this.root.append(
      h(
        "header",
        { class: "rr-top" },
        h("div", { class: "rr-title" }, strings.title),
        h("div", { class: "rr-rule" }, strings.rule),
        h("div", { class: "rr-progress" }, this.bar, this.position),
      ),
      this.stage,
      h(
        "footer",
        { class: "rr-actions" },
        this.submitButton,
        this.skipButton,
        this.undoButton,
        this.hints,
      ),
      this.message,
      this.live,
      this.alert,
    );
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    keepKeysInside(this.root);
    this.listen("change:view", () => this.render());
    this.listen("change:acked_seq", () => this.onAcked());
    this.stops.push(followTheme(this.root), this.followSize());
    this.render();
    this.showPending();
  }

  stop(): void {
    clearTimeout(this.busyTimer);
    for (const stop of this.stops) stop();
  }

  // ------------------------------------------------------------------ what an item asks of its host

  get editable(): boolean {
    return this.queue.pending.length === 0;
  }

  say(text: string): void {
    this.live.textContent = text;
  }

  tell(text: string, tone: "info" | "error" = "info"): void {
    this.message.textContent = text;
    this.message.dataset.tone = tone;
    (tone === "error" ? this.alert : this.live).textContent = text;
  }

  changed(): void {
    if (this.message.dataset.tone !== "error") this.message.textContent = "";
    this.showReady();
  }

  // ------------------------------------------------------------------------------------- showing

  private render(): void {
    const view = this.model.get("view");
    const hadFocus = focusedIn(this.root) !== null;
    this.showProgress(view);
    const isNew = !view.item || view.item.key !== this.panel?.item.key;
    if (isNew) this.showStage(view);
    this.showReady();
    this.showNotice(view);
    // Only where the person already works in the widget: a cell that ran takes no focus.
    if (isNew && hadFocus) this.takeFocus(view);
  }

  private showStage(view: View): void {
    this.message.textContent = "";
    this.message.dataset.tone = "info";
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

  private showNotice({ notice }: View): void {
    if (!notice || notice.id === this.noticeShown) return;
    this.noticeShown = notice.id;
    delete this.message.dataset.wait;
    this.tell(notice.text, notice.tone);
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
      const again = this.button(strings.tryAgain, "", "", () => this.send("refresh"));
      return h("div", { class: "rr-closing" }, h("h2", {}, strings.error.title), again);
    }
    const { done, total } = view.progress;
    const finished = view.phase === "finished";
    const words = finished ? strings.finished : strings.empty;
    const title = finished ? strings.finished.title(done, total) : strings.empty.title;
    return h(
      "div",
      { class: "rr-closing" },
      h("h2", {}, title),
      h("p", {}, `${words.text} `, h("code", {}, words.code)),
      this.button(strings.checkAgain, "", "", () => this.send("refresh")),
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
      if (ranks) this.send("submit", ranks);
    }
  }

  private send(type: RankerEvent["type"], ranks: number[] = []): void {
    const refusal = !this.editable
      ? strings.stillSaving
      : type === "skip" && !this.panel
        ? strings.nothingToDo
        : null;
    if (refusal) {
      this.tell(refusal);
      return;
    }
    const { item } = this.model.get("view");
    this.message.dataset.tone = "info";
    this.queue.push({ type, item: item?.key ?? "", ranks, seconds: this.panel?.seconds ?? 0 });
    this.showPending();
  }

  private onAcked(): void {
    this.queue.prune();
    this.showPending();
  }

  /** Say at once that an answer is under way, and after a second why it takes long. */
  private showPending(): void {
    clearTimeout(this.busyTimer);
    const count = this.queue.pending.length;
    this.root.toggleAttribute("data-saving", count > 0);
    this.root.setAttribute("aria-busy", String(count > 0));
    if (count === 0) {
      // What still stands there is about the wait, unless Python had something to say.
      if (this.message.dataset.wait) this.message.textContent = "";
      delete this.message.dataset.wait;
      return;
    }
    this.message.textContent = strings.saving;
    this.message.dataset.wait = "true";
    this.busyTimer = setTimeout(() => this.tell(strings.waiting(count)), BUSY_AFTER_MS);
  }

  // ---------------------------------------------------------------------------------------- keys

  private onKey(event: KeyboardEvent): void {
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
    else if (command.name === "skip" || command.name === "undo") this.send(command.name);
    else if (command.name === "saveKey") this.tell(strings.saveKey);
    else if (command.name === "rank") panel?.rank(command.rank);
    else if (command.name === "clear") panel?.clear();
    else if (command.name === "step") panel?.step(command.by);
    else if (command.name === "row") panel?.row(command.by);
    else if (command.name === "edge") panel?.edge(command.last);
    else if (command.name === "scroll") panel?.scroll(command.pages);
  }

  // ------------------------------------------------------------------------------------- plumbing

  private button(label: string, kind: string, keys: string, action: () => void): HTMLButtonElement {
    const button = h("button", { type: "button", class: `rr-action ${kind}`.trim() }, label);
    if (keys) button.setAttribute("aria-keyshortcuts", keys);
    button.addEventListener("click", action);
    return button;
  }

  private listen(event: Parameters<Model["on"]>[0], callback: () => void): void {
    this.model.on(event, callback);
    this.stops.push(() => this.model.off(event, callback));
  }

  private followSize(): () => void {
    if (typeof ResizeObserver === "undefined") return () => {};
    let width = 0;
    const observer = new ResizeObserver(() => {
      if (this.root.clientWidth !== width) this.stageHeight = 0;
      width = this.root.clientWidth;
      this.measure();
    });
    observer.observe(this.root);
    return () => observer.disconnect();
  }

  /** The stage never shrinks at one width, so that buttons stay where the hand is. */
  private measure(): void {
    this.panel?.measure();
    if (this.stageHeight === 0) this.stage.style.minHeight = "";
    this.stageHeight = Math.max(this.stageHeight, this.stage.offsetHeight);
    this.stage.style.minHeight = this.stageHeight ? `${this.stageHeight}px` : "";
  }
}

/** Called by the host for each place where the widget is shown; returns what ends it. */
export function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const ranker = new Ranker(model);
  el.append(ranker.root);
  return () => ranker.stop();
}

export default { render };
