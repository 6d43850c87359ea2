// A tree of versions on the screen, and versions made by hand.

import type { Interval, Notice, Traits } from "../src/shared/protocol";
import versions from "../src/versions";
import type { Content, Evaluation, TreeEvent, Version, View } from "../src/versions/protocol";
import { WidgetScreen } from "./screen";

export function version(name: string, parent: string | null = null, changes = {}): Version {
  return {
    name,
    role: name.split("@")[0] ?? "",
    parent,
    trained_with: [],
    metrics: {},
    judgments: null,
    record: null,
    accuracy: null,
    evaluations: [],
    made: "2026-03-02T12:00:00+00:00",
    ...changes,
  };
}

export function interval(estimate: number, half = 0.08, n = 64): Interval {
  return { estimate, low: estimate - half, high: estimate + half, n };
}

export function evaluation(baseline: string, win_rate: Interval): Evaluation {
  const made = "2026-03-02T13:00:00+00:00";
  return { baseline, win_rate, kl: 1, reward: null, reward_gain: null, judge: null, made };
}

/** Policies by number and parent, as in { 1: 0, 2: 1 }; policy@0 is the start. */
export function policies(parents: Record<number, number>): Version[] {
  const made = Object.entries(parents).map(([number, parent]) =>
    version(`policy@${number}`, `policy@${parent}`),
  );
  return [version("policy@0"), ...made];
}

/** 0 → 1 → 2 → (3, 4 → 5), 1 → 6; rewards 0 → 1. Present: policy@5 with reward@1. */
export function sample(): Version[] {
  const made = policies({ 1: 0, 2: 1, 3: 2, 4: 2, 5: 4, 6: 1 });
  const figures = { metrics: { score: 0.5, kl: 4.25, steps: 8 }, judgments: 58 };
  return [
    ...made.map((one) => (one.parent ? { ...one, ...figures, trained_with: ["reward@1"] } : one)),
    version("reward@0", null, { accuracy: interval(0.61), metrics: { loss: 0.69 }, judgments: 24 }),
    version("reward@1", "reward@0", { accuracy: interval(0.67), judgments: 58 }),
  ];
}

export function view(changes: Partial<View> = {}): View {
  return {
    phase: "ready",
    present: ["policy@5", "reward@1"],
    awaited: [],
    undo: "policy@4",
    back: [],
    compared: [],
    can_compare: true,
    evaluate_page: null,
    ...changes,
  };
}

export class Screen extends WidgetScreen<View, Content, TreeEvent> {
  constructor(
    all: Version[] = sample(),
    start: View = view(),
    traits: Partial<Traits<View, Content, TreeEvent>> = {},
  ) {
    super(versions, { view: start, content: { versions: all }, ...traits });
  }

  row(name: string): HTMLElement {
    return this.get(`[data-name="${name}"]`);
  }

  get names(): (string | undefined)[] {
    return this.all("[role=treeitem]").map((row) => row.dataset.name);
  }

  protected override isLabelled(button: HTMLButtonElement, label: string): boolean {
    return button.textContent?.startsWith(label) ?? false;
  }

  get focused(): string | null {
    return document.activeElement?.getAttribute("data-name") ?? null;
  }

  get panel(): string {
    return this.get(".rv-panel").textContent ?? "";
  }

  /** What Python does: acknowledge all, then show what is so now. */
  answer(next: View, notice: Notice | null = null, all?: Version[]): void {
    const last = this.events.at(-1)?.seq ?? this.model.get("acked_seq");
    if (all) this.model.set("content", { versions: all });
    this.model.set("view", next);
    if (notice) this.model.set("notice", notice);
    this.model.set("acked_seq", last);
  }
}

/** A person who begins at a version. */
export function start(name = "policy@5", screen = new Screen()): Screen {
  screen.row(name).focus();
  screen.row(name).click();
  return screen;
}
