"""What a PPO run does when something is alarming."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rlhf_lab import Lab
from rlhf_lab.training import PPOTrainer, RewardTrainer
from rlhf_lab.types import Ranking
from tests.lab.labs import PPO, REWARD
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


# Reward up, preference not


class Disliking:
    """Prefers the responses of the start to any other, or finds all alike."""

    name = "disliking"

    def __init__(self, undecided: bool = False):
        self.undecided = undecided

    def rank(self, prompt, candidates) -> Ranking:
        later = {c.id: 0 if self.undecided else c.version != "policy@0" for c in candidates}
        return Ranking.from_ranks(later)


def pleased(lab: Lab, monkeypatch) -> None:
    """From now on the reward finds later responses better, whatever is in them."""
    from rlhf_lab.evaluation import reward_gain

    def scores(model, prompts, responses, progress):
        later = torch.tensor([float(r.version != "policy@0") for r in responses])
        return later + 0.01 * torch.arange(len(responses)) / len(responses)

    monkeypatch.setattr(reward_gain, "_scores", scores)


def with_more_heldout(lab: Lab) -> Lab:
    lab.add_prompts([f"What is {n} plus {n}?" for n in range(8)], split="heldout")
    return lab


def test_an_evaluation_that_contradicts_the_reward_alarms_and_the_next_run_repeats_it(
    taught: Lab, monkeypatch, capsys
):
    with_more_heldout(taught).ppo(steps=1, config=PPO).run()
    pleased(taught, monkeypatch)
    report = taught.evaluate(prompts=10, judge=Disliking())
    assert (report.win_rate.estimate, report.reward, report.reward_gain.n) == (0.0, "reward@0", 10)
    assert report.alarm.name == "reward up, preference not"
    assert f"Alarm: {report.alarm}" in str(report)
    capsys.readouterr()
    run = taught.ppo(steps=1, config=PPO)
    assert run.alarms == [report.alarm]
    assert capsys.readouterr().out == f"Alarm: {report.alarm}\n"
    assert len(run.run().history) == 1
    assert repr(run) == "PPORun(1 of 1 steps, policy@2, alarms: reward up, preference not)"
    # The next policy has not been evaluated.
    assert taught.ppo(steps=1, config=PPO).alarms == []


def test_a_known_alarm_ends_no_run_that_was_asked_to_return(taught: Lab, monkeypatch):
    with_more_heldout(taught).ppo(steps=1, config=PPO).run()
    pleased(taught, monkeypatch)
    taught.evaluate(prompts=10, judge=Disliking(undecided=True))
    run = taught.ppo(steps=2, config=dataclasses.replace(PPO, on_alarm="return")).run()
    assert len(run.alarms) == 1
    assert len(run.history) == 2


def test_a_reward_that_has_heard_of_it_raises_no_alarm(taught: Lab, monkeypatch, capsys):
    with_more_heldout(taught).ppo(steps=1, config=PPO).run()
    pleased(taught, monkeypatch)
    assert taught.evaluate(prompts=10, judge=Disliking()).alarm
    taught.generate(k=3, prompts=6, heldout=0.34)
    taught.annotate()
    taught.update_reward(REWARD)
    assert taught.ppo(steps=1, config=PPO).alarms == []
    # The evaluation is still of the policy and the reward that it was trained with.
    assert taught.evaluate(prompts=10, judge=Disliking()).reward == "reward@0"


def test_an_evaluation_without_a_reward_tells_of_none(new: Lab, monkeypatch):
    from rlhf_lab.training.checkpoints import Checkpoint
    from rlhf_lab.training.versions import VersionNote

    with_more_heldout(new)
    policy = new.model.state("policy")
    new._bench.tree.save(
        "policy", Checkpoint(tensors={"policy": policy}), VersionNote(parent="policy@0")
    )
    report = new.evaluate(prompts=2)
    assert (report.reward, report.reward_gain, report.alarm) == (None, None, None)


def test_an_evaluation_leaves_the_reward_as_it_is(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    before = taught.model.state("reward")
    assert taught.evaluate(prompts=2).reward_gain.n == 2
    assert same(taught.model.state("reward"), before)


@pytest.mark.parametrize("agrees", [False, True])
def test_an_update_alarms_when_rankings_contradict_a_reward_that_has_risen(
    taught: Lab, monkeypatch, agrees: bool
):
    """Eight new prompts, each ranked as the old reward scores the responses, or upside down."""
    taught.ppo(steps=1, config=PPO).run()
    taught.add_prompts([f"Name {n} things." for n in range(8)], split="train")
    taught.generate(k=2, prompts=8, heldout=0)

    class ByLength:
        name = "by length"

        def rank(self, prompt, candidates) -> Ranking:
            ids = sorted(c.id for c in candidates)
            return Ranking(tiers=tuple((i,) for i in ids))

    taught.annotate(ByLength())
    scores = RewardTrainer.scores

    def scored(self, examples, **options):
        found = scores(self, examples, **options)
        rising = torch.tensor([0.0, 1.0])
        head = self.model.head("reward")
        high = head.mean + 2 * head.scale
        return [
            high + (-rising if (e.ranks[0] < e.ranks[1]) == agrees else rising)
            if len(f) == 2
            else f
            for e, f in zip(examples, found, strict=True)
        ]

    monkeypatch.setattr(RewardTrainer, "scores", scored)
    report = taught.update_reward(REWARD)
    assert report.prequential_accuracy.estimate == float(agrees)
    assert report.prequential_accuracy.n == 8
    if agrees:
        assert report.alarm is None
        return
    assert report.alarm.name == "reward up, preference not"
    assert "reward@0 scores later policies' responses" in report.alarm.message
    assert "0.00 [0.00, 0.32] (n=8)" in report.alarm.message
    # Asked again without new rankings, the same is told, and from disk.
    assert taught.update_reward(REWARD).alarm == report.alarm


def test_rankings_of_the_start_alone_raise_no_alarm(taught: Lab, monkeypatch):
    from rlhf_lab.training import reward_update

    monkeypatch.setattr(reward_update, "reward_alarm", lambda *_: pytest.fail("asked"))
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    taught.annotate()
    assert taught.update_reward(REWARD).alarm is None
