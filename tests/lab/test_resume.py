"""A killed PPO run goes on, bit for bit, as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlhf_lab import Lab
from tests.lab.labs import SAMPLING

KILLS = 10
# Prints "ready" when the first step begins, then the figures of every whole step.
RUN = """
import json, sys
from dataclasses import asdict
from rlhf_lab import Lab, PPOConfig, Sampling
sampling = Sampling(temperature=0.9, max_new_tokens=10)
config = PPOConfig(
    prompts_per_step=2, responses_per_prompt=2, sampling=sampling, minibatches=2, epochs=2,
    learning_rate=1e-3,
)
with Lab(sys.argv[1], sampling=sampling, progress=False) as lab:
    run = lab.ppo(steps=500, config=config)
    print("ready", flush=True)
    for stats in run:
        figures = {k: v for k, v in asdict(stats).items() if not k.startswith(("seconds", "peak"))}
        print(json.dumps(figures), flush=True)
        if stats.step >= int(sys.argv[2]):
            break
"""


def start(path: Path, last: int) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(path), str(last)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def steps_of(child: subprocess.Popen[str]) -> dict[int, dict[str, float]]:
    with child:
        steps = [json.loads(line) for line in child.stdout if line.endswith("\n")]
    return {step["step"]: step for step in steps}


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
    child = start(whole, 4)
    began = time.perf_counter()
    first = steps_of(child)
    a_step = (time.perf_counter() - began) / 5  # and closing the lab
    seen, moments = {}, random.Random(0)
    for _ in range(KILLS):
        child = start(killed, 500)
        time.sleep(moments.uniform(0, 4 * a_step))
        child.send_signal(signal.SIGKILL)
        seen |= steps_of(child)
        assert child.returncode == -signal.SIGKILL
    last = max([*seen, 4]) + 2
    seen |= steps_of(start(killed, last))
    expected = first | steps_of(start(whole, last))
    assert len(seen) >= 4
    assert [seen[step] for step in sorted(seen)] == [expected[step] for step in sorted(seen)]
    assert max(seen) == max(expected) == last
    assert fingerprint(killed) == fingerprint(whole)
