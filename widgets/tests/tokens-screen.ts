// A token view on the screen, and reports made by hand.

import type { Traits } from "../src/shared/protocol";
import tokens from "../src/tokens";
import type { Content, Report, TokenEvent, View } from "../src/tokens/protocol";
import { WidgetScreen } from "./screen";

// Three tokens whose numbers tests/training/test_credit.py works out by hand.
export function report(changes: Partial<Report> = {}): Report {
  return {
    name: "r1",
    written_by: "policy@0",
    turns: [{ role: "user", html: "<p>Tea?</p>" }],
    ids: [65, 66, 2],
    kinds: ["text", "text", "special"],
    texts: ["Yes", "\n", "<|im_end|>"],
    wholes: ["", "", ""],
    figures: {
      logp: [-1, -2, -0.5],
      ref_logp: [-1.5, -1, -0.5],
      log_ratio: [0.5, -1, 0],
      kl: [0.1065307, 0.7182818, 0],
      value: [0.5, 0.25, 1],
      reward: [-0.15, 0.3, 2],
      advantage: [0.7774, 1.67, 1],
      return: [1.2774, 1.92, 2],
    },
    left_out: [],
    ended: true,
    score: 2,
    settings: { kl_coef: 0.3, temperature: 0.8, gamma: 0.9, lam: 0.8 },
    policy: "policy@1",
    reward: "reward@2",
    ...changes,
  };
}

export function unscored(): Report {
  const figures = { ...report().figures, value: null, advantage: null, return: null };
  const reason = "policy@0 keeps no value role: lab.ppo() trains one.";
  return report({
    figures,
    left_out: [{ figures: ["value", "advantage", "return"], reason }],
  });
}

export class Screen extends WidgetScreen<View, Content, TokenEvent> {
  constructor(
    responses: Report[] = [report()],
    view: Partial<View> = {},
    traits: Partial<Traits<View, Content, TokenEvent>> = {},
  ) {
    super(tokens, {
      ...traits,
      content: { responses },
      view: { phase: "ready", shown: 0, figure: "log_ratio", ...view },
    });
  }

  get tokens(): HTMLElement[] {
    return this.all("[role=option]");
  }

  token(index: number): HTMLElement {
    const found = this.tokens[index];
    if (!found) throw new Error(`no token ${index}`);
    return found;
  }

  get levels(): (string | undefined)[] {
    return this.tokens.map((token) => token.dataset.level);
  }

  /** The row of a figure: this token, sum, mean. */
  row(name: string): string[] {
    const row = this.all(".tk-figures tbody tr").find((each) => each.textContent?.startsWith(name));
    return [...(row?.querySelectorAll("td") ?? [])].map((cell) => cell.textContent ?? "");
  }

  get figure(): string | undefined {
    return this.all(".tk-controls input")
      .find((input) => (input as HTMLInputElement).checked)
      ?.parentElement?.textContent?.slice(1);
  }
}
