// The training monitor: what it shows of a run.

import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Alarm } from "../src/monitor/protocol";
import { PAGE } from "../src/monitor/table";
import { CONTENT, Screen, useTimers } from "./monitor-screen";

vi.mock("uplot", () => ({ default: class {} }));

beforeEach(useTimers);

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
    expect(screen.readings).toEqual(["−0.500", "2.00 s", "12.3 s"]);
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
    expect(screen.readings[0]).toBe("−0.500");
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
      ["10", "−0.500", "", "12.3 s"],
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
