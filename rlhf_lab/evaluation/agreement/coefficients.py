"""Agreement beyond chance, correct where not everybody said something of everything.

Both coefficients are functions of a small table of counts that adds up over prompts. So prompts can
be drawn again a thousand times without going through what was said: an interval takes about as long
as the coefficient itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

import numpy as np

from rlhf_lab.evaluation.agreement.tables import Floats, Ints, Ratings
from rlhf_lab.types import Interval, wilson_interval

Level = Literal["nominal", "ordinal"]
# From sums of cells, shape (draws, cells), one figure each; NaN where there is none.
Statistic: TypeAlias = Callable[[Floats], Floats]

RESAMPLES: Final = 1_000
# How much is worked on at once: units, and numbers.
_UNITS, _NUMBERS = 20_000, 2_000_000
# With more clusters than this, bundles of them are drawn.
_BUNDLES: Final = 2_000


def krippendorff_alpha(
    ratings: Ratings, level: Level, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """Krippendorff's alpha: 1 for full agreement, 0 for as much as by chance, below for less.

    Units of which one rater alone said something tell nothing and are left out.

    Args:
        ratings: Who said what.
        level: Whether values are only different ("nominal"), or in an order in which some lie
            further apart ("ordinal").
        resamples: Draws of prompts for the interval, see `resampled`.
        seed: Of the draws.

    Returns:
        None if nothing was said twice, or everybody always said the same thing of everything:
        chance would then agree as well.

    Source: Krippendorff (2004), "Content Analysis", 2nd edition, chapter 11.
    """
    values = ratings.values

    def alpha(sums: Floats) -> Floats:
        return _alpha(sums.reshape(-1, values, values), level)

    return resampled(coincidences(ratings), alpha, resamples=resamples, seed=seed)


def coincidences(ratings: Ratings) -> Floats:
    """How often raters of one unit gave each two values, in both orders, by cluster.

    Returns:
        Shape (clusters, values * values), of clusters with a unit that two rated. A unit counts
        as often as it has raters.
    """
    counts = ratings.counts()
    cluster = np.zeros(len(counts), dtype=np.int64)
    cluster[ratings.unit] = ratings.cluster
    raters = counts.sum(axis=1)
    order = np.argsort(cluster, kind="stable")
    order = order[raters[order] > 1]
    found, cluster = np.unique(cluster[order], return_inverse=True)
    cells = np.zeros((len(found), ratings.values**2))
    for start in range(0, len(order), _UNITS):
        part = order[start : start + _UNITS]
        each = _coincidences(counts[part], raters[part])
        of = cluster[start : start + _UNITS]
        firsts = np.flatnonzero(np.diff(of, prepend=-1))
        cells[of[firsts]] += np.add.reduceat(each, firsts, axis=0)
    return cells


def _coincidences(counts: Ints, raters: Ints) -> Floats:
    pairs = (counts[:, :, None] * counts[:, None, :]).astype(np.float64)
    same = np.arange(counts.shape[1])
    pairs[:, same, same] -= counts  # nobody is paired with themself
    return pairs.reshape(len(counts), -1) / (raters[:, None] - 1)


def _alpha(tables: Floats, level: Level) -> Floats:
    """Alpha of coincidence matrices, shape (draws, values, values)."""
    given = tables.sum(axis=2)
    # Ordinal: what lies between two values, by how often it was given.
    where = given.cumsum(axis=1) - given / 2
    apart = where[:, :, None] - where[:, None, :]
    distance = apart**2 if level == "ordinal" else 1 - np.eye(tables.shape[1])
    observed = (tables * distance).sum(axis=(1, 2))
    by_chance = (given[:, :, None] * given[:, None, :] * distance).sum(axis=(1, 2))
    return 1 - ratio(observed * (given.sum(axis=1) - 1), by_chance)


def cohen_kappa(table: Floats) -> Floats:
    """Cohen's kappa of tables of two raters' values, shape (draws, values, values).

    NaN where both always gave the same value: chance would then agree as well.

    Source: Cohen (1960), "A Coefficient of Agreement for Nominal Scales".
    """
    total = table.sum(axis=(1, 2))
    agreed = np.trace(table, axis1=1, axis2=2)
    by_chance = ratio((table.sum(axis=1) * table.sum(axis=2)).sum(axis=1), total)
    return ratio(agreed - by_chance, total - by_chance)


def pair_tables(ratings: Ratings, first: int, second: int) -> Floats:
    """How often two raters gave a unit each two values, by cluster that both rated.

    Returns:
        Shape (clusters, values * values), of the first one's values by the second one's.
    """
    one, other = (ratings.where(ratings.rater == rater) for rater in (first, second))
    _, left, right = np.intersect1d(one.unit, other.unit, assume_unique=True, return_indices=True)
    found, cluster = np.unique(one.cluster[left], return_inverse=True)
    cells = ratings.values**2
    key = cluster * cells + one.value[left] * ratings.values + other.value[right]
    return np.bincount(key, minlength=len(found) * cells).reshape(-1, cells).astype(np.float64)


def kappa_between(
    ratings: Ratings, first: int, second: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Interval | None, int]:
    """Cohen's kappa of two raters over the units that both rated, and how many those are."""
    tables = pair_tables(ratings, first, second)
    values = ratings.values

    def kappa(sums: Floats) -> Floats:
        return cohen_kappa(sums.reshape(-1, values, values))

    return resampled(tables, kappa, resamples=resamples, seed=seed), int(tables.sum())


def resampled(
    cells: Floats, statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """A figure of sums over clusters, with its 95% percentile bootstrap interval.

    What was said about one prompt hangs together, so whole prompts are drawn with replacement.
    Where no draw differs from another, they cannot show how it might have come out otherwise: full
    agreement could be less by as much as Wilson's interval says of as many prompts, and of one
    prompt alone nothing is known, from -1 to 1.

    Args:
        cells: What is added up, shape (clusters, cells).
        statistic: The figure of sums.
        resamples: How many draws.
        seed: Of the draws; the same input gives the same interval.

    Returns:
        None if there is nothing to add up, or the figure of it is NaN.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    if not len(cells):
        return None
    (estimate,) = statistic(cells.sum(axis=0, keepdims=True)).tolist()
    if np.isnan(estimate):
        return None
    bundles = _bundled(cells, seed)
    drawn = np.concatenate(
        [statistic(times @ bundles) for times in draws(len(bundles), resamples, seed)]
    )
    low, high = np.quantile(drawn[~np.isnan(drawn)], [0.025, 0.975]).tolist()
    if low == high:
        low, high = (wilson_interval(1.0, len(cells)).low, 1.0) if estimate == 1 else (-1.0, 1.0)
    return Interval(estimate=estimate, low=low, high=high, n=len(cells))


def _bundled(cells: Floats, seed: int) -> Floats:
    """Clusters, or where there are very many random bundles of equally many, to be drawn instead.

    Means of bundles scatter as much less as they hold more. With 2,000 of them the width of an
    interval is right to 2%, about what a thousand draws leave open anyway.

    Source: Wolter (2007), "Introduction to Variance Estimation", 2nd edition, chapter 2.
    """
    if len(cells) <= _BUNDLES:
        return cells
    shuffled = cells[np.random.default_rng(seed).permutation(len(cells))]
    return np.add.reduceat(shuffled, np.linspace(0, len(cells), _BUNDLES, False).astype(np.int64))


def draws(clusters: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each cluster is drawn, shape (some draws, clusters), until there are enough."""
    random = np.random.default_rng(seed)
    at_once = max(1, _NUMBERS // clusters)
    for start in range(0, resamples, at_once):
        draws = min(at_once, resamples - start)
        drawn = random.integers(clusters, size=(draws, clusters))
        drawn += np.arange(draws)[:, None] * clusters
        times = np.bincount(drawn.ravel(), minlength=draws * clusters)
        yield times.reshape(draws, clusters).astype(np.float64)


def ratio(over: Floats, under: Floats) -> Floats:
    """One over the other; NaN where there is nothing to divide by."""
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
