// What the comparing widget shows and sends. Mirrors rlhf_lab/widgets/comparison_views.py and the
// events of comparison_state.py.

import type { CardData, Interval, Model, Turn, WidgetEvent } from "../shared/protocol";

export type Choice = "A" | "B" | "tie";

export interface Item {
  key: string;
  turns: Turn[];
  cards: CardData[];
}

export interface Content {
  items: Item[];
  /** A name for what the page keeps for this annotator, lab and pair of versions. */
  store_key: string;
}

export interface Side {
  name: string;
  wins: number;
}

/** What is there once names may be seen; `rate` is the win rate of `first`. */
export interface Result {
  first: Side;
  second: Side;
  ties: number;
  skipped: number;
  done: number;
  total: number;
  /** Pairs that were drawn with different settings. */
  unlike: number;
  rate: Interval | null;
  verdict: "first" | "second" | "unclear" | null;
  /** How many comparisons this win rate would take to be told from one half. */
  needed: number | null;
}

export interface View {
  phase: "comparing" | "finished" | "empty" | "error";
  /** Keys of pairs judged or skipped, the latest last. */
  answered: string[];
  /** Keys of pairs that a redo brings back, the next one last. */
  undone: string[];
  /** The ids of the judgments of these pairs. */
  ids: Record<string, string>;
  /** What was chosen, for pairs that are to be judged again. */
  drafts: Record<string, Choice>;
  /** The pair that an undo brought back, and the id of that undo. */
  back: { item: string; event: string } | null;
  progress: { done: number; total: number };
  /** The win rate of whichever leads, as of at most some answers ago. */
  lead: Interval | null;
  result: Result | null;
}

export type ComparerEvent = WidgetEvent &
  (
    | { type: "submit"; item: string; choice: Choice; strength: null; seconds: number }
    | { type: "skip"; item: string; seconds: number }
    /** `of` is the id of the judgment that is meant, if the page knows it. */
    | { type: "undo" | "redo"; item: string; of?: string }
    | { type: "refresh" | "reveal" }
  );

export type ComparerModel = Model<View, Content, ComparerEvent>;
