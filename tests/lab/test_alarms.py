"""What a PPO run does when something is alarming."""

from __future__ import annotations

import dataclasses

import pytest

from rlhf_lab import Lab
from rlhf_lab.training import PPOTrainer
from tests.lab.labs import PPO
from tests.tiny import same


@pytest.fixture
def collapsing(taught: Lab, monkeypatch) -> list[dict]:
    """Steps whose third finds a collapsed policy; the weights after each step."""
    step, states = PPOTrainer.step, []

    def falling(self, prompts):
        stats = step(self, prompts)
        states.append(self.model.state("policy"))
        return dataclasses.replace(stats, entropy=0.1 if len(states) == 3 else 2.0)

    monkeypatch.setattr(PPOTrainer, "step", falling)
    return states


def test_an_alarm_is_told_and_the_run_goes_on(taught: Lab, collapsing, capsys):
    run = taught.ppo(steps=4, config=PPO).run()
    assert len(run.history) == 4
    assert [a.name for a in run.alarms] == ["entropy collapse"]
    assert "Alarm: entropy collapse: 0.10 nats per token" in capsys.readouterr().out
    assert repr(run) == "PPORun(4 of 4 steps, policy@1, alarms: entropy collapse)"


def test_a_run_may_go_back_to_the_last_policy_without_an_alarm(taught: Lab, collapsing, capsys):
    """Step 3 measures what step 2 has made: neither is kept."""
    run = taught.ppo(steps=4, config=dataclasses.replace(PPO, on_alarm="return")).run()
    assert [s.step for s in run.history] == [1]
    assert len(collapsing) == 3
    assert "the run ends and goes back to step 1" in capsys.readouterr().out
    assert taught.version == run.version.name == "policy@1"
    assert run.version.metrics["steps"] == 1
    for state in (
        taught.model.state("policy"),
        taught._bench.tree.load(run.version).tensors["policy"],
    ):
        assert same(state, collapsing[0])
    # What follows is step 2, as if the others had not been.
    following = taught.ppo(steps=1, config=PPO).run()
    assert [s.step for s in following.history] == [2]


def test_an_alarm_in_the_second_step_goes_back_to_the_start(taught: Lab, monkeypatch, capsys):
    start, step, calls = taught.model.state("policy"), PPOTrainer.step, []

    def falling(self, prompts):
        calls.append(1)
        return dataclasses.replace(step(self, prompts), entropy=2.0 if len(calls) == 1 else 0.1)

    monkeypatch.setattr(PPOTrainer, "step", falling)
    run = taught.ppo(steps=4, config=dataclasses.replace(PPO, on_alarm="return")).run()
    assert run.history == []
    assert run.version is None
    assert taught.version == "policy@0"
    assert same(taught.model.state("policy"), start)
    assert "goes back to policy@0" in capsys.readouterr().out
    assert [f.name for f in (taught.path / "checkpoints").glob("policy@1*")] == []
