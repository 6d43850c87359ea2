// The ranking widget. It holds no truth: it shows what Python said last and, on top of it, what the
// person did since, so that nobody waits for a kernel that is busy.

import { h } from "../shared/dom";
import { Keep } from "../shared/keep";
import { takesText } from "../shared/keys";
import { Leftovers } from "../shared/leftovers";
import type { Unsent } from "../shared/queue";
import { isAnswer } from "../shared/undo";
import { type Tone, Widget, widgetModule } from "../shared/widget";
import { shared, ranker as strings } from "../strings";
import { closing, phaseOf } from "./closing";
import { Desk, handedOut } from "./desk";
import { Edits } from "./edits";
import { Extras, type ExtrasHost } from "./extras";
import { Header } from "./header";
import { type ItemHost, ItemPanel } from "./item";
import { aboutItem, type Command, commandOf, type Plain, repeats } from "./keys";
import { ALL_BAD, type Content, type RankerEvent, type RankerModel, type View } from "./protocol";
import { Stage } from "./stage";

/** Half a minute: so often it asks whether others gave something back. */
const ASK_AGAIN_MS = 30_000;

/** How an item comes to the screen. */
interface Bringing {
  /** To be told with it. */
  why?: string;
  announce?: typeof strings.newItem;
  /** Whether the person works in the widget; else the focus stays where it is. */
  hadFocus?: boolean;
}

class Ranker extends Widget<View, Content, RankerEvent> implements ItemHost, ExtrasHost {
  private readonly desk = new Desk();
  private readonly keep = new Keep<RankerEvent>(() => this.content.store_key);
  private readonly leftovers = new Leftovers(this.keep);
  private readonly header = new Header();
  private readonly stage = new Stage();
  readonly edits = new Edits();
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
  /** Another item has its turn, but the person is writing; with the one that Python wants. */
  private held: { wanted: string | null } | null = null;
  private asking: ReturnType<typeof setTimeout> | undefined;
  /** The shown order was submitted once, and not changed since. */
  private warned = false;

  constructor(model: RankerModel) {
    super(model, "ranker", strings.widget);
    this.moreButton.setAttribute("aria-expanded", "false");
    const buttons = [this.submitButton, this.skipButton, this.undoButton, this.moreButton];
    const footer = h("footer", { class: "rw-actions" }, ...buttons, this.extras.tools.element);
    this.main.append(this.header.element, this.stage.element, footer);
    // After the line that says what happens: what opens there moves nothing else.
    this.root.append(this.reveal, this.extras.drawer.element);
    this.onStop(() => this.panel?.destroy());
    this.onStop(() => clearTimeout(this.asking));
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

  goOn(): boolean {
    if (!this.held) return false;
    this.bring(this.held.wanted, { why: this.isGone ? strings.elsewhere : "", hadFocus: true });
    return true;
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
    this.hold();
    const news = this.desk.update(this.content, this.view, this.queue.pending);
    for (const key of news.failed) this.failed.add(key);
    // What was not saved comes back at once, unless the person is in the middle of another item.
    const back = this.isInTheMiddle ? undefined : news.failed[0];
    const wanted = news.goTo ?? this.held?.wanted ?? back ?? null;
    if (this.mustWait(wanted)) return;
    const failed = this.model.get("notice")?.tone === "error";
    this.bring(wanted, { why: this.isGone && (failed || !news.goTo) ? strings.elsewhere : "" });
    this.extras.show();
    if (this.started) this.restore();
  }

  private get isInTheMiddle(): boolean {
    if (!this.panel) return false;
    const { draft, item } = this.panel;
    return draft.touched || this.edits.unsaved(item.key).length > 0;
  }

  /** What is on the screen is not to be answered any more. */
  private get isGone(): boolean {
    return this.panel !== null && !this.desk.open.includes(this.panel.item.key);
  }

  /** Whoever writes keeps the item until they close the text: their letters would be commands. */
  private mustWait(wanted: string | null): boolean {
    if (!this.panel || !this.extras.drawer.isInUse) return false;
    if (this.nextKey(wanted) === this.panel.item.key) return false;
    if (!this.held) this.tell(strings.waitsForText);
    this.held = { wanted };
    return true;
  }

  /** The wanted item, or the one that is there, or the next. */
  private nextKey(wanted: string | null): string | null {
    const { open } = this.desk;
    return [wanted, this.panel?.item.key, open[0]].find((one) => one && open.includes(one)) ?? null;
  }

  /** Show the wanted item, or the one that is there, or the next. */
  private bring(wanted: string | null, how: Bringing = {}): void {
    const { why = "", announce = strings.newItem, hadFocus = this.hasFocus } = how;
    const { open, done } = this.desk;
    const { total } = this.view.progress;
    const key = this.nextKey(wanted);
    const phase = phaseOf(this.view, open.length, this.queue.pending, done);
    const item = key ? this.desk.item(key) : null;
    const isNew = item
      ? item.key !== this.panel?.item.key
      : this.stage.showClosing(phase, (kind) =>
          closing(kind, done, total, (label) => this.button(label, "", "", () => this.ask())),
        );
    this.held = null;
    // Only where the person already works in the widget: a cell that ran takes no focus.
    if (isNew) this.replacePanel(item && this.panelOf(item.key), hadFocus);
    this.root.dataset.phase = phase;
    clearTimeout(this.asking);
    if (phase === "others") this.asking = setTimeout(() => this.ask(), ASK_AGAIN_MS);
    this.header.showProgress(done, total, phase === "ranking", this.view.pace);
    this.header.showUnsent(this.queue.pending.filter(isAnswer).length);
    this.showReveal();
    this.showReady();
    if (why) this.tellWhy(why);
    if (isNew && hadFocus) this.sayNews(why, announce(Math.min(done + 1, total), total));
  }

  private panelOf(key: string): ItemPanel | null {
    const item = this.desk.item(key);
    if (!item) return null;
    return new ItemPanel(item, this.desk.draft(item), this.content.criteria, this);
  }

  private replacePanel(panel: ItemPanel | null, takesFocus: boolean): void {
    this.panel?.destroy();
    this.panel = panel;
    this.warned = false;
    this.clearMessage();
    this.header.showRule(panel?.count ?? 0);
    this.submitButton.hidden = this.skipButton.hidden = this.moreButton.hidden = !panel;
    this.undoButton.hidden = !panel && this.view.phase === "empty";
    this.extras.itemChanged();
    if (!panel) {
      if (takesFocus) this.root.focus({ preventScroll: true });
      return;
    }
    this.stage.showItem(panel, takesFocus);
    if (this.failed.delete(panel.item.key)) this.tellWhy(strings.notSaved, "error");
  }

  /** Why another item is here than was foreseen: Python's own words say more, if it had any. */
  private tellWhy(words: string, tone: Tone = "info"): void {
    const notice = this.model.get("notice");
    if (notice?.tone === "error") this.tell(notice.text, "error");
    else this.tell(words, tone);
  }

  /** In one text: of two, a screen reader would say the second alone. */
  private sayNews(why: string, words: string): void {
    const what = this.panel ? words : (this.stage.element.textContent ?? "");
    this.say(`${why} ${what}`.trim());
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
    this.hold();
    this.desk.update(this.content, this.view, this.queue.pending);
  }

  /** Keep in the browser what is not saved. */
  private hold(): void {
    const { pending } = this.queue;
    const isError = this.model.get("notice")?.tone === "error";
    this.edits.update(pending, (id) => this.view.unsaved?.includes(id) ?? isError);
    this.keep.hold([...pending, ...this.edits.unsent]);
  }

  /** The item that an answer would be about; null, after telling why, where there is none. */
  private panelToJudge(): ItemPanel | null {
    if (this.goOn()) return null;
    if (!this.panel) this.tell(strings.nothingToDo);
    return this.panel;
  }

  private submit(): void {
    const panel = this.panelToJudge();
    const ranks = panel?.ranksOrComplaint();
    if (!panel || !ranks) return;
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
    this.leave(panel);
  }

  private skip(): void {
    const panel = this.panelToJudge();
    if (!panel) return;
    const { comment, flags } = panel.draft.said(this.content);
    const { item, seconds } = panel;
    this.post({ type: "skip", item: item.key, comment, flags, seconds });
    this.leave(panel);
  }

  private allBad(): void {
    const panel = this.panelToJudge();
    if (!panel) return;
    const ranks = panel.item.cards.map(() => 1);
    this.judge(panel, ranks, ALL_BAD);
  }

  /** Go on to the next item. */
  private leave({ item, draft }: ItemPanel): void {
    this.bring(null);
    const written = this.edits.unsaved(item.key).map((card) => draft.letter(card));
    if (written.length) this.tell(strings.editLeft(written));
  }

  /** Take back the latest answer. It is shown at once where the page still has it. */
  private back(): void {
    const before = this.desk.open;
    this.step("undo");
    const opened = this.desk.open.find((key) => !before.includes(key));
    this.bring(opened ?? null, { announce: opened ? strings.backAt : strings.newItem });
  }

  private again(): void {
    this.step("redo");
    this.bring(null);
  }

  private step(type: "undo" | "redo"): void {
    const of = this.desk.takenBackBy(type);
    this.post({ type, item: this.panel?.item.key ?? "", ...(of && { of }) });
  }

  private ask(): void {
    this.post({ type: "refresh" });
  }

  /** Send what a page left behind whose kernel died, when its items are there. */
  private restore(): void {
    if (this.leftovers.areTaken) return;
    const here = new Set(this.model.get("events").map((event) => event.id));
    const [again, told] = this.leftovers.take(handedOut(this.content, this.view), here);
    this.hold();
    for (const { seq: _, id, ...event } of again) this.post(event as Unsent<RankerEvent>, id);
    if (again.length) this.bring(null);
    if (told) this.tell(told);
  }

  // ------------------------------------------------------------------------------------------ keys

  protected override onSaveKey(): void {
    this.tell(strings.saveKey);
  }

  protected override onKey(event: KeyboardEvent): void {
    if (takesText(event.target)) {
      if (this.extras.drawer.onTextKey(event)) event.preventDefault();
      return;
    }
    const command = commandOf(event);
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
