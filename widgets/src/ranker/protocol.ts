// What the ranking widget shows and sends. Mirrors rlhf_lab/widgets/ranking_state.py.

import type { Model, WidgetEvent } from "../shared/protocol";

/** How much better the better one of two is. */
export type Strength = "negligibly" | "slightly" | "clearly" | "much";

/** The flag of an item whose responses are all bad; such an item has a rank for none of them. */
export const ALL_BAD = "all bad";

export interface Turn {
  role: string;
  html: string;
}

export interface CardData {
  letter: string;
  html: string;
  /** The response as it is, for editing and comparing; never put in as HTML. */
  text: string;
}

/** What was said of the responses of an item; one entry of `ratings` for each card. */
export interface Said {
  strength: Strength | null;
  ratings: Record<string, number>[];
  comment: string;
  flags: string[];
}

/** What to start from, after an undo. */
export interface DraftData extends Said {
  ranks: number[] | null;
}

export interface Item {
  /** The same for the same candidates, also after a restart of the kernel. */
  key: string;
  turns: Turn[];
  cards: CardData[];
  draft: DraftData | null;
}

export interface Content {
  /** The items handed out, in the order in which to rank them. */
  items: Item[];
  /** What each response may be rated on, from 1 to 5. */
  criteria: string[];
  flags: string[];
  /** Whether a response may be edited into a demonstration. */
  editing: boolean;
  /** Where unsent answers are kept; the same after a restart of the kernel. */
  store_key: string;
}

/** What the reward model says of the item judged last. */
export interface Reveal {
  item: string;
  /** Letters, best first: "B > A = C". */
  order: string;
  /** The share of the ordered pairs on which the person and the model agree. */
  agrees: number | null;
  text: string;
}

export interface View {
  phase: "ranking" | "finished" | "empty" | "error";
  /** Keys in `content.items` that are judged or skipped. */
  answered: string[];
  /** The item that Python has first; empty without one. */
  current: string;
  progress: { done: number; total: number };
  /** Median seconds for an item. */
  pace: number | null;
  reveal: Reveal | null;
  /** Ids of those of the latest events whose answer was not saved. */
  unsaved?: string[];
}

interface About extends WidgetEvent {
  item: string;
}

export interface SubmitEvent extends About, Said {
  type: "submit";
  ranks: number[];
  seconds: number;
}

export interface SkipEvent extends About {
  type: "skip";
  comment: string;
  flags: string[];
  seconds: number;
}

export interface StepEvent extends About {
  type: "undo" | "redo";
  /** The id of the event that it takes back, where the page knows it. */
  of?: string;
}

export interface DemonstrateEvent extends About {
  type: "demonstrate";
  card: number;
  text: string;
  seconds: number;
}

export interface RefreshEvent extends WidgetEvent {
  type: "refresh";
}

export type RankerEvent = SubmitEvent | SkipEvent | StepEvent | DemonstrateEvent | RefreshEvent;

export type RankerModel = Model<View, Content, RankerEvent>;
