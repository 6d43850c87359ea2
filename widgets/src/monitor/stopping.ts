// Reaching a kernel that is busy with the very cell whose run shall end.
//
// What a widget syncs waits for the cell. JupyterLab's kernel connection can do better where the
// kernel has subshells: a comm of a target of its own is heard in a thread of its own. The target
// is answered by rlhf_lab/widgets/stopping.py, which closes the comm with where the run is.

export const TARGET = "rlhf_lab.stop";

interface Closing {
  content?: { data?: { status?: unknown } };
}

interface KernelComm {
  open(data: { monitor: string }): unknown;
  onClose: (message: Closing) => unknown;
  readonly subshellStarted?: Promise<unknown>;
}

/** The part of JupyterLab's `Kernel.IKernelConnection` that is used. */
export interface Kernel {
  readonly supportsSubshells?: boolean;
  createComm(target: string): KernelComm;
}

/** The kernel behind a widget, where the host has subshells for it; null elsewhere. */
export function kernelOf(model: unknown): Kernel | null {
  const manager = (model as { widget_manager?: { kernel?: unknown } }).widget_manager;
  const kernel = manager?.kernel as Kernel | null | undefined;
  return kernel?.supportsSubshells && typeof kernel.createComm === "function" ? kernel : null;
}

/** Ask the kernel to end a monitor's run; its answer, "" where it cannot be asked. */
export async function askKernel(kernel: Kernel, monitor: string): Promise<string> {
  try {
    const comm = kernel.createComm(TARGET);
    await comm.subshellStarted;
    return await new Promise((resolve) => {
      comm.onClose = (message) => resolve(String(message.content?.data?.status ?? "unknown"));
      comm.open({ monitor });
    });
  } catch {
    return ""; // a host that refuses is as one that has no kernel: the other way is tried
  }
}
