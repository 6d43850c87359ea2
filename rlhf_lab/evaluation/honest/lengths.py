"""Whether a reward model likes long answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from rlhf_lab.errors import NonFiniteError, NotEnoughData
from rlhf_lab.evaluation.agreement.coefficients import draws, resampled
from rlhf_lab.evaluation.agreement.tables import Floats, Ints
from rlhf_lab.evaluation.honest.prompts import numbered, paired
from rlhf_lab.store.showing import as_html, counted, in_frame
from rlhf_lab.types import Interval, wilson_interval

RESAMPLES: Final = 1_000
# From here on more than a quarter of what moves the reward may be length.
STRONG: Final = 0.5
# Numbers that are worked on at once.
_AT_ONCE: Final = 2_000_000


class Correlation(NamedTuple):
    """Pearson's, of the values, and Spearman's, of their ranks; None where one never varies."""

    pearson: Interval | None
    spearman: Interval | None


@dataclass(frozen=True, kw_only=True)
class RewardLength:
    """How reward goes with length. Intervals are 95% bootstrap ones over prompts.

    Attributes:
        overall: Over all responses: also where long answers belong to prompts with high rewards.
        within: Between responses to the same prompt, which is what training against the reward
            sees. None twice if no prompt has two responses.
        responses: How many there are.
        prompts: Prompts they answer.
    """

    overall: Correlation
    within: Correlation
    responses: int
    prompts: int

    @property
    def meaning(self) -> str:
        """One sentence, with the next step where there is one."""
        found = self.within.spearman or self.overall.spearman
        if found is None:
            return "Rewards or lengths are all alike: nothing to tell."
        if found.low > 0:
            told = "The reward goes up with length"
            if found.estimate >= STRONG:
                return (
                    f"{told}, so much that training may mostly make answers longer: compare the "
                    "length-controlled win rate, and rank short good answers against long bad ones."
                )
            return f"{told}: watch lengths while training against it."
        if found.high < 0:
            return "The reward goes down with length: watch for answers that end too early."
        return "No connection of reward and length is seen."

    def __str__(self) -> str:
        """Two lines."""
        rows = [
            f"reward and length, {counted(self.responses, 'responses')} to "
            f"{counted(self.prompts, 'prompts')}: overall {_told(self.overall)}; within a prompt "
            f"{_told(self.within)}",
            self.meaning,
        ]
        return "\n".join(rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_frame(*(f"<p>{as_html(line)}</p>" for line in str(self).split("\n")))


def reward_length_correlation(
    scores: Sequence[float],
    lengths: Sequence[float],
    prompts: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> RewardLength:
    """Correlation of reward and length, of all responses and of those to the same prompt.

    Args:
        scores: The reward model's, of each response.
        lengths: In any unit.
        prompts: Id of the prompt of each response; whole prompts are drawn for the intervals.
        resamples: How many draws.
        seed: Of the draws.

    Raises:
        NotEnoughData: fewer than two responses.
        NonFiniteError: a score or length that is NaN or infinite.
        ConfigError: different numbers of values.

    Source: Singhal et al. (2023), "A Long Way to Go: Investigating Length Correlations in RLHF".
    """
    paired(scores, lengths, "scores and lengths")
    paired(scores, prompts, "scores and prompts")
    x, y = np.asarray(scores, np.float64), np.asarray(lengths, np.float64)
    _check(x, y)
    cluster = numbered(prompts)
    overall = Correlation(
        _of_sums(_sums(x - x.mean(), y - y.mean(), cluster), resamples, seed),
        _of_ranks(x, y, cluster, resamples, seed),
    )
    return RewardLength(
        overall=overall,
        within=_within(x, y, cluster, resamples, seed),
        responses=len(x),
        prompts=int(cluster.max()) + 1,
    )


def _check(x: Floats, y: Floats) -> None:
    if len(x) < 2:
        raise NotEnoughData(f"{len(x)} responses: a correlation needs two. Generate some more.")
    if not bool(np.isfinite(x).all() and np.isfinite(y).all()):
        raise NonFiniteError(
            f"NaN or infinity among {len(x)} scores and lengths: only finite ones have a "
            "correlation. Score the responses again."
        )


def _sums(x: Floats, y: Floats, cluster: Ints) -> Floats:
    """What a correlation is made of, by cluster: n, x, y, xx, yy, xy."""
    columns = (np.ones(len(x)), x, y, x * x, y * y, x * y)
    return np.stack([np.bincount(cluster, column) for column in columns], axis=1)


def _pearson(sums: Floats) -> Floats:
    n, x, y, xx, yy, xy = sums.T
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    # What rounding leaves of values that never vary is no spread.
    varies = (spread_x > 1e-12 * xx) & (spread_y > 1e-12 * yy)
    under = np.sqrt(np.where(varies, spread_x * spread_y, 1.0))
    found: Floats = np.where(varies, (xy - x * y / n) / under, np.nan)
    return np.clip(found, -1, 1)


def _of_sums(sums: Floats, resamples: int, seed: int) -> Interval | None:
    return resampled(sums, _pearson, resamples=resamples, seed=seed)


def _within(x: Floats, y: Floats, cluster: Ints, resamples: int, seed: int) -> Correlation:
    """Of distances from the mean of the prompt, and of ranks among the responses to it."""
    several = np.bincount(cluster)[cluster] > 1
    x, y = x[several], y[several]
    _, cluster = np.unique(cluster[several], return_inverse=True)
    if not len(x):
        return Correlation(None, None)
    pearson = _of_sums(_sums(_centred(x, cluster), _centred(y, cluster), cluster), resamples, seed)
    of_x, of_y = (_centred(_ranks_within(values, cluster), cluster) for values in (x, y))
    return Correlation(pearson, _of_sums(_sums(of_x, of_y, cluster), resamples, seed))


def _centred(values: Floats, cluster: Ints) -> Floats:
    means: Floats = np.bincount(cluster, values) / np.bincount(cluster)
    return values - means[cluster]


def _ranks_within(values: Floats, cluster: Ints) -> Floats:
    """Among the values of the same cluster; equal ones share the mean of theirs."""
    ranks = np.zeros(len(values))
    for number in range(int(cluster.max()) + 1):
        of = cluster == number
        ranks[of] = _ranks(values[of], np.ones((1, int(of.sum()))))[0]
    return ranks


def _ranks(values: Floats, times: Floats) -> Floats:
    """Ranks of values that occur so many times, shape (draws, values); equal ones share theirs."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    firsts = np.flatnonzero(np.diff(place[order], prepend=-1))
    of_place = np.add.reduceat(times[:, order], firsts, axis=1)
    middle = of_place.cumsum(axis=1) - of_place / 2
    ranks: Floats = middle[:, place]
    return ranks


def _of_ranks(x: Floats, y: Floats, cluster: Ints, resamples: int, seed: int) -> Interval | None:
    """Spearman's, with ranks made anew in every draw."""
    (estimate,) = _rank_correlation(x, y, np.ones((1, len(x)))).tolist()
    if np.isnan(estimate):
        return None
    prompts = int(cluster.max()) + 1
    drawn = np.concatenate(
        [
            _rank_correlation(x, y, times[:, cluster])
            for some in draws(prompts, resamples, seed)
            for times in _in_parts(some, len(x))
        ]
    )
    drawn = drawn[~np.isnan(drawn)]
    if float(np.ptp(drawn)) < 1e-12:  # one prompt alone, or all in one order: as in `resampled`
        low, high = (wilson_interval(1.0, prompts).low, 1.0) if estimate > 1 - 1e-9 else (-1.0, 1.0)
        return Interval(estimate=estimate, low=low, high=high, n=prompts)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Interval(estimate=estimate, low=low, high=high, n=prompts)


def _rank_correlation(x: Floats, y: Floats, times: Floats) -> Floats:
    """Of values that occur so many times, shape (draws, values)."""
    n = times.sum(axis=1)
    of_x, of_y = (_ranks(values, times) - n[:, None] / 2 for values in (x, y))
    products = (of_x, of_y, of_x**2, of_y**2, of_x * of_y)
    return _pearson(np.stack([n, *((times * p).sum(axis=1) for p in products)], axis=1))


def _in_parts(times: Floats, values: int) -> Iterator[Floats]:
    size = max(1, _AT_ONCE // values)
    for start in range(0, len(times), size):
        yield times[start : start + size]


def _told(found: Correlation) -> str:
    named = (("Pearson", found.pearson), ("Spearman", found.spearman))
    return ", ".join(
        f"{name} –"
        if one is None
        else f"{name} {one.estimate:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
        for name, one in named
    )
