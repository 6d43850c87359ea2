"""How far a mean can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.types import Interval, wilson_interval


def bootstrap_mean(
    clusters: Sequence[Sequence[float]], *, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of all values with a 95% percentile bootstrap interval over clusters.

    Values of one cluster (the pairs of one prompt, say) are not independent, so whole clusters
    are drawn with replacement.

    Args:
        clusters: Values grouped by what was sampled independently; empty groups are left out.
        resamples: Bootstrap draws.
        seed: Of the draws; the same input gives the same interval.

    Raises:
        NotEnoughData: no values at all.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    filled = [c for c in clusters if len(c)]
    if not filled:
        raise NotEnoughData(
            "0 values: an interval needs at least one. Rank or evaluate some prompts."
        )
    sums = torch.tensor([sum(c) for c in filled], dtype=torch.float64)
    counts = torch.tensor([len(c) for c in filled], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(filled), (resamples, len(filled)), generator=generator)
    means = sums[drawn].sum(dim=1) / counts[drawn].sum(dim=1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Interval(estimate=float(sums.sum() / counts.sum()), low=low, high=high, n=len(filled))


def share_interval(
    clusters: Sequence[Sequence[float]], *, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of values between 0 and 1, with an interval that is never without width.

    `bootstrap_mean`, but where all clusters have the same mean (one prompt alone, or every pair
    right) resampling cannot show how it might have come out otherwise and would claim certainty.
    There it is `wilson_interval` for as many independent values as there are clusters.

    Arguments and errors as for `bootstrap_mean`.
    """
    found = bootstrap_mean(clusters, resamples=resamples, seed=seed)
    if found.low < found.high:
        return found
    return wilson_interval(found.estimate, found.n)
