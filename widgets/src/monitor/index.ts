// The training monitor: curves while a run goes on, what is alarming in it, and a way to end it.
// It holds no truth: all it has of its own is where the person looks.

import { h, keepingFocus, setDisabled, uniqueId } from "../shared/dom";
import { duration } from "../shared/numbers";
import { Widget, widgetModule } from "../shared/widget";
import { monitor as strings } from "../strings";
import { Chart } from "./chart";
import { written } from "./format";
import type { Alarm, Content, MonitorEvent, MonitorModel, Status, View } from "./protocol";
import { Samples } from "./samples";
import { Series } from "./series";
import { askKernel, kernelOf } from "./stopping";
import { Table } from "./table";

/** What is left to draw waits for the next frame: painting long curves takes its time, too. */
const CHARTS_A_FRAME = 2;
/** How long a kernel may take to answer a wish to stop before the other way is tried, too. */
const PATIENCE_MS = 4000;

class Monitor extends Widget<View, Content, MonitorEvent> {
  private readonly series = new Series();
  private readonly title = h("div", { class: "rw-title" });
  private readonly status = h("span", { class: "mo-status" });
  private readonly bar = h("progress", { "aria-label": strings.progress });
  private readonly time = h("span", { class: "rw-muted mo-time" });
  private readonly alarms = h("ul", { class: "mo-alarms", hidden: true });
  private readonly grid = h("div", { class: "mo-grid" });
  private readonly slider = h("input", { type: "range", min: 0, max: 0, step: 1 });
  private readonly looking = h("output", { class: "mo-looking" });
  private readonly samples = new Samples();
  private readonly stopButton = this.button(strings.stop, "mo-stop", "", () => void this.askStop());
  private readonly tableButton = this.button(strings.table, "", "", () => this.toggleTable());
  private readonly outcome = h("p", { class: "mo-outcome", hidden: true });
  private readonly probe = h("span", { hidden: true });
  private readonly scrubber: HTMLElement;
  private charts: Chart[] = [];
  private table: Table | null = null;
  private tableOpen = false;
  private chartsKey = "";
  /** The point looked at; null for the latest, which is then followed. */
  private looked: number | null = null;
  /** The same as the slider has it, to which one comes back from pointing at a curve. */
  private chosen: number | null = null;
  private asked = false;
  private readonly toDraw = new Set<Chart | Table>();
  private frame = 0;
  private receivedAt = 0;
  private ticking: ReturnType<typeof setInterval> | undefined;
  private alarmsSaid = new Map<string, number>();

  constructor(model: MonitorModel) {
    super(model, "monitor", strings.widget);
    const label = uniqueId("rlhf-look");
    this.slider.setAttribute("aria-labelledby", label);
    this.slider.addEventListener("input", () => this.slide());
    this.tableButton.setAttribute("aria-pressed", "false");
    this.scrubber = h(
      "div",
      { class: "mo-scrubber" },
      h("span", { id: label, class: "rw-muted" }, strings.look),
      this.slider,
      this.looking,
    );
    this.main.append(
      h(
        "header",
        { class: "mo-top" },
        h("div", { class: "mo-what" }, this.title, this.status),
        h("div", { class: "mo-progress" }, this.bar, this.time),
        h("div", { class: "mo-buttons" }, this.tableButton, this.stopButton),
      ),
      this.outcome,
      this.alarms,
      this.grid,
      this.scrubber,
      this.samples.element,
      this.probe,
    );
    const observer = new MutationObserver(() => this.recolour());
    observer.observe(this.root, { attributes: true, attributeFilter: ["data-theme"] });
    this.onStop(() => {
      observer.disconnect();
      this.stopTicking();
      cancelAnimationFrame(this.frame);
      for (const chart of this.charts) chart.remove();
    });
  }

  // ------------------------------------------------------------------------------------- showing

  protected override get waitWords() {
    return { saving: strings.asking, waiting: () => strings.cannotHear };
  }

  protected override show(): void {
    const { view, content } = this;
    this.receivedAt = performance.now();
    this.setUp(content);
    const drawable = this.series.update(content, view);
    this.showHead(view, content);
    this.showAlarms(view.alarms);
    this.samples.show(content.samples);
    this.showSlider();
    if (drawable) this.drawAll();
  }

  /** The charts; a run has the same ones from its first to its last step. */
  private setUp(content: Content): void {
    const key = JSON.stringify(content.charts);
    if (key === this.chartsKey) return;
    this.chartsKey = key;
    for (const chart of this.charts) chart.remove();
    this.toDraw.clear();
    this.charts = content.charts.map(
      (data) =>
        new Chart(
          data,
          this.series,
          (name) => this.colour(name),
          (i) => this.point(i),
        ),
    );
    this.grid.replaceChildren(...this.charts.map((chart) => chart.element));
    keepingFocus(
      this.main,
      () => this.makeTable(),
      () => this.tableButton,
    );
    this.resized();
  }

  private showHead(view: View, content: Content): void {
    this.title.textContent = content.title;
    this.root.dataset.status = view.status;
    const phase = content.phases[view.phase] ?? view.phase;
    this.status.textContent = statusText(view, phase);
    this.bar.max = Math.max(view.total, 1);
    this.bar.value = view.done;
    this.bar.hidden = !view.total;
    this.outcome.hidden = !view.outcome;
    this.outcome.textContent = view.outcome;
    this.showTime();
    this.tick();
    const running = this.isRunning;
    if (!running) this.asked = false;
    const stopping = this.asked || view.status === "stopping";
    this.stopButton.textContent = stopping ? strings.stopping : strings.stop;
    this.stopButton.title = content.stop_note;
    setDisabled(this.stopButton, stopping || !running);
    const change = () => {
      this.stopButton.hidden = !view.can_stop || isOver(view.status);
    };
    keepingFocus(this.root, change, () => this.tableButton);
    if (isOver(view.status)) this.clearMessage();
  }

  private get isRunning(): boolean {
    const { status } = this.view;
    return status === "running" || status === "stopping";
  }

  /** Count on between two messages, while there is something to count. */
  private tick(): void {
    if (this.isRunning) this.ticking ??= setInterval(() => this.showTime(), 1000);
    else this.stopTicking();
  }

  private stopTicking(): void {
    clearInterval(this.ticking);
    this.ticking = undefined;
  }

  private showTime(): void {
    const { seconds, left } = this.view;
    const since = this.isRunning ? (performance.now() - this.receivedAt) / 1000 : 0;
    const taken = duration(seconds + since);
    const spent = this.isRunning ? strings.spent(taken) : seconds ? strings.took(taken) : "";
    const rest = left === null ? "" : strings.left(duration(Math.max(0, left - since)));
    this.time.textContent = [spent, rest].filter(Boolean).join(", ");
  }

  private showAlarms(alarms: readonly Alarm[]): void {
    this.alarms.hidden = alarms.length === 0;
    const shown = alarms.map((alarm) =>
      h(
        "li",
        { class: "mo-alarm" },
        h("strong", {}, strings.alarm(alarm.name)),
        h("span", { class: "rw-muted" }, strings.when(alarm.first, alarm.last, alarm.times)),
        h("p", {}, alarm.message),
      ),
    );
    const isNew = alarms.filter((alarm) => !this.alarmsSaid.has(alarm.name));
    const same = isNew.length === 0 && alarms.every((a) => this.alarmsSaid.get(a.name) === a.times);
    if (!same || alarms.length !== this.alarms.children.length) {
      this.alarms.replaceChildren(...shown);
    }
    this.alarmsSaid = new Map(alarms.map((alarm) => [alarm.name, alarm.times]));
    if (isNew.length)
      this.say(isNew.map((a) => `${strings.alarm(a.name)}. ${a.message}`).join(" "));
  }

  // ------------------------------------------------------------------------------------- drawing

  private drawAll(): void {
    // Those that wait already keep their turn, so that none waits for ever.
    for (const one of this.tableOpen ? [this.table] : this.charts) {
      if (one) this.toDraw.add(one);
    }
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.drawSome());
  }

  private drawSome(): void {
    this.frame = 0;
    this.readAll();
    for (const one of [...this.toDraw].slice(0, CHARTS_A_FRAME)) {
      this.toDraw.delete(one);
      one.draw();
    }
    if (this.toDraw.size) this.frame = requestAnimationFrame(() => this.drawSome());
  }

  private readAll(): void {
    for (const chart of this.charts) chart.read(this.looked);
  }

  protected override resized(): void {
    const widths = this.charts.map((chart) => chart.width); // read all, then write all
    this.charts.forEach((chart, i) => {
      chart.resize(widths[i] ?? 0);
    });
    this.samples.measure();
    this.readAll();
  }

  private recolour(): void {
    for (const chart of this.charts) chart.recolour();
  }

  /** What a variable of the style sheet is now, as a canvas understands it. */
  private colour(variable: string): string {
    this.probe.style.color = `var(${variable})`;
    return getComputedStyle(this.probe).color;
  }

  // ------------------------------------------------------------------------------------- looking

  private showSlider(): void {
    const count = this.series.length;
    // A run that went back has fewer points than there were.
    if (this.looked !== null && this.looked >= count) this.looked = this.chosen = null;
    this.slider.max = String(Math.max(count - 1, 0));
    const change = () => {
      this.slider.disabled = count < 2;
      this.scrubber.hidden = this.tableOpen;
    };
    keepingFocus(this.scrubber, change, () => this.tableButton);
    this.showLooked();
  }

  private showLooked(): void {
    const last = this.series.length - 1;
    const index = this.looked ?? last;
    this.slider.value = String(Math.max(index, 0));
    const step = this.series.steps[index];
    this.looking.textContent =
      step === undefined ? strings.none : strings.at(step, this.looked === null);
    // Only what the person moved to is read out; the latest point changes under their hands.
    this.slider.setAttribute(
      "aria-valuetext",
      step === undefined ? strings.none : this.spoken(step, this.looked),
    );
  }

  private spoken(step: number, index: number | null): string {
    if (index === null) return strings.at(step, true);
    const values = this.content.charts.flatMap(({ title, curves, form }) =>
      curves.flatMap(({ name, label }) => {
        const value = this.series.at(name, index);
        const called = curves.length > 1 ? `${title}, ${label}` : title;
        return value === null ? [] : [`${called} ${written(value, form)}`];
      }),
    );
    return `${strings.at(step, false)}: ${values.join("; ")}`;
  }

  private slide(): void {
    const index = Number(this.slider.value);
    this.chosen = index >= this.series.length - 1 ? null : index;
    this.look(this.chosen);
  }

  private point(index: number | null): void {
    this.look(index ?? this.chosen);
  }

  private look(index: number | null): void {
    this.looked = index;
    this.showLooked();
    this.readAll();
  }

  private toggleTable(): void {
    this.tableOpen = !this.tableOpen;
    this.tableButton.setAttribute("aria-pressed", String(this.tableOpen));
    if (this.tableOpen && !this.table) this.makeTable();
    this.grid.hidden = this.tableOpen;
    if (this.table) this.table.element.hidden = !this.tableOpen;
    this.scrubber.hidden = this.tableOpen;
    if (this.tableOpen) this.table?.draw();
    else this.resized();
    this.drawAll();
  }

  /** A table for the charts that there are now, if it is open. */
  private makeTable(): void {
    this.table?.element.remove();
    this.table = this.tableOpen ? new Table(this.content.charts, this.series) : null;
    if (this.table) this.grid.after(this.table.element);
  }

  // ------------------------------------------------------------------------------------- stopping

  private async askStop(): Promise<void> {
    if (this.asked || this.view.status !== "running") return;
    this.asked = true;
    this.showHead(this.view, this.content);
    this.tell(strings.asking);
    const kernel = kernelOf(this.model);
    // What is synced is heard as soon as Python is free; a second later the widget says what else
    // can be done. It is the second way only: an answer that comes late still counts.
    const sync = setTimeout(() => this.syncStop(), kernel ? PATIENCE_MS : 0);
    const answer = kernel ? await askKernel(kernel, this.content.id) : "";
    if (answer === "stopping") {
      clearTimeout(sync);
      this.heard();
    } else if (answer) {
      clearTimeout(sync);
      this.syncStop();
    }
  }

  private syncStop(): void {
    if (this.asked && !isOver(this.view.status)) this.send({ type: "stop" });
  }

  private heard(): void {
    if (this.asked && !isOver(this.view.status)) this.tell(strings.heard(this.content.stop_note));
  }

  protected override acknowledged(): void {
    if (this.view.status === "stopping") this.heard();
  }
}

function isOver(status: Status): boolean {
  return status === "finished" || status === "stopped" || status === "failed";
}

function statusText(view: View, phase: string): string {
  const { status, done, total } = view;
  if (status === "waiting") return strings.waiting;
  if (isOver(status)) return strings.over(strings.ends[status] ?? status, done, total);
  return strings.running(Math.min(done + 1, total), total, phase);
}

export default widgetModule((model: MonitorModel) => new Monitor(model));
