// A page of the dashboard has no kernel, and nobody there types commands.

import { afterEach, describe, expect, it } from "vitest";
import { comparer, ranker, shared, tables, versions } from "../src/strings";

const shown = (): string =>
  [
    shared.waiting(0),
    shared.waiting(2),
    ...[ranker.empty, ranker.finished, comparer.empty, tables.empty("prompts")].flatMap(
      ({ text, code }) => [text, code],
    ),
    ranker.waiting.text,
    ranker.last.text,
    comparer.waiting.text,
    tables.busy,
    versions.waiting(),
    versions.undoHint,
    versions.details.evaluateCode,
  ].join("\n");

afterEach(() => {
  delete document.documentElement.dataset.host;
});

describe("words of the host", () => {
  it("speak of kernel and commands in a notebook", () => {
    expect(shared.waiting(1)).toBe(
      "The kernel is busy: 1 answer waits to be saved. Keep this page open. " +
        "If the kernel was restarted, run the cell again.",
    );
    expect(ranker.finished.code).toBe("lab.update_reward()");
    expect(tables.empty("responses").code).toBe("lab.generate()");
  });

  it("speak of neither in the dashboard", () => {
    document.documentElement.dataset.host = "dashboard";
    expect(shown()).not.toMatch(/kernel|cell|lab\.|Python/);
    expect(shared.waiting(2)).toBe(
      "The server does not answer: 2 answers wait to be saved. Keep this page open.",
    );
    expect(ranker.finished.text).toBe("Thank you. More comes here by itself.");
    expect(comparer.empty.code).toBe("");
  });
});
