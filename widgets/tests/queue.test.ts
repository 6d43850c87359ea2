import { afterEach, describe, expect, it } from "vitest";
import type { Content, RankerEvent, View } from "../src/ranker/protocol";
import { EventQueue, numbering, uuid } from "../src/shared/queue";
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

describe("two windows on one widget", () => {
  afterEach(() => {
    Object.assign(numbering, { step: 1, window: 0 });
  });

  /** The synced values are those of this window; what the other one does comes as they change. */
  function windowed(acked_seq = 0) {
    Object.assign(numbering, { step: 1000, window: 7 });
    const { model, queue } = start(acked_seq);
    const ids = () => model.get("events").map(({ seq, id }) => `${id} ${seq}`);
    return { model, queue, ids };
  }

  it("give no number twice", () => {
    const { queue, ids } = windowed(41_003);
    queue.push(skip, "a");
    queue.push(skip, "b");
    expect(ids()).toEqual(["a 42007", "b 43007"]);
  });

  it("lose nothing to an acknowledgement of what the other sent: it is sent again", () => {
    const { model, queue, ids } = windowed();
    queue.push(skip, "a");
    queue.push(skip, "b");
    model.set("acked_seq", 5_003);
    queue.prune();
    expect(ids()).toEqual(["a 6007", "b 7007"]);
    model.set("acked_seq", 7_007);
    queue.prune();
    expect(queue.pending).toEqual([]);
    expect(ids()).toEqual([]);
  });

  it("lose nothing where the host shows one what the other sent", () => {
    const { model, queue, ids } = windowed();
    queue.push(skip, "a");
    model.set("events", [{ ...skip, seq: 1_003, id: "x" }]);
    model.set("acked_seq", 1_003);
    queue.prune();
    expect(ids()).toEqual(["a 1007"]);
  });

  it("take up what a page sent before it was loaded again", () => {
    const { model, queue, ids } = windowed();
    model.set("events", [{ ...skip, seq: 8_003, id: "x" }]);
    expect(queue.pending).toMatchObject([{ id: "x" }]);
    queue.push(skip, "a");
    expect(ids()).toEqual(["x 9007", "a 10007"]);
    model.set("acked_seq", 10_007);
    queue.prune();
    expect(queue.pending).toEqual([]);
  });
});
