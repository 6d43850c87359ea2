from __future__ import annotations

import os
import socket

import pytest

from rlhf_lab.errors import LabInUse, StoreError
from rlhf_lab.store import TrainingLock
from tests.store.helpers import NOON
from tests.store.test_concurrency import start

HOLD = """
    import sys
    from pathlib import Path
    from rlhf_lab.store import TrainingLock
    with TrainingLock(Path(sys.argv[1]), purpose="PPO"):
        sys.stdout.write("held\\n"); sys.stdout.flush()
        sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path):
    """A second process that holds the lab."""
    process = start(HOLD, str(tmp_path))
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_held_lab_names_who_since_when_and_what_to_do(other, tmp_path):
    expected = (
        rf"is in use by pid {other.pid} \(user \S+ on {socket.gethostname()}\) for PPO since "
        r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\. Wait for it to end, .* need no lock"
    )
    with pytest.raises(LabInUse, match=expected):
        TrainingLock(tmp_path).acquire()


def test_a_holder_that_ends_gives_the_lab_back(other, tmp_path):
    other.communicate("\n", timeout=10)
    with TrainingLock(tmp_path) as lock:
        assert lock.held


def test_a_killed_holder_never_blocks(other, tmp_path):
    other.kill()
    other.wait(timeout=10)
    lock = TrainingLock(tmp_path, lambda: NOON)
    assert lock.holder().pid == other.pid  # its note is still there
    with lock:
        assert lock.holder().pid == os.getpid()
        assert lock.holder().since == NOON
    assert lock.holder() is None


def test_the_same_object_may_be_acquired_again(tmp_path):
    lock = TrainingLock(tmp_path)
    with lock:
        with lock:
            pass
        assert lock.held
        with pytest.raises(LabInUse, match="this very process, through another lock object"):
            TrainingLock(tmp_path).acquire()
    assert not lock.held
    lock.release()
    TrainingLock(tmp_path).acquire()


def test_an_unreadable_note_still_gives_a_clear_error(tmp_path):
    with TrainingLock(tmp_path):
        (tmp_path / "training.holder.json").write_text("{half")
        with pytest.raises(LabInUse, match=r"is in use by another process\. Wait"):
            TrainingLock(tmp_path).acquire()


def test_a_place_that_cannot_be_locked_is_a_store_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be locked .* make it writable"):
        TrainingLock(tmp_path / "file").acquire()
    lock = TrainingLock(tmp_path / "lab")
    (tmp_path / "lab" / "training.holder.tmp").mkdir(parents=True)  # in the holder file's way
    with pytest.raises(StoreError, match="cannot be written"):
        lock.acquire()
    assert not lock.held
