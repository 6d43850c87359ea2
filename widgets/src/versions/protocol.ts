// What the tree of versions shows and sends. Mirrors rlhf_lab/widgets/versions_state.py.

import type { Interval, Model, WidgetEvent } from "../shared/protocol";

export interface Evaluation {
  baseline: string;
  win_rate: Interval;
  kl: number | null;
  reward: string | null;
  reward_gain: Interval | null;
  /** Whose opinion the win rate is, if it is known. */
  judge: string | null;
  made: string;
}

export interface Version {
  name: string;
  role: string;
  parent: string | null;
  trained_with: string[];
  metrics: Record<string, number | null>;
  /** Rankings that it, or the reward model it was trained with, learned from. */
  judgments: number | null;
  /** How many events the record of judgments had when it was made. */
  record: number | null;
  accuracy: Interval | null;
  /** The latest against each baseline by each judge; the last made at the end. */
  evaluations: Evaluation[];
  made: string;
}

export interface Content {
  versions?: Version[];
}

export interface View {
  phase: "ready" | "empty" | "error";
  present: string[];
  /** Asked for, and present as soon as another process gets to it. */
  awaited: string[];
  /** Where undo leads. */
  undo: string | null;
  /** What was present before the last checkout made here, without what is present now. */
  back: string[];
  /** The two that were compared last, or none. */
  compared: string[];
  /** Whether the lab has something to say of two. */
  can_compare: boolean;
  /** The page that compares two, in a host that has pages in the place of cells. */
  evaluate_page: string | null;
}

/** `present` is what the page shows as present: on anything else the event must not act. */
export interface MoveEvent extends WidgetEvent {
  type: "checkout" | "undo" | "back";
  name: string;
  present: string[];
}

export interface CompareEvent extends WidgetEvent {
  type: "compare";
  first: string;
  second: string;
}

export interface RefreshEvent extends WidgetEvent {
  type: "refresh";
}

export type TreeEvent = MoveEvent | CompareEvent | RefreshEvent;

export type TreeModel = Model<View, Content, TreeEvent>;
