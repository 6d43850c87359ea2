// Ending a run, with a kernel that is busy with it or without one.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { askKernel, type Kernel, kernelOf, TARGET } from "../src/monitor/stopping";
import { Screen, useTimers, VIEW } from "./monitor-screen";

vi.mock("uplot", () => ({ default: class {} }));

beforeEach(useTimers);

/** A kernel with subshells, as JupyterLab has it. */
class FakeKernel implements Kernel {
  readonly supportsSubshells: boolean;
  readonly opened: unknown[] = [];
  onClose: (message: object) => unknown = () => null;
  subshellStarted: Promise<unknown> = Promise.resolve();

  constructor(supportsSubshells = true) {
    this.supportsSubshells = supportsSubshells;
  }

  createComm(target: string): FakeKernel {
    this.opened.push(target);
    return this;
  }

  open(data: object): void {
    this.opened.push(data);
  }

  answer(status: string): void {
    this.onClose({ content: { data: { status } } });
  }
}

describe("stopping", () => {
  const press = async (screen: Screen): Promise<void> => {
    screen.button("Stop after this step").click();
    await screen.pass();
  };

  it("reaches a busy kernel by a comm of its own, and syncs nothing then", async () => {
    const kernel = new FakeKernel();
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    expect(kernel.opened).toEqual([TARGET, { monitor: "monitor-1" }]);
    expect(screen.button("Stopping …").getAttribute("aria-disabled")).toBe("true");
    expect(screen.text(".rw-message")).toBe("Asking the run to stop …");
    kernel.answer("stopping");
    await screen.pass();
    expect(screen.text(".rw-message")).toBe("The run has heard it. Whole steps are kept.");
    expect(screen.model.get("events")).toEqual([]);
    screen.button("Stopping …").click();
    await screen.pass(5000);
    expect(kernel.opened).toHaveLength(2);
  });

  it.each([
    ["without subshells", new FakeKernel(false)],
    ["that does not know the monitor", new FakeKernel()],
  ])("syncs the wish with a kernel %s, and says what else can be done", async (_, kernel) => {
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    kernel.answer("unknown");
    await screen.pass(100);
    expect(screen.model.get("events")).toMatchObject([{ type: "stop", seq: 1 }]);
    await screen.pass(1100);
    expect(screen.text(".rw-message")).toContain("Use the notebook's own stop button");
    screen.model.set("view", { ...VIEW, status: "stopping" });
    screen.model.set("acked_seq", 1);
    expect(screen.text(".rw-message")).toBe("The run has heard it. Whole steps are kept.");
  });

  it("does not wait for ever for a kernel that starts no subshell", async () => {
    const kernel = new FakeKernel();
    kernel.subshellStarted = new Promise(() => {});
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    expect(screen.model.get("events")).toEqual([]);
    await screen.pass(4100);
    expect(screen.model.get("events")).toMatchObject([{ type: "stop" }]);
  });

  it("takes an answer that comes late", async () => {
    const kernel = new FakeKernel();
    const screen = new Screen({}, {}, { widget_manager: { kernel } });
    await press(screen);
    await screen.pass(6000);
    expect(screen.text(".rw-message")).toContain("Use the notebook's own stop button");
    kernel.answer("stopping");
    await screen.pass();
    expect(screen.text(".rw-message")).toBe("The run has heard it. Whole steps are kept.");
  });

  it("works by synced values alone where there is no notebook", async () => {
    const screen = new Screen();
    await press(screen);
    expect(screen.model.get("events")).toMatchObject([{ type: "stop" }]);
  });

  it("takes its words back when the run is over, and offers to stop the next one", async () => {
    const screen = new Screen({}, {}, { widget_manager: { kernel: new FakeKernel() } });
    await press(screen);
    screen.show({ status: "stopped", outcome: "Kept." });
    expect(screen.text(".rw-message")).toBe("");
    screen.show({ status: "running", outcome: "" });
    expect(screen.button("Stop after this step").hidden).toBe(false);
  });

  it("offers nothing where a run cannot be stopped or has not begun", async () => {
    expect(new Screen({ can_stop: false }).get(".mo-stop").hidden).toBe(true);
    const screen = new Screen({ status: "waiting" });
    await press(screen);
    expect(screen.model.get("events")).toEqual([]);
  });

  it("takes no kernel from a host that has another kind", () => {
    expect(kernelOf({})).toBeNull();
    expect(kernelOf({ widget_manager: { kernel: {} } })).toBeNull();
    expect(kernelOf({ widget_manager: { kernel: null } })).toBeNull();
  });

  it("takes a refusal of the host as no answer", async () => {
    const kernel: Kernel = {
      supportsSubshells: true,
      createComm: () => {
        throw new Error("Comms are disabled on this kernel connection");
      },
    };
    expect(await askKernel(kernel, "x")).toBe("");
  });
});
