"""The alarm when held-out preference has begun to fall while the reward goes on rising.

Optimising a reward model first improves what it stands for and then ruins it (Gao et al. 2022,
"Scaling Laws for Reward Model Overoptimization"). The turn is seen by comparing a policy not with
the start alone but with the best of its ancestors.
"""

from __future__ import annotations

from typing import NamedTuple

from rlhf_lab.errors import UnknownVersion
from rlhf_lab.evaluation.reward_gain import FEWEST_PROMPTS, preference_alarm
from rlhf_lab.store import PreferenceStore, evaluations, line_of
from rlhf_lab.types import PAST_ITS_BEST, Alarm, Interval


class EarlierBest(NamedTuple):
    """The ancestor that won most: same baseline, same judge, scored by the same reward."""

    version: str
    win_rate: Interval
    reward_gain: Interval


def earlier_best(
    store: PreferenceStore,
    version: str,
    baseline: str,
    reward: str | None,
    judge: str | None,
) -> EarlierBest | None:
    """The best ancestor of a policy, by the evaluations that are stored.

    Args:
        store: The lab's.
        version: A policy; its own evaluations do not count.
        baseline: What the evaluations were against.
        reward: The reward version that they asked; None finds nothing.
        judge: Who judged them; None for those of which nobody knows.
    """
    try:
        line = list(line_of(store, version))[1:]
    except UnknownVersion:
        return None
    found: list[EarlierBest] = []
    for ancestor in line:
        for _, one in evaluations(store, ancestor.name):
            if (one.baseline, one.reward, one.judge) != (baseline, reward, judge):
                continue
            if one.reward_gain is not None and one.win_rate.n >= FEWEST_PROMPTS:
                found.append(EarlierBest(ancestor.name, one.win_rate, one.reward_gain))
    return max(found, key=lambda one: one.win_rate.estimate, default=None)


def decline_alarm(
    version: str, reward: str, gain: Interval, win_rate: Interval, best: EarlierBest
) -> Alarm | None:
    """Whether a policy wins less than an ancestor did, and the reward does not see it.

    The reward need not have risen: the best ancestor is the luckiest of several for the reward,
    too, and a proxy that has been learned by heart stays where it is while preference falls.

    Args:
        version: The policy judged.
        reward: The reward version asked.
        gain: How much higher it scores the policy than the baseline.
        win_rate: Of the policy against the same baseline.
        best: As from `earlier_best`.
    """
    too_few = win_rate.n < FEWEST_PROMPTS
    if too_few or win_rate.high >= best.win_rate.estimate:
        return None
    if gain.high < best.reward_gain.estimate:
        return None
    return Alarm(
        PAST_ITS_BEST,
        f"{version} wins {win_rate} of the held-out prompts, {best.version} won {best.win_rate}, "
        f"and {reward} does not see it ({gain} against {best.reward_gain} deviations above the "
        "baseline): more steps against this reward make it worse. Go back with "
        f"lab.checkout({best.version!r}), or rank some of its responses and update the reward.",
    )


def stored_alarm(store: PreferenceStore, version: str, reward: str | None) -> Alarm | None:
    """The alarm of a version's last evaluation; None if another reward is the present one since.

    Args:
        store: The lab's.
        version: A policy.
        reward: The present reward version.
    """
    kept = evaluations(store, version)
    if not kept or reward is None:
        return None
    found = kept[-1].found
    if found.reward != reward or found.reward_gain is None:
        return None
    alone = preference_alarm(version, found.baseline, reward, found.reward_gain, found.win_rate)
    best = earlier_best(store, version, found.baseline, reward, found.judge)
    if alone is not None or best is None:
        return alone
    return decline_alarm(version, reward, found.reward_gain, found.win_rate, best)
