// A training monitor on the screen, and a run made by hand.

import { vi } from "vitest";
import monitor from "../src/monitor";
import type { Content, MonitorEvent, View } from "../src/monitor/protocol";
import { WidgetScreen } from "./screen";

export const CONTENT: Content = {
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

export const VIEW: View = {
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

export class Screen extends WidgetScreen<View, Content, MonitorEvent> {
  constructor(view: Partial<View> = {}, content: Partial<Content> = {}, extra: object = {}) {
    super(monitor, { view: { ...VIEW, ...view }, content: { ...CONTENT, ...content } }, extra);
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

/** Time goes on only where a test says so. */
export function useTimers(): () => void {
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
}
