from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rlhf_lab.evaluation.decline import (
    EarlierBest,
    decline_alarm,
    earlier_best,
    stored_alarm,
)
from rlhf_lab.store import PreferenceStore, log_evaluation
from rlhf_lab.types import PAST_ITS_BEST, Evaluation, Interval, Version

BEST = Interval(estimate=0.85, low=0.77, high=0.92, n=64)
FALLEN = Interval(estimate=0.7, low=0.6, high=0.8, n=64)
GAIN = Interval(estimate=1.5, low=1.2, high=1.8, n=64)
MORE = replace(GAIN, estimate=2.5)
EARLIER = EarlierBest("policy@1", BEST, GAIN)


def test_a_policy_that_wins_less_than_its_ancestor_alarms_while_it_still_wins():
    found = decline_alarm("policy@2", "reward@0", MORE, FALLEN, EARLIER)
    assert found is not None
    assert found.name == PAST_ITS_BEST
    assert "policy@2 wins 0.70" in str(found)
    assert "policy@1 won 0.85" in str(found)
    assert "lab.checkout('policy@1')" in str(found)


def test_a_reward_that_stays_about_where_it_was_does_not_see_it():
    """Figures of a long run: steps 18 and 23 of `benchmarks.overoptimisation` with seed 1."""
    best = EarlierBest(
        "policy@18",
        Interval(estimate=0.89, low=0.83, high=0.94, n=100),
        Interval(estimate=0.89, low=0.74, high=1.04, n=100),
    )
    later = Interval(estimate=0.76, low=0.68, high=0.83, n=100)
    stays = Interval(estimate=0.86, low=0.71, high=1.01, n=100)
    assert decline_alarm("policy@23", "reward@0", stays, later, best) is not None
    lower = replace(stays, estimate=0.70, low=0.55, high=0.88)
    assert decline_alarm("policy@23", "reward@0", lower, later, best) is None


@pytest.mark.parametrize(
    ("gain", "win_rate"),
    [
        (MORE, replace(FALLEN, high=0.85)),  # could as well be the same
        (replace(GAIN, estimate=1.3, low=1.1, high=1.49), FALLEN),  # the reward sees it too
        (MORE, replace(FALLEN, n=7)),  # luck of the prompts
    ],
)
def test_it_is_silent_where_nothing_is_certain(gain: Interval, win_rate: Interval):
    assert decline_alarm("policy@2", "reward@0", gain, win_rate, EARLIER) is None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        for name, parent in (("0", None), ("1", "0"), ("2", "1"), ("3", "0")):
            version = Version(
                name=f"policy@{name}", parent=parent and f"policy@{parent}", path=f"p{name}"
            )
            store.add_version(version, present=True)
        yield store


def log(store: PreferenceStore, name: str, win_rate: Interval, gain: Interval, **changes) -> None:
    values = {"baseline": "policy@0", "reward": "reward@0", "kl": 1.0, **changes}
    found = Evaluation(win_rate=win_rate, reward_gain=gain, **values)
    log_evaluation(store, name, found)


def test_the_best_ancestor_is_the_one_that_won_most(store: PreferenceStore):
    log(store, "policy@1", BEST, GAIN)
    log(store, "policy@1", replace(BEST, estimate=0.8), GAIN)
    log(store, "policy@3", replace(BEST, estimate=0.99), GAIN)  # of another branch
    assert earlier_best(store, "policy@2", "policy@0", "reward@0", None) == EARLIER
    assert earlier_best(store, "policy@3", "policy@0", "reward@0", None) is None
    assert earlier_best(store, "policy@9", "policy@0", "reward@0", None) is None


def test_only_evaluations_of_the_same_kind_are_compared(store: PreferenceStore):
    log(store, "policy@1", BEST, GAIN, reward="reward@1")
    log(store, "policy@1", replace(BEST, n=4), GAIN)
    assert earlier_best(store, "policy@2", "policy@0", "reward@0", None) is None
    assert earlier_best(store, "policy@2", "policy@1", "reward@1", None) is None


def test_the_opinion_of_another_judge_is_no_measure(store: PreferenceStore):
    log(store, "policy@1", BEST, GAIN, judge="kind")
    log(store, "policy@2", FALLEN, MORE, judge="strict")
    assert earlier_best(store, "policy@2", "policy@0", "reward@0", "strict") is None
    assert earlier_best(store, "policy@2", "policy@0", "reward@0", None) is None
    assert stored_alarm(store, "policy@2", "reward@0") is None
    log(store, "policy@2", FALLEN, MORE, judge="kind")
    expected = decline_alarm("policy@2", "reward@0", MORE, FALLEN, EARLIER)
    assert stored_alarm(store, "policy@2", "reward@0") == expected


def test_what_is_stored_gives_the_alarm_again(store: PreferenceStore):
    log(store, "policy@1", BEST, GAIN)
    log(store, "policy@2", FALLEN, MORE)
    expected = decline_alarm("policy@2", "reward@0", MORE, FALLEN, EARLIER)
    assert stored_alarm(store, "policy@2", "reward@0") == expected
    assert stored_alarm(store, "policy@1", "reward@0") is None
