"""Shares of pairs, with intervals that know that pairs of one prompt hang together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rlhf_lab.evaluation.agreement.tables import Floats, Ints
from rlhf_lab.types import Interval, wilson_interval

_Z: Final = 1.959964
# Student's t for 1, 2, ... degrees of freedom, two-sided, 95%. From there on a series is exact
# to three digits.
_T: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True, kw_only=True)
class Share(Interval):
    """A share with its 95% interval, which is never without width.

    Attributes:
        n: Prompts behind it.
        of: Pairs of candidates, or of positions, that it is a share of.
    """

    of: int


def clustered_shares(
    group: Ints,
    cluster: Ints,
    hits: npt.NDArray[np.generic],
    groups: int,
    weights: npt.NDArray[np.generic] | None = None,
) -> list[Share | None]:
    """The share of hits in each group, with Wilson's interval for what it is worth.

    Pairs of one prompt are not independent. How much the shares of prompts scatter says how many
    independent pairs would have done so: the interval is that of as many.

    Args:
        group: Number of the group of each row, such as the annotator.
        cluster: Number of the prompt of each row.
        hits: Of each row, how much of its weight is a hit.
        groups: How many groups there are.
        weights: Of each row; 1 by default.

    Returns:
        By group; None for one without rows.

    Source: Korn and Graubard (1998), "Confidence Intervals for Proportions with Small Expected
    Number of Positive Counts", with Wilson's interval for theirs.
    """
    weighed = np.ones(len(group)) if weights is None else weights.astype(np.float64)
    width = int(cluster.max(initial=0)) + 1
    found, which = np.unique(group * width + cluster, return_inverse=True)
    hit = np.bincount(which, hits.astype(np.float64), minlength=len(found))
    all_of = np.bincount(which, weighed, minlength=len(found))
    of = found // width
    return [_share(hit[of == g], all_of[of == g]) for g in range(groups)]


def _share(hit: Floats, all_of: Floats) -> Share | None:
    """Of one group, by cluster."""
    hit, all_of = hit[all_of > 0], all_of[all_of > 0]
    total = float(all_of.sum())
    if not total:
        return None
    share = float(hit.sum()) / total
    worth = max(1, int(min(total, _independent(hit - share * all_of, share, total))))
    found = wilson_interval(share, worth)
    return Share(estimate=share, low=found.low, high=found.high, n=len(hit), of=round(total))


def _independent(deviations: Floats, share: float, total: float) -> float:
    """As many independent values would scatter as much; fewer, for clusters are themselves few."""
    clusters = len(deviations)
    scatter = float((deviations**2).sum())
    if clusters == 1 or scatter < 1e-12:
        return clusters  # all alike: no scatter to see, which shows nothing
    variance = clusters / (clusters - 1) * scatter / total**2
    return share * (1 - share) / variance * (_Z / _student(clusters - 1)) ** 2


def _student(freedom: int) -> float:
    if freedom <= len(_T):
        return _T[freedom - 1]
    terms: tuple[float, ...] = (
        (_Z**3 + _Z) / 4,
        (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96,
        (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / 384,
    )
    return _Z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))
