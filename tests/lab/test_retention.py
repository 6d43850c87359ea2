"""Bounding the disk a lab takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError
from tests.lab.labs import PPO, SAMPLING


def test_one_can_go_on_from_a_version_that_keeps_its_weights_alone(path: Path, taught: Lab):
    taught.close()
    with Lab(path, sampling=SAMPLING, progress=False, keep_states=1) as lab:
        for _ in range(2):
            lab.ppo(steps=1, config=PPO).run()
        lab.checkout("policy@1")
        assert sorted(lab._bench.tree.load(lab.store.version("policy@1")).tensors) == ["policy"]
        run = lab.ppo(steps=1, config=PPO).run()
        # The count of steps, and with it the random streams, goes on.
        assert [s.step for s in run.history] == [2]
        assert (run.version.name, run.version.parent) == ("policy@3", "policy@1")


def test_keeping_none_is_refused(path: Path):
    with pytest.raises(ConfigError, match="keep_states=0: at least 1, or None to keep all"):
        Lab(path, keep_states=0)
    assert not path.exists()
