"""Following work from outside, and ending it on the way."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import Stopped, TrainingError
from tests.lab.labs import PPO, REWARD, Notes


class After:
    """Says stop from the asking after so many on."""

    def __init__(self, times: int):
        self.times = times

    def __call__(self) -> bool:
        self.times -= 1
        return self.times < 0


def test_generating_tells_how_many_there_are_and_keeps_finished_batches(taught: Lab):
    before = len(taught.store.responses())
    notes = Notes()
    with pytest.raises(Stopped, match="Stopped: 50 of 72 responses are there and kept"):
        # 18 are there already, and 54 are two batches.
        taught.generate(k=6, prompts=12, heldout=0.34, listener=notes, stopped=After(1))
    stored = len(taught.store.responses())
    assert stored - before == 32
    assert notes.told[0] == ("started", 0, 72)
    assert [done for _, _, done, _ in notes.named("add")] == [18, 50]
    assert notes.told[-1][:2] == ("ended", "stopped")
    batch = taught.generate(k=6, prompts=12, heldout=0.34, listener=notes)
    assert (len(batch.responses), batch.new) == (72, 22)
    assert notes.told[-1] == ("ended", "finished", f"{batch}.")


def test_an_evaluation_that_is_ended_logs_nothing_and_keeps_its_responses(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    notes = Notes()
    with pytest.raises(Stopped, match="8 of 8 responses are there"):
        # Asked before each of two batches, and before each of three phases.
        taught.evaluate(prompts=4, listener=notes, stopped=After(3))
    assert taught.store.metrics("evaluation") == []
    assert [name for _, name in notes.named("phase")] == ["sampling"]
    report = taught.evaluate(prompts=4, listener=notes)
    assert notes.told[-1] == ("ended", "finished", f"{report}.")
    assert len(taught.store.metrics("evaluation")) == 1


def test_a_reward_update_ends_after_the_pass_in_which_it_is_told_to(taught: Lab):
    taught.generate(k=3, prompts=8)
    taught.annotate()
    notes = Notes()
    report = taught.update_reward(REWARD, listener=notes, stopped=lambda: True)
    assert (report.version, report.epochs) == ("reward@1", 1)
    assert notes.told[-1] == ("ended", "stopped", "Made reward@1.")


def test_a_named_run_makes_the_steps_that_are_missing_and_no_other(taught: Lab):
    for _ in taught.ppo(steps=3, config=PPO, name="run 1"):
        break  # as if it had been cut short
    assert taught.run_so_far("run 1").steps == 1
    notes = Notes()
    again = taught.ppo(steps=3, config=PPO, name="run 1").watch(notes).run()
    assert [stats.step for stats in again.history] == [2, 3]
    assert notes.named("started") == [("started", 1, 3)]
    assert [done for _, _, done, _ in notes.named("add")] == [2, 3]
    assert (again.done, again.version.name) == (3, "policy@2")
    third = taught.ppo(steps=3, config=PPO, name="run 1").run()
    assert (third.history, third.version.name) == ([], "policy@2")
    assert taught.run_so_far("run 1").steps == 3
    assert taught.run_so_far("run 2") is None


def test_a_named_run_does_not_go_on_from_a_version_that_is_not_its_own(taught: Lab):
    taught.ppo(steps=1, config=PPO, name="run 1").run()
    taught.undo()
    with pytest.raises(TrainingError, match=r"1 of 2 steps are kept as policy@1, and now policy@0"):
        taught.ppo(steps=2, config=PPO, name="run 1")
    taught.checkout("policy@1")
    assert taught.ppo(steps=2, config=PPO, name="run 1").run().done == 2


def test_a_lab_that_is_held_tells_others_for_what_until_it_is_let_go(taught: Lab):
    from rlhf_lab.errors import LabInUse
    from rlhf_lab.store import TrainingLock

    taught.hold("a long run")
    with pytest.raises(LabInUse, match="for a long run since"):
        TrainingLock(taught.path).acquire()
    taught.let_go()
    with TrainingLock(taught.path):
        pass
    assert taught.version == "policy@0"
