from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from rlhf_lab.training.listeners import Listeners
from rlhf_lab.training.stepwise import KeptSteps, StepwiseUpdate, key_of


class Sum:
    """Learns by adding up; may be killed at a step."""

    def __init__(self, dies_at: int | None = None):
        self.total = torch.zeros(())
        self.made: list[list[int]] = []
        self.dies_at = dies_at

    def step(self, examples: Sequence[int]) -> float:
        if len(self.made) == self.dies_at:
            raise KeyboardInterrupt
        self.made.append(list(examples))
        self.total = self.total * 2 + sum(examples)
        return float(self.total)

    def state(self):
        return {"policy": {"total": self.total}}

    def load_state(self, tensors):
        self.total = tensors["policy"]["total"]


STEPS = [[n, n + 1] for n in range(7)]


def update(learner: Sum, folder: Path, *, key: str = "k", **changes) -> StepwiseUpdate[int]:
    kept = KeptSteps(folder=folder, kind="sft", key=key)
    return StepwiseUpdate(
        learner=learner,
        kept=kept,
        keep_every=2,
        told=Listeners(),
        title="SFT",
        progress=False,
        **changes,
    )


def test_an_interrupted_update_goes_on_as_if_nothing_had_happened(tmp_path: Path):
    whole = Sum()
    expected = update(whole, tmp_path / "whole").run(STEPS)
    with pytest.raises(KeyboardInterrupt):
        update(Sum(dies_at=5), tmp_path).run(STEPS)
    later = Sum()
    assert update(later, tmp_path).run(STEPS) == expected
    assert later.made == STEPS[4:]
    assert later.total == whole.total


def test_one_state_alone_is_kept(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        update(Sum(dies_at=5), tmp_path).run(STEPS)
    assert [p.name for p in tmp_path.iterdir()] == ["sft.step4"]
    KeptSteps(folder=tmp_path, kind="sft", key="k").clear()
    assert list(tmp_path.iterdir()) == []


def test_another_update_does_not_take_it_up_and_replaces_it(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        update(Sum(dies_at=5), tmp_path).run(STEPS)
    other = Sum(dies_at=3)
    with pytest.raises(KeyboardInterrupt):
        update(other, tmp_path, key="other").run(STEPS)
    assert other.made == STEPS[:3]
    assert KeptSteps(folder=tmp_path, kind="sft", key="k").read() is None
    assert KeptSteps(folder=tmp_path, kind="sft", key="other").read() is not None


def test_a_damaged_state_is_no_state(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        update(Sum(dies_at=5), tmp_path).run(STEPS)
    (tmp_path / "sft.step4" / "state.json").write_text("{")
    later = Sum()
    update(later, tmp_path).run(STEPS)
    assert later.made == STEPS


def test_it_ends_after_a_step_when_asked_to(tmp_path: Path):
    learner = Sum()
    found = update(learner, tmp_path, stopped=lambda: len(learner.made) == 3).run(STEPS)
    assert (len(found.losses), found.stopped) == (3, True)


def test_keys_tell_settings_and_examples_apart():
    assert key_of(1, "ab", ["c"]) == key_of(1, "ab", ["c"])
    assert len({key_of(1, "ab"), key_of(1, "a", "b"), key_of("1", "ab"), key_of(1, ["ab"])}) == 4
