import { expect, it } from "vitest";
import type { Content, RankerEvent, View } from "../src/ranker/protocol";
import { EventQueue, uuid } from "../src/shared/queue";
import { content, FakeModel, view } from "./harness";

const skip = { type: "skip" as const, item: "one", comment: "", flags: [], seconds: 1 };

function start(acked_seq = 0) {
  const values = { view: view(), content: content(), acked_seq };
  const model = new FakeModel<View, Content, RankerEvent>(values);
  return { model, queue: new EventQueue(model) };
}

it("numbers events on from what Python acknowledged", () => {
  const { model, queue } = start(41);
  queue.push(skip);
  queue.push(skip);
  expect(model.get("events").map((event) => event.seq)).toEqual([42, 43]);
});

it("sends all that is not acknowledged, each time", () => {
  const { model, queue } = start();
  queue.push(skip);
  queue.push(skip);
  expect(model.sent.map((events) => events.length)).toEqual([1, 2]);
});

it("forgets what was acknowledged, and only that", () => {
  const { model, queue } = start();
  queue.push(skip);
  queue.push(skip);
  model.set("acked_seq", 1);
  queue.prune();
  expect(model.get("events").map((event) => event.seq)).toEqual([2]);
  queue.prune();
  expect(model.sent).toHaveLength(3);
});

it("sends an event again under the id that it had", () => {
  const { model, queue } = start();
  queue.push(skip, "sent-before");
  expect(model.get("events")).toMatchObject([{ seq: 1, id: "sent-before" }]);
});

it("gives every event its own id, also where crypto.randomUUID is missing", () => {
  const ids = Array.from({ length: 200 }, uuid);
  expect(new Set(ids).size).toBe(200);
  for (const id of ids) {
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  }
});
