// What the training monitor shows and sends. Mirrors rlhf_lab/widgets/monitor_state.py.

import type { Model, WidgetEvent } from "../shared/protocol";

export type Form = "number" | "signed" | "percent" | "seconds" | "count";

export interface Curve {
  name: string;
  label: string;
}

export interface ChartData {
  title: string;
  curves: Curve[];
  unit: string;
  form: Form;
  target: number | null;
  about: string;
}

export type Column = (number | null)[];

/** Steps, and a value or null for each series at each of them. */
export interface Points {
  steps: number[];
  values: Record<string, Column>;
}

export interface Sample {
  prompt: string;
  before: string | null;
  before_version: string;
  now: string;
  step: number;
  score: number | null;
}

export interface Alarm {
  name: string;
  message: string;
  first: number;
  last: number;
  times: number;
}

/** The points up to some step, and what does not change. */
export interface Content extends Points {
  id: string;
  title: string;
  charts: ChartData[];
  phases: Record<string, string>;
  stop_note: string;
  /** Which base these points are; a view tells which one it continues. */
  base: number;
  samples: Sample[];
}

export type Status = "waiting" | "running" | "stopping" | "finished" | "stopped" | "failed";

/** The points since then, and how the run is. */
export interface View extends Points {
  base: number;
  status: Status;
  phase: string;
  done: number;
  total: number;
  seconds: number;
  left: number | null;
  alarms: Alarm[];
  can_stop: boolean;
  outcome: string;
}

export interface MonitorEvent extends WidgetEvent {
  type: "stop";
}

export type MonitorModel = Model<View, Content, MonitorEvent>;
