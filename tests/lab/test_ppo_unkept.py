"""A PPO run whose whole steps could not be made a version: they are its own, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import DiskFull, StoreError, TrainingError
from rlhf_lab.lab import monitoring
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training import PPOTrainer
from rlhf_lab.training.ppo_run import PPORun
from rlhf_lab.training.versions import VersionTree
from tests.lab.labs import PPO
from tests.tiny import same


@contextmanager
def no_room_for_versions() -> Iterator[None]:
    """Checkpoints can be written, and their rows cannot."""

    def full(_store, version, **_options):
        raise StoreError(f"no room left for {version.name}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PreferenceStore, "add_version", full)
        yield


def fail_to_keep(run: PPORun) -> None:
    with no_room_for_versions(), pytest.raises(StoreError, match="no room left for policy@"):
        run.run()


def is_present(lab: Lab, name: str) -> bool:
    """Whether the model is at this version, which is the present one."""
    stored = lab._bench.tree.load(lab.store.version(name)).tensors["policy"]
    return lab.version == name and same(lab.model.state("policy"), dict(stored))


def test_steps_that_were_not_kept_become_a_version_before_the_next_run_begins(taught: Lab):
    failed = taught.ppo(steps=2, config=PPO)
    fail_to_keep(failed)
    assert taught.version == "policy@0"
    following = taught.ppo(steps=1, config=PPO)
    assert is_present(taught, "policy@1")
    assert taught.store.version("policy@1").metrics["steps"] == 2
    following.run()
    assert following.before == "policy@1"
    assert [s.step for s in following.history] == [3]
    assert (following.version.name, following.version.parent) == ("policy@2", "policy@1")
    assert following.version.metrics["steps"] == 1
    assert is_present(taught, "policy@2")


def test_steps_that_were_not_kept_become_a_version_before_anything_is_made_with_the_model(
    taught: Lab,
):
    """Else responses that their weights wrote would be stored under another version's name."""
    fail_to_keep(taught.ppo(steps=1, config=PPO))
    taught.generate(k=2, prompts=2)
    assert is_present(taught, "policy@1")
    assert {r.version for r in taught.store.responses(version="policy@1")} == {"policy@1"}


def test_a_step_that_failed_did_not_happen_although_those_before_cannot_be_kept(
    taught: Lab, monkeypatch
):
    step, whole = PPOTrainer.step, []

    def failing(self, prompts):
        if whole:
            step(self, prompts)
            raise DiskFull("after the weights have changed")
        stats = step(self, prompts)
        whole.append(self.model.state("policy"))
        return stats

    monkeypatch.setattr(PPOTrainer, "step", failing)
    run = taught.ppo(steps=2, config=PPO)
    fail_to_keep(run)
    monkeypatch.undo()
    assert len(run.history) == 1
    assert same(taught.model.state("policy"), whole[0])
    taught._bench.take()
    assert is_present(taught, "policy@1")
    assert same(taught.model.state("policy"), whole[0])


def test_a_run_knows_its_own_steps_whoever_made_them_a_version(taught: Lab):
    run = taught.ppo(steps=2, config=PPO)
    fail_to_keep(run)
    run.steps = 3
    taught.generate(k=2, prompts=2)
    run.run()
    assert [s.step for s in run.history] == [1, 2, 3]
    assert (run.version.name, run.version.parent) == ("policy@2", "policy@1")
    assert is_present(taught, "policy@2")


def test_a_run_does_not_take_the_steps_of_another_for_its_own(taught: Lab):
    first = taught.ppo(steps=2, config=PPO)
    for _ in first:
        break
    other = taught.ppo(steps=1, config=PPO)
    fail_to_keep(other)
    with pytest.raises(TrainingError, match="stopped at policy@1 and reward@0, and now policy@2"):
        first.run()
    assert first.version.name == "policy@1"
    assert [s.step for s in first.history] == [1]
    other.run()
    assert other.version.name == taught.version == "policy@2"
    assert is_present(taught, "policy@2")


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_run_that_was_made_before_another_ran_does_not_go_on_from_its_steps(
    taught: Lab, is_kept: bool
):
    first, other = (taught.ppo(steps=2, config=PPO) for _ in range(2))
    if is_kept:
        first.run()
    else:
        fail_to_keep(first)
    with pytest.raises(TrainingError, match="was made at policy@0 and reward@0, and now policy@1"):
        other.run()
    assert (other.history, other.version) == ([], None)
    assert taught.store.version("policy@1").metrics["steps"] == 2
    taught.checkout("policy@0")
    other.run()
    assert [s.step for s in other.history] == [1, 2]
    assert (other.version.name, other.version.parent) == ("policy@2", "policy@0")
    assert [s.score for s in other.history] == [s.score for s in first.history]


def test_a_step_whose_end_was_interrupted_is_the_runs_own_if_it_is_on_disk(
    taught: Lab, monkeypatch, capsys
):
    save = VersionTree.save_step

    def interrupted(self, *arguments):
        save(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(VersionTree, "save_step", interrupted)
    run = taught.ppo(steps=2, config=PPO).run()
    assert capsys.readouterr().out == "Stopped: 0 of 2 steps kept as policy@1.\n"
    assert run.version.name == "policy@1"
    assert is_present(taught, "policy@1")


def test_a_step_that_was_not_written_is_not_the_runs_own_when_another_writes_it(
    taught: Lab, monkeypatch
):
    save = VersionTree.save_step

    def full(self, *arguments):
        raise DiskFull("no room left")

    monkeypatch.setattr(VersionTree, "save_step", full)
    run = taught.ppo(steps=1, config=PPO)
    with pytest.raises(DiskFull):
        run.run()
    monkeypatch.setattr(VersionTree, "save_step", save)
    taught.ppo(steps=1, config=PPO).run()
    with pytest.raises(TrainingError, match="was made at policy@0 and reward@0, and now policy@1"):
        run.run()
    assert run.version is None


def test_a_run_that_cannot_begin_for_another_version_shows_no_monitor(taught: Lab, monkeypatch):
    shown = []
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: shown.append(widget))
    run = taught.ppo(steps=1, config=PPO)
    fail_to_keep(taught.ppo(steps=1, config=PPO))
    with pytest.raises(TrainingError, match="was made at policy@0"):
        run.run(monitor=True)
    assert shown == []
