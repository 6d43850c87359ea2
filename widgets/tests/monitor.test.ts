import { beforeEach, describe, expect, it, vi } from "vitest";
import monitor from "../src/monitor";
import { range } from "../src/monitor/chart";
import { duration, figure, ticks, written } from "../src/monitor/format";
import type { Alarm, Content, MonitorEvent, View } from "../src/monitor/protocol";
import { Series } from "../src/monitor/series";
import { askKernel, type Kernel, kernelOf, TARGET } from "../src/monitor/stopping";
import { PAGE } from "../src/monitor/table";
import { FakeModel } from "./harness";

vi.mock("uplot", () => ({ default: class {} }));

const CONTENT: Content = {
  id: "monitor-1",
  title: "PPO from policy@0",
  charts: [
    {
      title: "Reward score",
      curves: [{ name: "score", label: "score" }],
      unit: "normalised",
      form: "signed",
      target: null,
      about: "",
    },
    {
      title: "Seconds by phase",
      curves: [
        { name: "rollout", label: "sampling" },
        { name: "update", label: "learning" },
      ],
      unit: "per step",
      form: "seconds",
      target: 6,
      about: "",
    },
  ],
  phases: { rollout: "sampling" },
  stop_note: "Whole steps are kept.",
  base: 0,
  steps: [],
  values: { score: [], rollout: [], update: [] },
  samples: [],
};

const VIEW: View = {
  base: 0,
  steps: [9, 10],
  values: { score: [0.25, -0.5], rollout: [2, null], update: [3, 12.34] },
  status: "running",
  phase: "rollout",
  done: 2,
  total: 8,
  seconds: 130,
  left: 400,
  alarms: [],
  can_stop: true,
  outcome: "",
};

class Screen {
  readonly model: FakeModel<View, Content, MonitorEvent>;
  readonly root: HTMLElement;
  readonly stop: () => void;

  constructor(view: Partial<View> = {}, content: Partial<Content> = {}, extra: object = {}) {
    this.model = Object.assign(
      new FakeModel<View, Content, MonitorEvent>({
        view: { ...VIEW, ...view },
        content: { ...CONTENT, ...content },
      }),
      extra,
    );
    const page = document.createElement("div");
    document.body.replaceChildren(page);
    this.stop = monitor.render({ model: this.model, el: page });
    this.root = page.querySelector<HTMLElement>(".rlhf-monitor") ?? page;
  }

  get(selector: string): HTMLElement {
    const found = this.root.querySelector<HTMLElement>(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    return found;
  }

  text(selector: string): string {
    return this.get(selector).textContent ?? "";
  }

  button(label: string): HTMLButtonElement {
    const found = [...this.root.querySelectorAll("button")].find((b) => b.textContent === label);
    if (!found) throw new Error(`no button ${label}`);
    return found;
  }

  show(view: Partial<View>): void {
    this.model.set("view", { ...this.model.get("view"), ...view });
  }

  get readings(): (string | null)[] {
    return [...this.root.querySelectorAll(".mo-reading")].map((reading) => reading.textContent);
  }

  get slider(): HTMLInputElement {
    return this.get("input[type=range]") as HTMLInputElement;
  }

  slideTo(index: number): void {
    this.slider.value = String(index);
    this.slider.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Let frames, timers and promises pass. */
  async pass(milliseconds = 50): Promise<void> {
    await vi.advanceTimersByTimeAsync(milliseconds);
  }
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      "setTimeout",
      "clearTimeout",
      "setInterval",
      "clearInterval",
      "performance",
      "requestAnimationFrame",
      "cancelAnimationFrame",
    ],
  });
  return () => vi.useRealTimers();
});

describe("numbers", () => {
  // The same cases as in tests/widgets/test_monitor_figure.py.
  it.each([
    [0.4237, "signed", "+0.424"],
    [-1.5, "signed", "-1.50"],
    [0.0312, "percent", "3.12%"],
    [0.2, "percent", "20.0%"],
    [12.34, "seconds", "12.3 s"],
    [123.4, "number", "123"],
    [12345.6, "number", "12,346"],
    [0, "number", "0.000"],
    [48.4, "count", "48"],
  ] as const)("writes %d as %s: %s", (value, form, text) => {
    expect(written(value, form)).toBe(text);
  });

  it("writes small numbers with a power, long times with hours", () => {
    expect(figure(0.00004)).toBe("4.0e-5");
    expect([0.4, 99.6, 3540, 4800].map(duration)).toEqual(["0 s", "2 min", "59 min", "1 h 20 min"]);
  });

  it("gives an axis no more decimals than tell its labels apart", () => {
    expect(ticks([0, 0.5, 1], "number")).toEqual(["0.0", "0.5", "1.0"]);
    expect(ticks([10, 20], "seconds")).toEqual(["10", "20"]);
    expect(ticks([0.05, 0.1], "percent")).toEqual(["5%", "10%"]);
    expect(ticks([-0, 0.25, 0.5], "number")).toEqual(["0.00", "0.25", "0.50"]);
  });

  it("leaves room around curves and always shows the target", () => {
    expect(range(0, 1, null)).toEqual([-0.08, 1.08]);
    expect(range(0, 1, 6)).toEqual([-0.48, 6.48]);
    expect(range(2, 2, null)).toEqual([1.8, 2.2]);
    expect(range(0, 0, null)).toEqual([-1, 1]);
  });
});

describe("points", () => {
  const based = (base: number, steps: number[]): Content => ({
    ...CONTENT,
    base,
    steps,
    values: { score: steps, rollout: steps, update: steps },
  });
  const since = (base: number, steps: number[]): View => ({
    ...VIEW,
    base,
    steps,
    values: { score: steps, rollout: steps, update: steps },
  });

  it("joins the base with what came since", () => {
    const series = new Series();
    expect(series.update(based(1, [1, 2]), since(1, [3]))).toBe(true);
    expect(series.steps).toEqual([1, 2, 3]);
    expect(series.column("score")).toEqual([1, 2, 3]);
  });

  it("counts no point twice when the base arrives before its view", () => {
    const series = new Series();
    series.update(based(1, [1, 2, 3]), since(0, [1, 2, 3]));
    expect(series.steps).toEqual([1, 2, 3]);
  });

  it("waits for a base that is still to come", () => {
    const series = new Series();
    series.update(based(0, []), since(0, [1, 2]));
    expect(series.update(based(0, []), since(1, [3]))).toBe(false);
    expect(series.steps).toEqual([1, 2]);
  });

  it("goes back with a run that went back", () => {
    const series = new Series();
    series.update(based(0, []), since(0, [1, 2, 3]));
    expect(series.update(based(1, [1]), since(1, []))).toBe(true);
    expect(series.steps).toEqual([1]);
  });

  it("tells the latest value of a curve that has one only now and then", () => {
    const series = new Series();
    series.update(CONTENT, VIEW);
    expect(series.at("rollout", null)).toBe(2);
    expect(series.at("rollout", 1)).toBeNull();
  });
});

describe("the monitor", () => {
  it("says where the run is, and how long it will take", () => {
    const screen = new Screen();
    expect(screen.text(".rw-title")).toBe("PPO from policy@0");
    expect(screen.text(".mo-status")).toBe("Step 3 of 8: sampling");
    expect(screen.text(".mo-time")).toBe("2 min so far, about 7 min left");
    expect((screen.get("progress") as HTMLProgressElement).value).toBe(2);
  });

  it("counts on between two messages", async () => {
    const screen = new Screen({ seconds: 10, left: 30 });
    await screen.pass(5000);
    expect(screen.text(".mo-time")).toBe("15 s so far, about 25 s left");
  });

  it("shows the latest values, and those at a step that one moves to", async () => {
    const screen = new Screen();
    await screen.pass();
    expect(screen.readings).toEqual(["-0.500", "2.00 s", "12.3 s"]);
    screen.slideTo(0);
    expect(screen.readings).toEqual(["+0.250", "2.00 s", "3.00 s"]);
    expect(screen.text(".mo-looking")).toBe("step 9");
    expect(screen.slider.getAttribute("aria-valuetext")).toBe(
      "step 9: Reward score +0.250; Seconds by phase, sampling 2.00 s; Seconds by phase, learning 3.00 s",
    );
  });

  it("follows the latest step, but not away from where one looks", async () => {
    const screen = new Screen();
    const three = { score: [0.25, -0.5, 1], rollout: [2, 2, 2], update: [3, 3, 3] };
    screen.show({ steps: [9, 10, 11], values: three });
    await screen.pass();
    expect(screen.readings[0]).toBe("+1.00");
    expect(screen.slider.value).toBe("2");
    screen.slideTo(1);
    screen.show({ steps: [9, 10, 11], values: three });
    await screen.pass();
    expect(screen.readings[0]).toBe("-0.500");
    screen.slideTo(2);
    expect(screen.text(".mo-looking")).toBe("step 11, the latest");
  });

  it("has every value in a table, the newest first", () => {
    const screen = new Screen();
    screen.button("Table").click();
    const rows = [...screen.root.querySelectorAll("tbody tr")].map((row) =>
      [...row.children].map((cell) => cell.textContent),
    );
    expect(rows).toEqual([
      ["10", "-0.500", "", "12.3 s"],
      ["9", "+0.250", "2.00 s", "3.00 s"],
    ]);
    expect(screen.get(".mo-grid").hidden).toBe(true);
    expect(screen.button("Table").getAttribute("aria-pressed")).toBe("true");
    screen.button("Table").click();
    expect(screen.get(".mo-grid").hidden).toBe(false);
    expect(screen.get(".mo-table").hidden).toBe(true);
  });

  it("turns pages of long tables", () => {
    const steps = Array.from({ length: 2 * PAGE + 3 }, (_, i) => i + 1);
    const screen = new Screen({ steps, values: { score: steps, rollout: steps, update: steps } });
    screen.button("Table").click();
    expect(screen.root.querySelectorAll("tbody tr")).toHaveLength(PAGE);
    expect(screen.text(".mo-pages span")).toBe("1 to 50 of 103, newest first");
    screen.button("Older").click();
    screen.button("Older").click();
    expect(screen.text("tbody tr:last-child th")).toBe("1");
    expect(screen.button("Older").getAttribute("aria-disabled")).toBe("true");
    expect(screen.root.querySelectorAll("tbody tr")).toHaveLength(3);
  });

  it("keeps the focus on the button that turned to the last page, which then does nothing", () => {
    const steps = Array.from({ length: PAGE + 1 }, (_, i) => i + 1);
    const screen = new Screen({ steps, values: { score: steps, rollout: steps, update: steps } });
    screen.button("Table").click();
    const older = screen.button("Older");
    older.focus();
    older.click();
    expect(document.activeElement).toBe(older);
    expect(older.disabled).toBe(false);
    older.click();
    expect(screen.text(".mo-pages span")).toBe("51 to 51 of 51, newest first");
  });

  it("keeps the focus in the widget when the button that stops goes", () => {
    const screen = new Screen();
    screen.button("Stop after this step").focus();
    screen.show({ status: "finished" });
    expect(document.activeElement).toBe(screen.button("Table"));
  });

  it("keeps the focus in the widget when the samples change under it", () => {
    const sample = { before: null, before_version: "", now: "", step: 4, score: null };
    const link = '<span class="rw-md-link" data-url="https://a.example/">a</span>';
    const screen = new Screen({}, { samples: [{ ...sample, prompt: link }] });
    screen.get(".mo-prompt button").focus();
    screen.model.set("content", { ...CONTENT, samples: [{ ...sample, prompt: "b" }] });
    expect(document.activeElement).toBe(screen.get("summary"));
  });

  it("has a table of the charts of another run, too", () => {
    const screen = new Screen();
    screen.button("Table").click();
    const charts = CONTENT.charts.slice(0, 1);
    screen.model.set("content", { ...CONTENT, charts });
    expect(screen.root.querySelectorAll(".mo-table thead th")).toHaveLength(2);
  });

  it("has texts that scroll in reach of the keyboard", () => {
    const sample = { prompt: "", before: null, before_version: "", step: 4, score: null };
    const screen = new Screen({}, { samples: [{ ...sample, now: "<p>Long.</p><pre>x</pre>" }] });
    const text = screen.get(".mo-text");
    expect(text.hasAttribute("tabindex")).toBe(false);
    Object.defineProperty(text, "scrollHeight", { value: 900 });
    Object.defineProperty(screen.get("pre"), "scrollWidth", { value: 900 });
    screen.get("details").dispatchEvent(new Event("toggle"));
    expect([text.tabIndex, text.getAttribute("aria-label")]).toEqual([0, "Now, step 4"]);
    expect(screen.get("pre").tabIndex).toBe(0);
  });

  it("tells an alarm once, in the words of the run", () => {
    const alarm: Alarm = {
      name: "entropy collapse",
      message: "0.1 nats: go back with lab.undo().",
      first: 3,
      last: 3,
      times: 1,
    };
    const screen = new Screen();
    expect(screen.get(".mo-alarms").hidden).toBe(true);
    screen.show({ alarms: [alarm] });
    expect(screen.text(".mo-alarm")).toContain("go back with lab.undo()");
    expect(screen.text("[role=status]")).toBe(
      "Alarm: entropy collapse. 0.1 nats: go back with lab.undo().",
    );
    screen.get("[role=status]").textContent = "";
    screen.show({ alarms: [{ ...alarm, last: 4, times: 2 }] });
    expect(screen.text(".mo-alarm")).toContain("steps 3 to 4, 2 times");
    expect(screen.text("[role=status]")).toBe("");
  });

  it("shows samples before and now, and leaves out what there is not", () => {
    const screen = new Screen(
      {},
      {
        samples: [
          {
            prompt: "<p>Why?</p>",
            before: "<p>Then.</p>",
            before_version: "policy@0",
            now: "<p>Now.</p>",
            step: 4,
            score: 1.25,
          },
          {
            prompt: "<p>Who?</p>",
            before: null,
            before_version: "",
            now: "",
            step: 4,
            score: null,
          },
        ],
      },
    );
    const [first, second] = [...screen.root.querySelectorAll(".mo-sample")];
    expect(first?.textContent).toBe("Why?Before, policy@0Then.Now, step 4score +1.25Now.");
    expect(second?.textContent).toBe("Who?Now, step 4(empty response)");
  });

  it("has words for a run that has not begun, is over, or failed", () => {
    const screen = new Screen({ status: "waiting", steps: [], values: {}, seconds: 0, left: null });
    expect(screen.text(".mo-status")).toBe("Not started");
    expect(screen.text(".mo-looking")).toBe("No step yet");
    expect(screen.slider.disabled).toBe(true);
    screen.show({ status: "finished", done: 8, outcome: "Kept as policy@1.", seconds: 42 });
    expect(screen.text(".mo-status")).toBe("Finished, 8 of 8 steps");
    expect(screen.text(".mo-time")).toBe("in 42 s");
    expect(screen.text(".mo-outcome")).toBe("Kept as policy@1.");
    expect(screen.button("Stop after this step").hidden).toBe(true);
    screen.show({ status: "failed" });
    expect(screen.text(".mo-status")).toContain("Ended by an error");
  });

  it("counts no seconds of a run that is over, and those of the next one", async () => {
    const screen = new Screen();
    screen.show({ status: "finished", seconds: 42, left: null });
    await screen.pass();
    expect(vi.getTimerCount()).toBe(0);
    screen.show({ status: "running", seconds: 1 });
    await screen.pass(2000);
    expect(screen.text(".mo-time")).toBe("3 s so far");
  });

  it("leaves nothing behind when it ends", async () => {
    const screen = new Screen();
    await screen.pass();
    screen.show({ done: 3 });
    screen.stop();
    expect(screen.model.listeners).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** A kernel with subshells, as JupyterLab has it. */
class FakeKernel implements Kernel {
  readonly supportsSubshells: boolean;
  readonly opened: unknown[] = [];
  onClose: (message: object) => unknown = () => null;
  subshellStarted: Promise<unknown> = Promise.resolve();

  constructor(supportsSubshells = true) {
    this.supportsSubshells = supportsSubshells;
  }

  createComm(target: string): FakeKernel {
    this.opened.push(target);
    return this;
  }

  open(data: object): void {
    this.opened.push(data);
  }

  answer(status: string): void {
    this.onClose({ content: { data: { status } } });
  }
}

describe("stopping", () => {
  const press = async (screen: Screen): Promise<void> => {
    screen.button("Stop after this step").click();
    await screen.pass();
  };

  it("reaches a busy kernel by a comm of its own, and syncs nothing then", async () => {
    const kernel = new FakeKernel();
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    expect(kernel.opened).toEqual([TARGET, { monitor: "monitor-1" }]);
    expect(screen.button("Stopping …").getAttribute("aria-disabled")).toBe("true");
    expect(screen.text(".rw-message")).toBe("Asking the run to stop …");
    kernel.answer("stopping");
    await screen.pass();
    expect(screen.text(".rw-message")).toBe("The run has heard it. Whole steps are kept.");
    expect(screen.model.get("events")).toEqual([]);
    screen.button("Stopping …").click();
    await screen.pass(5000);
    expect(kernel.opened).toHaveLength(2);
  });

  it.each([
    ["without subshells", new FakeKernel(false)],
    ["that does not know the monitor", new FakeKernel()],
  ])("syncs the wish with a kernel %s, and says what else can be done", async (_, kernel) => {
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    kernel.answer("unknown");
    await screen.pass(100);
    expect(screen.model.get("events")).toMatchObject([{ type: "stop", seq: 1 }]);
    await screen.pass(1100);
    expect(screen.text(".rw-message")).toContain("Use the notebook's own stop button");
    screen.model.set("view", { ...VIEW, status: "stopping" });
    screen.model.set("acked_seq", 1);
    expect(screen.text(".rw-message")).toBe("The run has heard it. Whole steps are kept.");
  });

  it("does not wait for ever for a kernel that starts no subshell", async () => {
    const kernel = new FakeKernel();
    kernel.subshellStarted = new Promise(() => {});
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    expect(screen.model.get("events")).toEqual([]);
    await screen.pass(4100);
    expect(screen.model.get("events")).toMatchObject([{ type: "stop" }]);
  });

  it("takes an answer that comes late", async () => {
    const kernel = new FakeKernel();
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    await screen.pass(6000);
    expect(screen.text(".rw-message")).toContain("Use the notebook's own stop button");
    kernel.answer("stopping");
    await screen.pass();
    expect(screen.text(".rw-message")).toBe("The run has heard it. Whole steps are kept.");
  });

  it("works by synced values alone where there is no notebook", async () => {
    const screen = new Screen();
    await press(screen);
    expect(screen.model.get("events")).toMatchObject([{ type: "stop" }]);
  });

  it("takes its words back when the run is over, and offers to stop the next one", async () => {
    const screen = new Screen({}, {}, { widget_manager: { kernel: new FakeKernel() } });
    await press(screen);
    screen.show({ status: "stopped", outcome: "Kept." });
    expect(screen.text(".rw-message")).toBe("");
    screen.show({ status: "running", outcome: "" });
    expect(screen.button("Stop after this step").hidden).toBe(false);
  });

  it("offers nothing where a run cannot be stopped or has not begun", async () => {
    expect(new Screen({ can_stop: false }).get(".mo-stop").hidden).toBe(true);
    const screen = new Screen({ status: "waiting" });
    await press(screen);
    expect(screen.model.get("events")).toEqual([]);
  });

  it("takes no kernel from a host that has another kind", () => {
    expect(kernelOf({})).toBeNull();
    expect(kernelOf({ widget_manager: { kernel: {} } })).toBeNull();
    expect(kernelOf({ widget_manager: { kernel: null } })).toBeNull();
  });

  it("takes a refusal of the host as no answer", async () => {
    const kernel: Kernel = {
      supportsSubshells: true,
      createComm: () => {
        throw new Error("Comms are disabled on this kernel connection");
      },
    };
    expect(await askKernel(kernel, "x")).toBe("");
  });
});
