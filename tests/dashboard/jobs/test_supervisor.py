"""What keeps a worker running: real processes, real signals."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from rlhf_lab.dashboard.supervisor import Supervisor, how_it_ended
from rlhf_lab.store import open_store
from tests.dashboard.jobs.working import ENDLESS, SMALL, has_done
from tests.dashboard.waiting import until
from tests.store.helpers import start


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        # Ended and not yet waited for is dead as well.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def is_ready(path: Path) -> bool:
    """Whether a worker has got as far as to look for jobs."""
    return (path / "worker.lock").exists()


@pytest.fixture
def supervisor(path):
    found = Supervisor(path, log_level="error", first_pause=0.05)
    yield found
    found.stop(60)


def test_a_worker_runs_from_start_to_stop(path, supervisor):
    assert (supervisor.status, supervisor.pid) == ("stopped", None)
    supervisor.start()
    until(lambda: is_ready(path), seconds=60)
    pid = supervisor.pid
    assert supervisor.status == "running"
    # Whatever nobody needs yet takes no memory.
    assert "libtorch" not in Path(f"/proc/{pid}/maps").read_text()
    assert os.getpriority(os.PRIO_PROCESS, pid) == 15
    assert os.getsid(pid) == pid
    session = Path(f"/proc/{pid}/autogroup")  # where the kernel shares out by sessions
    if session.exists():
        assert session.read_text().split()[-1] == "15"
    supervisor.stop(60)
    assert (supervisor.status, supervisor.pid, supervisor.restarts) == ("stopped", None, 0)
    assert not is_alive(pid)
    supervisor.stop()


def test_a_worker_that_is_killed_is_started_again(path, supervisor):
    supervisor.start()
    until(lambda: is_ready(path), seconds=60)
    first = supervisor.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor.pid not in (None, first), seconds=60)
    assert supervisor.restarts == 1
    assert supervisor.status == "running"


def test_a_worker_that_cannot_begin_is_tried_more_and_more_seldom(tmp_path):
    (tmp_path / "lab").write_text("no folder")
    pauses = []
    supervisor = Supervisor(
        tmp_path / "lab", log_level="error", first_pause=0.01, longest_pause=0.03
    )
    real = supervisor._pause
    supervisor._pause = lambda *a: pauses.append(found := real(*a)) or found
    with supervisor:
        until(lambda: len(pauses) >= 4, seconds=120)
        assert supervisor.status in ("restarting", "running")
    assert pauses[:4] == [0.01, 0.02, 0.03, 0.03]
    assert supervisor.restarts == len(pauses)


PARENT = """
import sys, time
from rlhf_lab.dashboard.supervisor import Supervisor
supervisor = Supervisor(sys.argv[1], log_level="error")
supervisor.start()
while supervisor.pid is None:
    time.sleep(0.01)
print(supervisor.pid, flush=True)
time.sleep(600)
"""


def test_a_worker_ends_when_the_server_is_killed(path):
    server = start(PARENT, str(path))
    worker = int(server.stdout.readline())
    until(lambda: is_ready(path), seconds=60)
    assert is_alive(worker)
    server.kill()
    server.communicate()
    until(lambda: not is_alive(worker), seconds=60)


def test_a_step_under_way_is_finished_and_kept_when_the_server_stops(path, supervisor):
    with open_store(path) as store:
        job = store.jobs.ask("ppo", {"steps": ENDLESS, **SMALL}, "ada")
        supervisor.start()
        until(has_done(store, job, 1), seconds=300)
        assert store.jobs.get(job.id).worker.startswith(f"pid {supervisor.pid} on ")
        supervisor.stop(60)
        found = store.jobs.get(job.id)
        assert (found.state, supervisor.restarts) == ("queued", 0)
        assert "kept as policy@1. It goes on when the dashboard runs again." in found.note
        assert found.done == store.version("policy@1").metrics["steps"]
        assert found.done == len(store.metrics("ppo"))
        assert store.jobs.cancel(job.id, "bob").note == (
            f"Cancelled by bob; {found.done} of {ENDLESS} are done and kept."
        )


def test_how_a_process_ended_is_said_in_words():
    assert how_it_ended(1) == "with exit code 1"
    assert how_it_ended(-signal.SIGKILL) == "by SIGKILL, as systems do when memory runs out"
    assert how_it_ended(-signal.SIGSEGV) == "by SIGSEGV"
