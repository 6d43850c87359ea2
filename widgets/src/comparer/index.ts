// The comparing widget. It holds no truth and shows what Python says, with what Python has not heard
// yet on top; what it has of its own are the choice on the screen and the queue of unsent events.

import { closingView } from "../shared/closing";
import { h, uniqueId } from "../shared/dom";
import { Keep } from "../shared/keep";
import { Leftovers } from "../shared/leftovers";
import type { Unsent } from "../shared/queue";
import { Reserve } from "../shared/reserve";
import { isAnswer, isStep } from "../shared/undo";
import { Widget, widgetModule } from "../shared/widget";
import { shared, comparer as strings } from "../strings";
import { type Command, commandOf } from "./keys";
import { handedOut, Order } from "./order";
import { type PairHost, PairPanel } from "./pair";
import type { Choice, ComparerEvent, ComparerModel, Content, View } from "./protocol";
import { resultView } from "./result";

/** What stands on the stage. */
type Scene = "pair" | "result" | "waiting" | "empty" | "error";

class Comparer extends Widget<View, Content, ComparerEvent> implements PairHost {
  private readonly stage = h("div", { class: "rc-stage" });
  private readonly title = h("div", { class: "rw-title" });
  private readonly rule = h("div", { class: "rc-rule" });
  private readonly position = h("span", { class: "rc-position" });
  private readonly bar = h("progress", { "aria-label": strings.progress });
  private readonly submitButton = this.button(strings.submit, "rw-primary", "Enter", () =>
    this.submit(),
  );
  private readonly skipButton = this.button(strings.skip, "", "S", () => this.skip());
  private readonly undoButton = this.button(strings.undo, "", "U", () => this.take("undo"));
  private readonly diffButton = this.button(strings.diff, "", "D", () => this.toggleDiff());
  private readonly revealButton = this.button(strings.reveal, "", "", () => this.reveal());
  private readonly keysButton = this.button(strings.keysButton, "rc-quiet", "?", () =>
    this.toggleKeys(),
  );
  private readonly help = helpOf();
  private readonly order = new Order();
  private readonly keep = new Keep<ComparerEvent>(() => this.content.store_key);
  private readonly leftovers = new Leftovers(this.keep);
  private readonly room = new Reserve(this.stage);
  private panel: PairPanel | null = null;
  private started = false;
  private scene: Scene | null = null;
  /** What the scene shows, to tell whether it has to be made anew. */
  private shown = "";
  private diffShown = false;
  /** The person was asked whether names should show, and has not done anything else since. */
  private asking = false;
  /** The person has seen the names and goes on. */
  private wentOn = false;

  constructor(model: ComparerModel) {
    super(model, "comparer", strings.widget);
    this.keysButton.setAttribute("aria-controls", this.help.id);
    this.diffButton.setAttribute("aria-pressed", "false");
    this.main.append(
      h(
        "header",
        { class: "rw-top" },
        this.title,
        this.rule,
        h("div", { class: "rc-progress" }, this.bar, this.position),
      ),
      this.stage,
      h(
        "footer",
        { class: "rw-actions" },
        this.submitButton,
        this.skipButton,
        this.undoButton,
        this.diffButton,
        this.keysButton,
        this.revealButton,
      ),
      this.help,
    );
    this.showKeys(false);
  }

  protected override get waitWords() {
    // An undo waits, too, but is no answer.
    return { ...shared, waiting: () => shared.waiting(this.queue.pending.filter(isAnswer).length) };
  }

  // -------------------------------------------------------------------------------------- showing

  chosen(choice: Choice | null): void {
    this.stopAsking();
    this.untell();
    this.showReady();
    if (choice) this.say(strings.chosen(choice));
  }

  override start(): void {
    super.start();
    this.started = true;
    this.restore();
  }

  protected override show(): void {
    const hadFocus = this.hasFocus;
    const { view } = this;
    const pending = this.queue.pending;
    this.hold();
    this.order.update(this.content, view, pending);
    const scene = this.sceneOf(view, pending);
    this.showProgress(view, scene);
    const shown =
      scene === "pair"
        ? `${scene} ${this.order.current?.key}`
        : `${scene} ${view.phase} ${JSON.stringify(view.result)}`;
    const isNew = shown !== this.shown;
    this.shown = shown;
    if (isNew) this.showScene(scene, view);
    this.showReady();
    // Only where the person already works in the widget: a cell that ran takes no focus.
    if (isNew && hadFocus) this.takeFocus();
    if (this.started) this.restore();
  }

  private sceneOf(view: View, pending: readonly ComparerEvent[]): Scene {
    const acted = pending.some((event) => event.type !== "reveal" && event.type !== "refresh");
    if (view.result && !this.wentOn && !acted) return "result";
    if (this.order.current) return "pair";
    if (view.phase === "empty" || view.phase === "error") return view.phase;
    return "waiting";
  }

  private showScene(scene: Scene, view: View): void {
    this.untell();
    const item = this.order.current;
    this.scene = scene;
    this.panel = null;
    if (scene === "pair" && item) {
      this.panel = new PairPanel(item, this.order.choice(item.key), this);
      this.stage.replaceChildren(this.panel.element);
      this.panel.showDiff(this.diffShown);
      this.panel.measure();
      this.room.keep();
      if (this.panel.same) this.tell(strings.same);
    } else {
      this.stage.replaceChildren(this.closing(scene, view));
    }
    this.root.dataset.phase = scene;
    for (const button of [this.submitButton, this.skipButton, this.diffButton]) {
      button.hidden = scene !== "pair";
    }
    this.undoButton.hidden = scene === "empty";
    this.stopAsking();
  }

  private takeFocus(): void {
    if (this.panel) {
      this.panel.focus();
      const { total } = this.view.progress;
      this.say(strings.newPair(Math.min(this.order.done + 1, total), total));
    } else {
      this.root.focus({ preventScroll: true });
      this.say(this.stage.textContent ?? "");
    }
  }

  private showProgress({ progress: { total }, lead }: View, scene: Scene): void {
    const done = Math.min(this.order.done, total);
    const position = scene === "pair" ? Math.min(done + 1, total) : done;
    this.position.textContent = total ? strings.position(position, total) : "";
    this.position.setAttribute("aria-label", strings.positionLong(position, total));
    this.bar.hidden = !total;
    this.bar.max = Math.max(total, 1);
    this.bar.value = done;
    this.title.textContent = scene === "result" ? strings.titleAtEnd : strings.title;
    this.rule.textContent = lead ? strings.lead(lead) : strings.rule;
  }

  private showReady(): void {
    this.submitButton.toggleAttribute("data-ready", this.panel?.choice != null);
    const left = this.view.progress.total - this.order.done;
    this.revealButton.hidden = this.scene !== "pair" || this.order.done === 0 || left <= 0;
  }

  /** What stands in the place of a pair when there is none to show. */
  private closing(scene: Scene, view: View): HTMLElement {
    if (scene === "result" && view.result) {
      const left = view.phase === "comparing";
      const button = left
        ? this.button(strings.goOn, "", "", () => this.goOn())
        : this.button(strings.checkAgain, "", "", () => this.send({ type: "refresh" }));
      return h("div", { class: "rc-end" }, resultView(view.result), button);
    }
    const words = { waiting: strings.waiting, error: strings.error, empty: strings.empty };
    const { button, ...told } = words[scene as keyof typeof words];
    const refresh = () => this.send({ type: "refresh" });
    return closingView(told, ...(button ? [this.button(button, "", "", refresh)] : []));
  }

  // -------------------------------------------------------------------------------------- sending

  /** Send, and show at once what will come of it: the kernel may be busy for long. */
  private act(event: Unsent<ComparerEvent>): void {
    this.stopAsking();
    this.clearMessage();
    this.wentOn = false;
    this.send(event);
    this.show();
  }

  /** Keep in the browser what is not saved. */
  private hold(): void {
    this.keep.hold(this.queue.pending.filter((event) => isAnswer(event) || isStep(event)));
  }

  /** Send what a page left behind whose kernel died, when its pairs are there. */
  private restore(): void {
    if (this.leftovers.areTaken) return;
    const here = new Set(this.model.get("events").map((event) => event.id));
    const [again, told] = this.leftovers.take(handedOut(this.content, this.view), here);
    this.hold();
    for (const { seq: _, id, ...event } of again) this.send(event as Unsent<ComparerEvent>, id);
    if (again.length) this.show();
    if (told) this.tell(told);
  }

  private submit(): void {
    const panel = this.panel;
    if (!panel) {
      this.tell(strings.nothingToDo);
    } else if (!panel.choice) {
      this.tell(strings.missing);
      panel.focus();
    } else {
      const { choice, seconds } = panel;
      this.act({ type: "submit", item: panel.item.key, choice, strength: null, seconds });
    }
  }

  private skip(): void {
    const panel = this.panel;
    if (panel) this.act({ type: "skip", item: panel.item.key, seconds: panel.seconds });
    else this.tell(strings.nothingToDo);
  }

  private take(type: "undo" | "redo"): void {
    const of = this.order.meantBy(type);
    this.act({ type, item: this.panel?.item.key ?? "", ...(of && { of }) });
  }

  /** Names cannot be forgotten again, so they are asked for twice. */
  private reveal(): void {
    if (this.asking) {
      this.act({ type: "reveal" });
      return;
    }
    this.asking = true;
    this.revealButton.textContent = strings.revealNow;
    this.revealButton.toggleAttribute("data-asking", true);
    this.tell(strings.revealAsk(this.view.progress.total - this.order.done));
  }

  private stopAsking(): void {
    if (!this.asking) return;
    this.asking = false;
    this.revealButton.textContent = strings.reveal;
    this.revealButton.removeAttribute("data-asking");
    this.untell();
  }

  private goOn(): void {
    this.wentOn = true;
    this.show();
  }

  // ----------------------------------------------------------------------------------------- keys

  protected override onSaveKey(): void {
    this.tell(strings.saveKey);
  }

  protected override onKey(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.asking) this.stopAsking();
    const command = commandOf(event);
    if (!command || this.leftToBrowser(command, event)) return;
    event.preventDefault();
    // A key held down must not answer one pair after the other.
    if (event.repeat && command.name !== "scroll") return;
    this.run(command);
  }

  private leftToBrowser(command: Command, event: KeyboardEvent): boolean {
    const target = event.target instanceof Element ? event.target : null;
    const onButton = target?.matches("button") ?? false;
    if (command.name === "submit") return onButton && !this.panel?.isAnswer(target);
    // Within a text, what is focused is code or a table that is wider than the text.
    if (command.name === "choose" && event.key.startsWith("Arrow")) {
      return target?.matches(".rw-md [tabindex]") ?? false;
    }
    if (command.name !== "scroll") return false;
    return onButton || (target?.matches("[role=region]") ?? false);
  }

  private run(command: Command): void {
    const { name } = command;
    if (name === "choose") this.panel?.choose(command.choice);
    else if (name === "clear") this.panel?.choose(null);
    else if (name === "scroll") this.panel?.scroll(command.pages);
    else if (name === "submit") this.submit();
    else if (name === "skip") this.skip();
    else if (name === "undo" || name === "redo") this.take(name);
    else if (name === "diff") this.toggleDiff();
    else this.toggleKeys();
  }

  private toggleDiff(): void {
    if (!this.panel) return;
    this.diffShown = !this.diffShown;
    this.diffButton.setAttribute("aria-pressed", String(this.diffShown));
    this.panel.showDiff(this.diffShown);
    this.say(this.diffShown ? strings.diffTitle : strings.diffHidden);
  }

  private toggleKeys(): void {
    this.showKeys(this.help.hidden);
  }

  private showKeys(shown: boolean): void {
    this.help.hidden = !shown;
    this.keysButton.setAttribute("aria-expanded", String(shown));
  }

  // --------------------------------------------------------------------------------------- layout

  protected override resized(): void {
    this.panel?.measure();
    this.room.reset();
  }
}

function helpOf(): HTMLElement {
  const rows = strings.keys.map(([keys, what]) =>
    h(
      "div",
      { role: "listitem" },
      h("span", { class: "rc-keycaps" }, ...keys.map((key) => h("kbd", {}, key))),
      h("span", {}, what),
    ),
  );
  return h(
    "div",
    {
      class: "rc-keys",
      id: uniqueId("rlhf-compare-help"),
      role: "list",
      "aria-label": strings.keysTitle,
    },
    ...rows,
  );
}

export default widgetModule((model: ComparerModel) => new Comparer(model));
