// What passes between Python and the page. Mirrors rlhf_lab/widgets/ranking_state.py.

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

export interface Notice {
  id: number;
  tone: "info" | "error";
  text: string;
}

export interface View {
  phase: "ranking" | "finished" | "empty" | "error";
  item: Item | null;
  progress: { done: number; total: number };
  notice: Notice | null;
}

export interface RankerEvent {
  seq: number;
  id: string;
  type: "submit" | "skip" | "undo" | "refresh";
  item: string;
  ranks: number[];
  seconds: number;
}

/** The synced values; the same in every host. */
export interface Traits {
  view: View;
  acked_seq: number;
  events: RankerEvent[];
}

/** The part of a host's model that is used: what both anywidget and Panel offer. */
export interface Model {
  get<K extends keyof Traits>(key: K): Traits[K];
  set<K extends keyof Traits>(key: K, value: Traits[K]): void;
  save_changes(): void;
  on(event: `change:${keyof Traits}`, callback: () => void): void;
  off(event: `change:${keyof Traits}`, callback: () => void): void;
}
