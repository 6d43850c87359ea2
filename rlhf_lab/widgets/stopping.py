"""Stopping a run from its page while the kernel is busy with that very run.

A kernel handles one message of a page after the other, so what the stop button says would wait
for the cell to end. Kernels with subshells (ipykernel 7) have threads beside it that take further
messages. Whoever opens a comm chooses the thread that hears of it, so for each wish to stop the
page opens a comm of its own, and here is what answers it. Where a host cannot, its page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from comm import get_comm_manager
from comm.base_comm import BaseComm

from rlhf_lab.widgets.monitor_state import MonitorState

TARGET = "rlhf_lab.stop"
"""Mirrored in widgets/src/monitor/stopping.ts."""

_monitors: WeakValueDictionary[str, MonitorState] = WeakValueDictionary()


def hear_stops(state: MonitorState) -> None:
    """Let pages stop what this monitor shows."""
    _monitors[state.id] = state
    get_comm_manager().register_target(TARGET, answer)


def answer(comm: BaseComm, message: Mapping[str, Any]) -> None:
    """Ask a run to end and say where it is; called in whichever thread the kernel chose."""
    data = message.get("content", {}).get("data")
    asked = data.get("monitor") if isinstance(data, dict) else None
    state = _monitors.get(asked) if isinstance(asked, str) else None
    comm.close({"status": state.request_stop() if state else "unknown"})
