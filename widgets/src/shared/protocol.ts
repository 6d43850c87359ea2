// What passes between Python and the page, for every widget. Mirrors rlhf_lab/widgets/state.py.

/** Something a person did. `seq` orders the events of a page; `id` makes one sent again the same. */
export interface WidgetEvent {
  seq: number;
  id: string;
  type: string;
}

/** A turn of a conversation, as HTML that Python has sanitised. */
export interface Turn {
  role: string;
  html: string;
}

/** A response on a card. */
export interface CardData {
  letter: string;
  html: string;
  /** The response as it is, for editing and comparing; never put in as HTML. */
  text: string;
}

/** A share with its 95% interval. */
export interface Interval {
  estimate: number;
  low: number;
  high: number;
  n: number;
}

/** Something to tell the person; `id` grows, so that the same text twice is told twice. */
export interface Notice {
  id: number;
  tone: "info" | "error";
  text: string;
}

/** The synced values; the same in every host and for every widget. */
export interface Traits<View, Content, Sent extends WidgetEvent> {
  /** What is large and changes seldom. */
  content: Content;
  /** What is small and may change with every event. */
  view: View;
  notice: Notice | null;
  /** From Python: every event up to this number has been dealt with. */
  acked_seq: number;
  /** From the page: the events that are not acknowledged yet. */
  events: Sent[];
}

/** The part of a host's model that is used: what both anywidget and Panel offer. */
export interface Model<View = unknown, Content = unknown, Sent extends WidgetEvent = WidgetEvent> {
  get<K extends keyof Traits<View, Content, Sent>>(key: K): Traits<View, Content, Sent>[K];
  set<K extends keyof Traits<View, Content, Sent>>(
    key: K,
    value: Traits<View, Content, Sent>[K],
  ): void;
  save_changes(): void;
  on(event: Change, callback: () => void): void;
  off(event: Change, callback: () => void): void;
}

export type Change = `change:${keyof Traits<unknown, unknown, WidgetEvent>}`;
