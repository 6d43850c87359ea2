// What every widget has: a root in the host's theme, a queue of events, and a line that says what
// happens. One ES module serves every host, with synced values alone (get, set, save_changes,
// on change): Panel offers no custom messages.

import { shared as strings } from "../strings";
import { focusedIn, h, holdsFocus } from "./dom";
import { isSaveKey, keepKeysInside } from "./keys";
import type { Change, Model, WidgetEvent } from "./protocol";
import { EventQueue, type Unsent } from "./queue";
import { followTheme } from "./theme";

/** Below this a person feels no wait and needs no word about it. */
const BUSY_AFTER_MS = 1000;

const CHANGES: Change[] = ["change:content", "change:view", "change:notice", "change:acked_seq"];

export type Tone = "info" | "error";

/** What is said while events wait for Python: at once, and after a second. */
export interface WaitWords {
  saving: string;
  waiting: (count: number) => string;
}

export abstract class Widget<View, Content, Sent extends WidgetEvent = WidgetEvent> {
  readonly root: HTMLElement;
  /** What a widget puts its own elements into. */
  protected readonly main = h("div", { class: "rw-main" });
  protected readonly queue: EventQueue<Sent>;
  private readonly message = h("div", { class: "rw-message" });
  private readonly live = h("div", { class: "rw-sr-only", role: "status", "aria-live": "polite" });
  private readonly alert = h("div", { class: "rw-sr-only", role: "alert" });
  private readonly stops: (() => void)[] = [];
  /** What has changed and is not taken in yet. */
  private readonly changes = new Set<Change>();
  private noticeShown = 0;
  private busyTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param name Of the widget's own class, `rlhf-<name>`.
   * @param label What a screen reader calls it.
   */
  constructor(
    protected readonly model: Model<View, Content, Sent>,
    name: string,
    label: string,
  ) {
    this.queue = new EventQueue(model);
    const classes = `rlhf-widget rlhf-${name}`;
    this.root = h("section", { class: classes, "aria-label": label, tabindex: -1 });
    this.root.append(this.main, this.message, this.live, this.alert);
    this.root.addEventListener("keydown", (event) => {
      if (isSaveKey(event)) this.onSaveKey();
      else this.onKey(event);
    });
    keepKeysInside(this.root);
    this.stops.push(followTheme(this.root), this.followWidth());
    for (const change of CHANGES) this.listen(change, () => this.noteChange(change));
  }

  /** Called once, when the subclass's own fields are there. */
  start(): void {
    this.show();
    this.showNotice();
    this.showPending();
  }

  /** What the page before this one sent, and another window's number overtook, is sent again. */
  catchUp(): void {
    if (this.queue.pending.length > 0) this.queue.prune();
  }

  stop(): void {
    this.changes.clear();
    clearTimeout(this.busyTimer);
    for (const stop of this.stops) stop();
  }

  /** For a widget whose events save no answers. */
  protected get waitWords(): WaitWords {
    return strings;
  }

  /** Bring the elements in line with the synced values, which belong to one another. */
  protected abstract show(): void;

  /** A key was pressed in the widget. */
  protected onKey(_event: KeyboardEvent): void {}

  /** Someone wants to save; the browser's dialog for the page does not come. */
  protected onSaveKey(): void {}

  /** The widget has another width. */
  protected resized(): void {}

  /** Python has dealt with some events; what it said with that is shown already. */
  protected acknowledged(): void {}

  protected get view(): View {
    return this.model.get("view");
  }

  protected get content(): Content {
    return this.model.get("content");
  }

  /** Whether the person works in the widget: only then may it move the focus. */
  protected get hasFocus(): boolean {
    return focusedIn(this.root) !== null;
  }

  /** Tell a screen reader. */
  say(text: string): void {
    this.live.textContent = text;
  }

  /** Show a line under the widget, and say it. */
  tell(text: string, tone: Tone = "info"): void {
    delete this.message.dataset.wait;
    this.message.textContent = text;
    this.message.dataset.tone = tone;
    (tone === "error" ? this.alert : this.live).textContent = text;
  }

  /** Take back what was told, unless it was an error or is about a wait. */
  protected untell(): void {
    if (this.message.dataset.tone !== "error" && !this.message.dataset.wait) {
      this.message.textContent = "";
    }
  }

  /** Take back what was told, also an error. */
  protected clearMessage(): void {
    this.message.dataset.tone = "info";
    this.untell();
  }

  /** Send an event; the host keeps it until Python has dealt with it. */
  protected send(event: Unsent<Sent>, id?: string): void {
    this.clearMessage();
    this.queue.push(event, id);
    this.showPending();
  }

  protected button(label: string, kind: string, keys: string, action: () => void) {
    const button = h("button", { type: "button", class: `rw-button ${kind}`.trim() }, label);
    if (keys) button.setAttribute("aria-keyshortcuts", keys);
    button.addEventListener("click", action);
    return button;
  }

  /** Have something undone when the widget ends. */
  protected onStop(stop: () => void): void {
    this.stops.push(stop);
  }

  private listen(event: Change, callback: () => void): void {
    this.model.on(event, callback);
    this.stops.push(() => this.model.off(event, callback));
  }

  /**
   * Python sends in one message what belongs together, but some hosts set one value after the other
   * and tell of each: a new view beside events that it already holds. So nothing is read before the
   * message is through.
   */
  private noteChange(change: Change): void {
    if (this.changes.size === 0) queueMicrotask(() => this.takeIn());
    this.changes.add(change);
  }

  private takeIn(): void {
    const changes = new Set(this.changes);
    this.changes.clear();
    const { hasFocus } = this;
    const isAcked = changes.has("change:acked_seq");
    if (isAcked) this.queue.prune();
    if (isAcked || changes.has("change:view") || changes.has("change:content")) this.show();
    if (isAcked) this.acknowledged();
    // After what it is about: another item on the screen takes back what was told of the last one.
    if (changes.has("change:notice")) this.showNotice();
    if (isAcked) this.showPending();
    // Whatever had it may be gone from the screen: the next key would be the notebook's.
    if (hasFocus && !holdsFocus(this.root)) this.root.focus({ preventScroll: true });
  }

  private showNotice(): void {
    const notice = this.model.get("notice");
    if (!notice || notice.id === this.noticeShown) return;
    this.noticeShown = notice.id;
    this.tell(notice.text, notice.tone);
  }

  /** Say at once that something is under way, and after a second why it takes long. */
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
    // Who works on while the kernel is busy sees the count grow at once.
    if (this.message.dataset.wait === "long") this.wait("long", this.waitWords.waiting(count));
    else if (!this.message.textContent) this.wait("short", this.waitWords.saving);
    this.busyTimer = setTimeout(() => {
      this.tell(this.waitWords.waiting(count));
      this.message.dataset.wait = "long";
    }, BUSY_AFTER_MS);
  }

  private wait(kind: "short" | "long", text: string): void {
    this.message.textContent = text;
    this.message.dataset.wait = kind;
  }

  private followWidth(): () => void {
    if (typeof ResizeObserver === "undefined") return () => {};
    let width = -1;
    const observer = new ResizeObserver(() => {
      if (this.root.clientWidth === width) return;
      width = this.root.clientWidth;
      this.resized();
    });
    observer.observe(this.root);
    return () => observer.disconnect();
  }
}

interface Rendered<M> {
  model: M;
  el: HTMLElement;
}

/** What a module exports as its default: hosts call `render` for each place that shows it. */
export function widgetModule<View, Content, Sent extends WidgetEvent>(
  make: (model: Model<View, Content, Sent>) => Widget<View, Content, Sent>,
) {
  return {
    render({ model, el }: Rendered<Model<View, Content, Sent>>): () => void {
      const widget = make(model);
      el.append(widget.root);
      widget.start();
      widget.catchUp();
      return () => widget.stop();
    },
  };
}
