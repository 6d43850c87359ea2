"""A lab's own reward model as a judge, and metrics and judges against what was ranked."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError, NotEnoughData, UnknownVersion
from tests.lab.labs import PPO


def test_the_reward_model_judges_as_it_scores(taught: Lab):
    judge = taught.reward_judge()
    assert judge.name == "reward@0"
    item = taught.queue("somebody").next_item()
    assert item is not None
    scores = dict(
        zip(
            [c.id for c in item.candidates],
            judge.scores([(item.prompt, item.candidates)]),
            strict=True,
        )
    )
    best = max(scores, key=scores.__getitem__)
    assert judge.rank(item.prompt, item.candidates).tiers[0] == (best,)


def test_a_policy_is_judged_by_it(taught: Lab):
    taught.ppo(steps=1, config=PPO).run(monitor=False)
    report = taught.evaluate(prompts=4, judge=taught.reward_judge("reward@0"))
    assert report.judge == "reward@0"
    assert report.reward_gain is not None
    by_judge = sum(s.outcome for s in report.samples) / len(report.samples)
    assert report.win_rate.estimate == by_judge


def test_it_is_trusted_by_held_out_rankings_alone(taught: Lab):
    report = taught.trust(metrics=["rougeL"], references="best", judges=[taught.reward_judge()])
    seen = {row.name: row.judgments for row in report.rows}
    heldout = sum(
        taught.store.prompt(j.prompt_id).split == "heldout" for j in taught.store.judgments()
    )
    assert seen["reward@0"] == heldout < seen["length"]


@pytest.mark.parametrize(
    ("version", "error", "says"),
    [
        ("policy@0", ConfigError, "is a policy, which scores nothing"),
        ("reward@9", UnknownVersion, "reward@9"),
    ],
)
def test_versions_that_cannot_judge(taught: Lab, version: str, error, says: str):
    with pytest.raises(error, match=says):
        taught.reward_judge(version)


def test_without_a_reward_model_there_is_no_such_judge(new: Lab):
    with pytest.raises(NotEnoughData, match="no reward model yet"):
        new.reward_judge()
