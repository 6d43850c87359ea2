// The ranking widget. It holds no truth: it shows what Python said last and, on top of it, what the
// person did since, so that nobody waits for a kernel that is busy.

import { h } from "../shared/dom";
import { takesText } from "../shared/keys";
import type { Unsent } from "../shared/queue";
import { isAnswer } from "../shared/undo";
import { type Tone, Widget, widgetModule } from "../shared/widget";
import { shared, ranker as strings } from "../strings";
import { closing, phaseOf } from "./closing";
import { Desk } from "./desk";
import { Extras, type ExtrasHost } from "./extras";
import { Header } from "./header";
import { type ItemHost, ItemPanel } from "./item";
import { Keep, sortLeftovers } from "./keep";
import { aboutItem, type Command, commandOf, type Plain, repeats } from "./keys";
import { ALL_BAD, type Content, type RankerEvent, type RankerModel, type View } from "./protocol";
import { Stage } from "./stage";

class Ranker extends Widget<View, Content, RankerEvent> implements ItemHost, ExtrasHost {
  private readonly desk = new Desk();
  private readonly keep = new Keep(() => this.content.store_key);
  private readonly header = new Header();
  private readonly stage = new Stage();
  private readonly extras = new Extras(this);
  private readonly reveal = h("div", { class: "rr-reveal", "aria-live": "polite" });
  private readonly submitButton = this.button(strings.submit, "rw-primary", "Enter", () =>
    this.submit(),
  );
  private readonly skipButton = this.button(strings.skip, "", "S", () => this.skip());
  private readonly undoButton = this.button(strings.undo, "", "U", () => this.back());
  private readonly moreButton = this.button(strings.more, "rr-more", "", () => this.showMore());
  panel: ItemPanel | null = null;
  private readonly failed = new Set<string>();
  private started = false;
  private restored = false;
  /** The shown order was submitted once, and not changed since. */
  private warned = false;

  constructor(model: RankerModel) {
    super(model, "ranker", strings.widget);
    this.moreButton.setAttribute("aria-expanded", "false");
    this.main.append(
      this.header.element,
      this.stage.element,
      h(
        "footer",
        { class: "rw-actions" },
        this.submitButton,
        this.skipButton,
        this.undoButton,
        this.moreButton,
        this.extras.tools.element,
      ),
    );
    // After the line that says what happens: what opens there moves nothing else.
    this.root.append(this.reveal, this.extras.drawer.element);
    this.onStop(() => this.panel?.destroy());
  }

  // ------------------------------------------------------------- what an item and its extras ask for

  get settings(): Content {
    return this.content;
  }

  moved(): void {
    this.extras.show();
  }

  changed(): void {
    this.warned = false;
    this.untell();
    this.showReady();
    this.extras.show();
  }

  demonstrate(card: number, text: string): void {
    if (!this.panel) return;
    const { item, seconds } = this.panel;
    this.post({ type: "demonstrate", item: item.key, card, text, seconds });
  }

  override resized(): void {
    this.stage.resized();
  }

  protected override get waitWords() {
    // An undo waits, too, but is no answer.
    return { ...shared, waiting: () => shared.waiting(this.queue.pending.filter(isAnswer).length) };
  }

  // --------------------------------------------------------------------------------------- showing

  override start(): void {
    super.start();
    this.started = true;
    this.restore();
  }

  protected override show(): void {
    const news = this.desk.update(this.content, this.view, this.queue.pending);
    for (const key of news.failed) this.failed.add(key);
    // What was not saved comes back at once, unless the person is in the middle of another item.
    const untouched = !this.panel?.draft.touched;
    const shown = this.panel?.item.key;
    this.bring(news.goTo ?? (untouched ? (news.failed[0] ?? null) : null));
    const isGone = shown !== undefined && !this.desk.open.includes(shown);
    const failed = this.model.get("notice")?.tone === "error";
    if (isGone && (failed || !news.goTo)) this.tellWhy(strings.elsewhere);
    if (this.started) this.restore();
  }

  protected override acknowledged(): void {
    this.keep.hold(this.queue.pending);
    this.show();
  }

  /** Show an item: the wanted one, or the one that is there, or the next. */
  private bring(wanted: string | null, announce: typeof strings.newItem = strings.newItem): void {
    const { open, done } = this.desk;
    const { total } = this.view.progress;
    const shown = this.panel?.item.key ?? "";
    const key = [wanted, shown, open[0]].find((one) => one && open.includes(one)) ?? null;
    const phase = phaseOf(this.view, open.length, this.queue.pending, done);
    const hadFocus = this.hasFocus;
    const item = key ? this.desk.item(key) : null;
    const isNew = item
      ? item.key !== shown
      : this.stage.showClosing(phase, (kind) =>
          closing(kind, done, total, (label) => this.button(label, "", "", () => this.ask())),
        );
    if (isNew) this.replacePanel(item && this.panelOf(item.key));
    this.root.dataset.phase = phase;
    this.header.showProgress(done, total, phase === "ranking", this.view.pace);
    this.header.showUnsent(this.queue.pending.length);
    this.showReveal();
    this.showReady();
    // Only where the person already works in the widget: a cell that ran takes no focus.
    if (isNew && hadFocus) this.takeFocus(announce(Math.min(done + 1, total), total));
  }

  private panelOf(key: string): ItemPanel | null {
    const item = this.desk.item(key);
    if (!item) return null;
    return new ItemPanel(item, this.desk.draft(item), this.content.criteria, this);
  }

  private replacePanel(panel: ItemPanel | null): void {
    this.panel?.destroy();
    this.panel = panel;
    this.warned = false;
    this.clearMessage();
    this.header.showRule(panel?.count ?? 0);
    this.submitButton.hidden = this.skipButton.hidden = this.moreButton.hidden = !panel;
    this.undoButton.hidden = !panel && this.view.phase === "empty";
    this.extras.itemChanged();
    if (!panel) return;
    this.stage.showItem(panel);
    if (this.failed.delete(panel.item.key)) this.tellWhy(strings.notSaved, "error");
  }

  /** Why another item is here than was foreseen: Python's own words say more, if it had any. */
  private tellWhy(words: string, tone: Tone = "info"): void {
    const notice = this.model.get("notice");
    if (notice?.tone === "error") this.tell(notice.text, "error");
    else this.tell(words, tone);
  }

  private takeFocus(words: string): void {
    if (this.panel) {
      this.panel.focus(0);
      this.say(words);
    } else {
      this.root.focus({ preventScroll: true });
      this.say(this.stage.element.textContent ?? "");
    }
  }

  private showReady(): void {
    this.submitButton.toggleAttribute("data-ready", this.panel?.draft.complete != null);
  }

  private showReveal(): void {
    const { reveal } = this.view;
    const key = reveal ? reveal.item + reveal.order : "";
    // Said once: what is put in again is read out again.
    if (this.reveal.dataset.of === key) return;
    this.reveal.dataset.of = key;
    this.reveal.replaceChildren();
    if (!reveal) return;
    const words = reveal.text || strings.reveal(reveal.order, reveal.agrees);
    this.reveal.append(h("b", {}, strings.revealTitle), " ", words);
  }

  private showMore(): void {
    const shown = this.root.toggleAttribute("data-more");
    this.moreButton.setAttribute("aria-expanded", String(shown));
  }

  // --------------------------------------------------------------------------------------- sending

  /** Send and keep; Python may have no time, so the page goes on by itself. */
  private post(event: Unsent<RankerEvent>, id?: string): void {
    this.send(event, id);
    this.keep.hold(this.queue.pending);
    this.desk.update(this.content, this.view, this.queue.pending);
  }

  private submit(): void {
    const { panel } = this;
    if (!panel) {
      this.tell(strings.nothingToDo);
      return;
    }
    const ranks = panel.ranksOrComplaint();
    if (!ranks) return;
    if (panel.draft.isShownOrder && !this.warned) {
      this.tell(strings.shownOrder);
      this.warned = true;
      return;
    }
    this.judge(panel, ranks);
  }

  private judge(panel: ItemPanel, ranks: number[], flag?: string): void {
    const said = panel.draft.said(this.content);
    const flags = flag ? [...said.flags, flag] : said.flags;
    const strength = flag ? null : said.strength;
    const { item, seconds } = panel;
    this.post({ type: "submit", item: item.key, ranks, ...said, strength, flags, seconds });
    this.bring(null);
  }

  private skip(): void {
    const { panel } = this;
    if (!panel) {
      this.tell(strings.nothingToDo);
      return;
    }
    const { comment, flags } = panel.draft.said(this.content);
    const { item, seconds } = panel;
    this.post({ type: "skip", item: item.key, comment, flags, seconds });
    this.bring(null);
  }

  private allBad(): void {
    if (this.panel)
      this.judge(
        this.panel,
        this.panel.item.cards.map(() => 1),
        ALL_BAD,
      );
  }

  /** Take back the latest answer. It is shown at once where the page still has it. */
  private back(): void {
    const before = this.desk.open;
    this.post({ type: "undo", item: this.panel?.item.key ?? "" });
    const opened = this.desk.open.find((key) => !before.includes(key));
    this.bring(opened ?? null, opened ? strings.backAt : strings.newItem);
  }

  private again(): void {
    this.post({ type: "redo", item: this.panel?.item.key ?? "" });
    this.bring(null);
  }

  private ask(): void {
    this.post({ type: "refresh" });
  }

  /** Send what a page left behind whose kernel died; once, when there is something to rank. */
  private restore(): void {
    const { phase } = this.view;
    const none = this.content.items.length === 0;
    if (this.restored || phase === "error" || (phase === "ranking" && none)) return;
    this.restored = true;
    const here = new Set(this.model.get("events").map((event) => event.id));
    const stored = this.keep.all();
    this.keep.drop(stored.filter((event) => here.has(event.id)));
    this.keep.hold(this.queue.pending);
    const keys = new Set(this.content.items.map((item) => item.key));
    const leftovers = stored.filter((event) => !here.has(event.id));
    const { again, dropped } = sortLeftovers(leftovers, keys);
    this.keep.drop(dropped);
    for (const { seq: _, id, ...event } of again) this.post(event as Unsent<RankerEvent>, id);
    if (again.length) this.bring(null);
    const told = [
      ...(again.length ? [strings.resent(again.length)] : []),
      ...(dropped.length ? [strings.dropped(dropped.length)] : []),
    ];
    if (told.length) this.tell(told.join(" "));
  }

  // ------------------------------------------------------------------------------------------ keys

  protected override onKey(event: KeyboardEvent): void {
    const command = commandOf(event);
    if (takesText(event.target)) {
      const isSave = command?.name === "saveKey";
      if (isSave) this.tell(strings.saveKey);
      if (isSave || this.extras.drawer.onTextKey(event)) event.preventDefault();
      return;
    }
    if (!command || this.leftToBrowser(command, event)) return;
    event.preventDefault();
    // A key held down must not rank one card after the other, nor send twice.
    if (event.repeat && !repeats(command)) return;
    if (!this.extras.drawer.run(command, event.target)) this.run(command);
  }

  private leftToBrowser(command: Command, event: KeyboardEvent): boolean {
    const target = event.target instanceof Element ? event.target : null;
    const reading = this.panel?.reading ?? null;
    const onControl = target?.matches("button, input") ?? false;
    const onChoice = target?.matches("[role=radio], .rr-chip, input") ?? false;
    if (this.extras.drawer.leavesToBrowser(command, target)) return true;
    if (command.name === "submit") return onControl && !onChoice;
    if (command.name === "scroll") return onControl || reading !== null;
    if (command.name === "step") return reading === "wide";
    return command.name === "row" && reading !== null;
  }

  private run(command: Command): void {
    if (command.name === "rate") this.extras.rate(true);
    else if (command.name === "saveKey") this.tell(strings.saveKey);
    else if (aboutItem(command)) this.panel?.run(command);
    else this.runPlain(command.name);
  }

  runPlain(name: Plain): void {
    const actions: Partial<Record<Plain, () => void>> = {
      submit: () => this.submit(),
      skip: () => this.skip(),
      undo: () => this.back(),
      redo: () => this.again(),
      allBad: () => this.allBad(),
      rate: () => this.extras.rate(false),
      comment: () => this.extras.notes("comment"),
      flag: () => this.extras.notes("flag"),
      edit: () => this.extras.edit(),
      compare: () => this.extras.compare(),
      help: () => this.extras.help(),
      close: () => this.extras.close(),
    };
    actions[name]?.();
  }
}

export default widgetModule((model: RankerModel) => new Ranker(model));
