"""Stopping a run while the kernel is busy with it, in a real kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from rlhf_lab.widgets import MonitorState, stopping
from tests.browser.jupyter import ROOT
from tests.widgets.test_monitor_state import CHARTS

PATIENCE = 90
SETUP = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from rlhf_lab.widgets import MonitorState, MonitorWidget
asked = []
state = MonitorState([], title="Run", on_stop=lambda: asked.append(1))
widget = MonitorWidget(state)
print(state.id)
"""
BUSY = """
state.started(done=0, total=500)
steps = 0
while not asked and steps < 500:
    time.sleep(0.1)
    steps += 1
    state.add(steps, {}, done=steps)
    print(steps, flush=True)
print("ended with", steps, state.status)
"""


class Page:
    """What JupyterLab sends: a comm opened in a subshell, and nothing that the main shell hears."""

    def __init__(self, client: BlockingKernelClient):
        self.client = client

    def run(self, code: str) -> None:
        """Start a cell."""
        self.client.execute(code)

    def until(self, wanted) -> dict:
        """The next message of the kernel that is wanted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "error":
                pytest.fail("\n".join(message["content"]["traceback"]))
            if wanted(message):
                return message
        pytest.fail("no such message")

    def printed(self, start: str = "") -> str:
        """The next line that a cell prints and that starts so."""
        found = self.until(lambda m: m["msg_type"] == "stream" and start in m["content"]["text"])
        return found["content"]["text"].strip()

    def subshell(self) -> str:
        """Make one, by the control channel, which a busy kernel hears."""
        request = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(request)
        reply = self.client.get_control_msg(timeout=PATIENCE)
        return reply["content"]["subshell_id"]

    def open(self, monitor: str, subshell: str | None) -> str:
        """Open a comm of the target; its id."""
        comm = uuid4().hex
        content = {"comm_id": comm, "target_name": stopping.TARGET, "data": {"monitor": monitor}}
        message = self.client.session.msg("comm_open", content)
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return comm

    def closing(self, comm: str) -> dict:
        """What the kernel closes that comm with."""
        found = self.until(
            lambda m: m["msg_type"] == "comm_close" and m["content"]["comm_id"] == comm
        )
        return found["content"]["data"]


@contextmanager
def kernel() -> Iterator[Page]:
    manager, client = start_new_kernel(startup_timeout=PATIENCE)
    try:
        yield Page(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_busy_kernel_hears_a_comm_in_a_subshell_and_ends_after_the_step():
    with kernel() as page:
        page.run(SETUP)
        monitor = page.printed()
        page.run(BUSY)
        page.printed("3")
        began = time.monotonic()
        comm = page.open(monitor, page.subshell())
        assert page.closing(comm) == {"status": "stopping"}
        answered = time.monotonic() - began
        ended = page.printed("ended with")
        assert ended.endswith("stopping")
        assert int(ended.split()[2]) < 500
        # Some 10 ms for the answer where this was written; the rest is the step's own time.
        assert answered < 10


@pytest.mark.slow
def test_an_interrupt_ends_the_same_cell():
    with kernel() as page:
        page.run(SETUP)
        page.printed()
        page.run(
            "try:\n    while True: time.sleep(0.1); print('x', flush=True)\n"
            "except KeyboardInterrupt: print('interrupted')"
        )
        page.printed("x")
        page.client.control_channel.send(page.client.session.msg("interrupt_request", {}))
        assert page.printed("interrupted")


# Without a kernel


class Comm:
    closed: dict | None = None

    def close(self, data):
        self.closed = data


def asked(state: MonitorState | None, data) -> dict | None:
    comm = Comm()
    if state is not None:
        stopping.hear_stops(state)
    stopping.answer(comm, {"content": {"data": data}})
    return comm.closed


def test_a_running_run_is_asked_and_others_say_where_they_are():
    asked_for = []
    state = MonitorState(CHARTS, title="PPO", on_stop=lambda: asked_for.append(1))
    assert asked(state, {"monitor": state.id}) == {"status": "waiting"}
    state.started(done=0, total=2)
    assert asked(state, {"monitor": state.id}) == {"status": "stopping"}
    assert asked_for == [1]
    state.ended("stopped", "Kept.")
    assert asked(state, {"monitor": state.id}) == {"status": "stopped"}


@pytest.mark.parametrize("data", [None, {}, {"monitor": 7}, {"monitor": "another"}, "text"])
def test_what_names_no_monitor_stops_nothing(data):
    assert asked(None, data) == {"status": "unknown"}


def test_a_monitor_that_nobody_holds_is_forgotten():
    state = MonitorState(CHARTS, title="PPO", on_stop=lambda: None)
    stopping.hear_stops(state)
    gone = state.id
    del state
    import gc

    gc.collect()
    assert asked(None, {"monitor": gone}) == {"status": "unknown"}
