"""DPO on a lab's stored judgments, in the same tree of versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.training import DPOConfig, DPOTrainer
from tests.lab.labs import PPO, TRAIN, open_lab
from tests.tiny import same

DPO = DPOConfig(epochs=8, learning_rate=5e-3, beta=0.5, keep_every=1)


def test_it_makes_a_policy_out_of_the_judgments(taught: Lab):
    report = taught.dpo(DPO)
    assert (report.version, taught.version) == ("policy@1", "policy@1")
    assert report.rankings == 4  # of six prompts two are held out
    assert report.loss_last < report.loss_first
    assert report.best > report.worst
    assert report.heldout_accuracy is not None
    assert report.heldout_accuracy.n <= 2
    version = taught.store.version("policy@1")
    assert (version.parent, version.trained_with, version.is_start) == ("policy@0", (), False)
    assert version.metrics["rankings"] == 4


def test_run_twice_it_changes_nothing(taught: Lab):
    report = taught.dpo(DPO)
    assert taught.dpo(DPO) == report
    assert len([v for v in taught.versions if v.role == "policy"]) == 2


def test_new_judgments_are_learned_with_old_ones_mixed_in(taught: Lab):
    taught.dpo(DPO)
    taught.generate(k=3, prompts=6, heldout=0.34)
    taught.annotate()
    report = taught.dpo(DPO)
    assert report.version == "policy@2"
    assert report.rankings == 4
    assert report.replayed == 2
    assert taught.store.version("policy@2").metrics["rankings"] == 8


def test_from_another_branch_the_judgments_are_new(taught: Lab):
    taught.dpo(DPO)
    taught.checkout("policy@0")
    report = taught.dpo(DPO)
    assert report.version == "policy@2"
    assert taught.store.version("policy@2").parent == "policy@0"


def test_ppo_goes_on_from_it(taught: Lab):
    taught.dpo(DPO)
    policy = taught.model.state("policy")
    taught.ppo(steps=1, config=PPO).run(monitor=False)
    version = taught.store.version("policy@2")
    assert (version.parent, version.trained_with) == ("policy@1", ("reward@0",))
    (row,) = taught.store.metrics("ppo")
    assert row.values["kl"] != pytest.approx(0, abs=1e-6)  # against the start, not against DPO's
    assert not same(taught.model.state("policy"), policy)


def test_an_interrupted_update_goes_on(path: Path, taught_folder: Path, taught: Lab, monkeypatch):
    start = taught.model.state("policy")
    step, calls = DPOTrainer.step, []

    def dying(self, examples):
        calls.append(len(examples))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(self, examples)

    monkeypatch.setattr(DPOTrainer, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        taught.dpo(DPO)
    assert same(taught.model.state("policy"), start)
    found = taught.dpo(DPO)
    assert len(calls) == 4 + 8 - 3
    policy = taught.model.state("policy")
    taught.checkout("policy@0")
    monkeypatch.setattr(DPOTrainer, "step", step)
    again = taught.dpo(DPO)
    assert (again.loss_first, again.loss_last) == (found.loss_first, found.loss_last)
    assert same(taught.model.state("policy"), policy)


def test_without_judgments_it_says_so(path: Path, tiny_folder: Path):
    with open_lab(path, tiny_folder) as lab:
        lab.add_prompts(TRAIN, split="train")
        with pytest.raises(NotEnoughData, match="0 judgments on training prompts"):
            lab.dpo()
        assert lab.version == "policy@0"
