// Responses of the present step beside what the policy said before the run.

import { fromSafeHtml, h, keepingFocus, makePartsReachable, makeReachable } from "../shared/dom";
import { markdown } from "../shared/markdown";
import { monitor as strings } from "../strings";
import { written } from "./format";
import type { Sample } from "./protocol";

export class Samples {
  readonly element = h("details", { class: "mo-samples", hidden: true });
  private readonly summary = h("summary");
  private readonly list = h("div", { class: "mo-sample-list" });
  private shown = "";

  constructor() {
    this.element.append(this.summary, this.list);
    this.element.open = true;
    this.element.addEventListener("toggle", () => this.measure());
  }

  /** After the layout changed. */
  measure(): void {
    const texts = [...this.list.querySelectorAll<HTMLElement>(".mo-text")];
    makeReachable(...texts.map((text): [HTMLElement, string] => [text, labelOf(text)]));
    for (const prompt of this.list.querySelectorAll<HTMLElement>(".mo-prompt")) {
      makePartsReachable(prompt);
    }
  }

  show(samples: readonly Sample[]): void {
    const key = JSON.stringify(samples);
    if (key === this.shown) return;
    this.shown = key;
    this.element.hidden = samples.length === 0;
    this.summary.textContent = strings.samples(samples[0]?.step ?? 0);
    keepingFocus(
      this.element,
      () => this.list.replaceChildren(...samples.map(element)),
      () => this.summary,
    );
    this.measure();
  }
}

function labelOf(text: HTMLElement): string {
  return text.parentElement?.querySelector("h4 > span")?.textContent ?? "";
}

function element(sample: Sample): HTMLElement {
  const score = sample.score === null ? "" : written(sample.score, "signed");
  const answers = [answer(strings.now(sample.step), sample.now, score)];
  if (sample.before !== null) {
    answers.unshift(answer(strings.before(sample.before_version), sample.before, ""));
  }
  return h(
    "article",
    { class: "mo-sample" },
    fromSafeHtml("mo-prompt rw-md", sample.prompt),
    h("div", { class: "mo-answers" }, ...answers),
  );
}

function answer(label: string, html: string, score: string): HTMLElement {
  const body = markdown("mo-text", html);
  const told = score ? [h("span", { class: "mo-score" }, strings.score(score))] : [];
  return h("div", { class: "mo-answer" }, h("h4", {}, h("span", {}, label), ...told), body);
}
