// What the token view shows and sends. Mirrors rlhf_lab/widgets/tokens_state.py.

import type { Model, Turn, WidgetEvent } from "../shared/protocol";

/** The figures that colour the tokens, in the order of their keys. */
export const FIGURES = ["log_ratio", "kl", "value", "advantage", "reward"] as const;
export type Figure = (typeof FIGURES)[number];

/** All figures of a token, in the order of the table. */
export const COLUMNS = [
  "logp",
  "ref_logp",
  "log_ratio",
  "kl",
  "value",
  "reward",
  "advantage",
  "return",
] as const;
export type Column = (typeof COLUMNS)[number];

export type Kind = "text" | "special" | "bytes";

/** null is what JSON cannot hold: NaN or an infinity. */
export type Numbers = (number | null)[];

/** One response, in columns: one entry for each token. */
export interface Report {
  name: string;
  written_by: string | null;
  turns: Turn[];
  ids: number[];
  kinds: Kind[];
  /** Plain and hostile: goes into the page as text alone. */
  texts: string[];
  wholes: string[];
  figures: Record<Column, Numbers | null>;
  left_out: { figures: Column[]; reason: string }[];
  ended: boolean;
  score: number | null;
  settings: { kl_coef: number; temperature: number; gamma: number; lam: number };
  policy: string;
  reward: string | null;
}

export interface Content {
  responses: Report[];
}

export interface View {
  phase: "ready" | "empty" | "loading" | "error";
  shown: number;
  figure: Figure;
}

export interface TokenEvent extends WidgetEvent {
  type: "show";
  shown: number;
  figure: Figure;
}

export type TokenModel = Model<View, Content, TokenEvent>;
