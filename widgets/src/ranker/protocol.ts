// What the ranking widget shows and sends. Mirrors rlhf_lab/widgets/ranking_state.py.

import type { Model, WidgetEvent } from "../shared/protocol";

export interface Turn {
  role: string;
  html: string;
}

export interface CardData {
  letter: string;
  html: string;
}

export interface Item {
  key: string;
  turns: Turn[];
  cards: CardData[];
  /** A draft to start from: the ranks of a judgment that was just taken back. */
  ranks: number[] | null;
}

export interface View {
  phase: "ranking" | "finished" | "empty" | "error";
  item: Item | null;
  progress: { done: number; total: number };
}

export type Content = Record<string, never>;

export interface RankerEvent extends WidgetEvent {
  type: "submit" | "skip" | "undo" | "refresh";
  item: string;
  ranks: number[];
  seconds: number;
}

export type RankerModel = Model<View, Content, RankerEvent>;
