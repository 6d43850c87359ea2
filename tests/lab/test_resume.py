"""A killed PPO run goes on, bit for bit, as if nothing had happened."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from rlhf_lab import Lab
from tests.lab.killed_runs import start_run
from tests.lab.labs import SAMPLING

KILLS = 10


def fingerprint(path: Path) -> str:
    """Of the present policy, its value role and its optimizer, as they are on disk."""
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        lab._bench.take()
        folder = path / lab.store.version(lab.version).path
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@pytest.mark.slow
def test_resume_after_sigkill_at_ten_random_points_changes_no_bit(
    tmp_path: Path, taught_folder: Path
):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for path in (killed, whole):
        shutil.copytree(taught_folder, path)
    run, began = start_run(whole, 4), time.perf_counter()
    first = run.steps()
    a_step = (time.perf_counter() - began) / 5  # with a check before the first
    seen, moments = {}, random.Random(0)
    for _ in range(KILLS):
        run = start_run(killed, 500)
        time.sleep(moments.uniform(0, 4 * a_step))
        run.process.kill()
        seen |= run.steps()
        assert run.process.exitcode == -signal.SIGKILL
    last = max([*seen, 4]) + 2
    seen |= start_run(killed, last).steps()
    expected = first | start_run(whole, last).steps()
    assert len(seen) >= 4
    assert [seen[step] for step in sorted(seen)] == [expected[step] for step in sorted(seen)]
    assert max(seen) == max(expected) == last
    assert fingerprint(killed) == fingerprint(whole)
