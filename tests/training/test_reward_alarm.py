"""The alarm of a reward update: later policies please the reward, and nobody else."""

from __future__ import annotations

import pytest

from rlhf_lab.training.alarms import reward_alarm
from rlhf_lab.types import Interval


def share(estimate: float, half: float = 0.1, n: int = 24) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, n=n)


def test_it_names_what_rose_what_did_not_and_what_to_do():
    found = reward_alarm("reward@2", 0.92, share(0.6), share(0.76))
    assert found.name == "reward up, preference not"
    assert found.message.startswith(
        "reward@2 scores later policies' responses +0.92 deviations above the start's (more than "
        "0.3), but puts only 0.60 [0.50, 0.70] (n=24) of their pairs in the order of the new "
        "rankings, less than its 0.76 [0.66, 0.86] (n=24) when it was made"
    )
    assert "lab.evaluate()" in found.message
    assert "lab.undo()" in found.message


@pytest.mark.parametrize(
    ("rise", "agreement", "before"),
    [
        (0.31, share(0.6), share(0.71)),  # up to 0.70, and it was 0.71
        (2.0, share(0.5), share(0.55)),  # a coin does as well
        (2.0, share(0.45), None),
        (0.31, share(0.5, n=8), None),
    ],
)
def test_agreement_that_fell_or_is_no_better_than_a_coin_is_alarming(rise, agreement, before):
    assert reward_alarm("reward@0", rise, agreement, before) is not None


@pytest.mark.parametrize(
    ("rise", "agreement", "before"),
    [
        (0.3, share(0.4), share(0.9)),  # the reward did not rise
        (-1.0, share(0.4), share(0.9)),
        (2.0, share(0.6), share(0.7)),  # up to 0.70, and it was 0.70: chance may be all
        (2.0, share(0.51), None),
        (2.0, share(0.2, n=7), share(0.9)),  # seven prompts say nothing
        (2.0, None, share(0.9)),  # all were ties
    ],
)
def test_agreement_that_lasts_or_cannot_be_told_is_not(rise, agreement, before):
    assert reward_alarm("reward@0", rise, agreement, before) is None
