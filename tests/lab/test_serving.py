"""`lab.dashboard()`: a real server beside the process that asked for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError, DashboardError
from rlhf_lab.lab import serving
from rlhf_lab.lab.serving import Dashboard

QUIET = ("--no-worker",)

NOTEBOOK = """
import json, signal, sys
from rlhf_lab import Lab

# What runs in the background of a shell is told to ignore it, and so are its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
lab = Lab(sys.argv[1], progress=False)
board = lab.dashboard(options=["--no-worker"], patience=120)
heavy = sorted({"panel", "bokeh", "torch"} & set(sys.modules))
try:  # once it has told, an interrupt may come at any moment
    print(json.dumps({"url": board.url, "pid": board.pid, "heavy": heavy}), flush=True)
    sys.stdin.readline()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("served") / "lab", progress=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def board(lab: Lab) -> Iterator[Dashboard]:
    with lab.dashboard(options=QUIET, patience=120) as served:
        yield served


def health(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
        return json.load(answer)


def ended(pid: int, seconds: float = 30) -> bool:
    """Whether a process that is not our child is gone by then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that serves a lab, and waits, as a kernel does."""
    process = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK, str(tmp_path / "lab")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.kill()


def test_it_serves_this_lab_for_this_machine_alone(lab, board):
    assert health(board.url)["status"] == "ok"
    assert board.url.startswith("http://127.0.0.1:")
    assert board.running
    assert repr(board) == f"Dashboard({str(lab.path)!r}, {board.url})"


def test_it_shows_links_to_the_dashboard_and_to_the_first_account(board):
    shown = board._repr_html_()
    assert board.admin_link.startswith(f"{board.url}/invite/")
    for url in (board.url, board.admin_link):
        assert f"<a href='{url}' target='_blank' rel='noopener noreferrer'>{url}</a>" in shown


def test_asked_twice_it_is_the_one_that_runs(lab, board):
    assert lab.dashboard() is board
    with Lab(lab.path, progress=False) as again:
        assert again.dashboard() is board


def test_asked_otherwise_it_says_that_one_runs(lab, board):
    with pytest.raises(ConfigError, match=rf"{board.url} serves this lab already.*stop it first"):
        lab.dashboard(port=board_port(board) + 1)


def board_port(board: Dashboard) -> int:
    return int(board.url.rpartition(":")[2])


def test_links_that_let_somebody_in_are_for_the_owner_alone(board):
    assert board.log.parent.stat().st_mode & 0o077 == 0


def test_the_server_knows_its_lab_and_what_it_said_is_in_the_log(board):
    lines = board.log.read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert "listening" in events


def test_stopped_it_is_gone_and_leaves_nothing_behind(lab, board):
    board.stop()
    board.stop()
    assert not board.running
    assert not board.log.parent.exists()
    assert "stopped" in repr(board)
    assert "is stopped" in board._repr_html_()
    with pytest.raises(OSError, match="refused"):
        health(board.url)


def test_a_server_that_does_not_start_says_why(lab):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DashboardError, match=r"status 1 before it answered(.|\n)*listened on"):
            lab.dashboard(port=taken.getsockname()[1], options=QUIET, patience=120)


def test_a_server_that_is_too_slow_is_stopped_and_says_so(lab):
    with pytest.raises(DashboardError, match=r"did not answer in 0.01 seconds.*patience=0.02"):
        Dashboard(lab.path, ["--port=0", *QUIET], 0.01)


def test_without_panel_it_says_what_to_install(lab, monkeypatch):
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    with pytest.raises(DashboardError, match=r"pip install 'rlhf-lab\[dashboard\]'"):
        lab.dashboard()


def test_interrupting_a_cell_leaves_it_and_a_killed_kernel_ends_it(notebook):
    told = json.loads(notebook.stdout.readline())
    assert told["heavy"] == []  # the notebook loads neither Panel nor torch for it
    os.killpg(notebook.pid, signal.SIGINT)  # as Jupyter interrupts
    assert notebook.stdout.readline() == "interrupted\n"
    assert health(told["url"])["status"] == "ok"
    notebook.kill()
    assert ended(told["pid"])


def test_a_notebook_that_ends_ends_it(notebook):
    told = json.loads(notebook.stdout.readline())
    notebook.stdin.close()
    assert notebook.wait(30) == 0
    assert ended(told["pid"])
