"""Agreement beyond chance of any number of raters: Fleiss' kappa and Gwet's AC1 and AC2.

They see the same agreement and differ in what they take for chance. Fleiss: that raters draw values
as often as they are given. Where nearly everything gets the same value that is nearly always, and
kappa is near 0 though people agree (the paradox of kappa). Gwet: that only what is hard to tell is
guessed, which is rare there, so his coefficients stay near the agreement that is seen.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.agreement.coefficients import RESAMPLES, ratio, resampled
from rlhf_lab.evaluation.agreement.tables import Floats, Ratings
from rlhf_lab.types import Interval

# How near two different values are to agreement.
Weighting: TypeAlias = Literal["identity", "linear", "quadratic", "ordinal"]


def agreement_weights(values: int, weighting: Weighting) -> Floats:
    """How far two values agree: 1 for the same ones, 0 for the ends; shape (values, values).

    "identity": only the same values agree. "linear" and "quadratic": less by the distance of their
    numbers, or its square. "ordinal": less by how many pairs of values lie between them, for values
    in an order whose steps have no size.

    Raises:
        ConfigError: an unknown weighting.

    Source: Gwet (2014), "Handbook of Inter-Rater Reliability", 4th edition, chapter 3.
    """
    if weighting not in get_args(Weighting):
        raise ConfigError(
            f"weighting={weighting!r}: use one of {', '.join(map(repr, get_args(Weighting)))}."
        )
    if weighting == "identity" or values < 2:
        return np.eye(values)
    place = np.arange(values, dtype=np.float64)
    apart = np.abs(place[:, None] - place)
    most = values - 1.0
    if weighting == "ordinal":
        found: Floats = 1 - apart * (apart + 1) / (most * (most + 1))
        return found
    found = 1 - (apart / most) ** (2 if weighting == "quadratic" else 1)
    return found


def fleiss_kappa(
    ratings: Ratings,
    weighting: Weighting = "identity",
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Fleiss' kappa, for units with any number of raters.

    Agreement is the mean over units that two or more rated; how often values are given is the mean
    over all that anybody rated, each unit counting once. With equally many raters everywhere it is
    what Fleiss published.

    Args:
        ratings: Who said what.
        weighting: See `agreement_weights`.
        resamples: Draws of prompts for the interval, see `resampled`.
        seed: Of the draws.

    Returns:
        None if nothing was said twice, or everybody always said the same thing of everything:
        chance would then agree as well.

    Source: Fleiss (1971), "Measuring Nominal Scale Agreement Among Many Raters"; with weights and
    missing ratings Gwet (2014), "Handbook of Inter-Rater Reliability", 4th edition, chapter 2.
    """
    weights = agreement_weights(ratings.values, weighting)

    def kappa(sums: Floats) -> Floats:
        seen, given = _seen_and_given(sums)
        return _beyond(seen, ((given @ weights) * given).sum(axis=1))

    return resampled(_cells(ratings, weights), kappa, resamples=resamples, seed=seed)


def gwet_ac(
    ratings: Ratings,
    weighting: Weighting = "identity",
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Gwet's AC1, or with weights AC2, for units with any number of raters.

    It depends on how many values there are to choose from: those that nobody gave count, too.

    Args:
        ratings: Who said what.
        weighting: "identity" is AC1, any other AC2, see `agreement_weights`.
        resamples: Draws of prompts for the interval, see `resampled`.
        seed: Of the draws.

    Returns:
        None if nothing was said twice, or there is one value only.

    Source: Gwet (2008), "Computing Inter-Rater Reliability and Its Variance in the Presence of High
    Agreement"; with weights and missing ratings Gwet (2014), "Handbook of Inter-Rater Reliability",
    4th edition, chapter 5.
    """
    values = ratings.values
    weights = agreement_weights(values, weighting)
    if values < 2:
        return None
    share = weights.sum() / (values * (values - 1))

    def ac(sums: Floats) -> Floats:
        seen, given = _seen_and_given(sums)
        return _beyond(seen, share * (given * (1 - given)).sum(axis=1))

    return resampled(_cells(ratings, weights), ac, resamples=resamples, seed=seed)


def _cells(ratings: Ratings, weights: Floats) -> Floats:
    """What both coefficients are made of, by cluster, shape (clusters, 3 + values).

    Units that two or more rated, their agreement, units that anybody rated, and how often each
    value was given, as a share of what was said of a unit.
    """
    counts = ratings.counts().astype(np.float64)
    cluster = np.zeros(len(counts), dtype=np.int64)
    cluster[ratings.unit] = ratings.cluster
    raters = counts.sum(axis=1)
    counts, cluster, raters = (of[raters > 0] for of in (counts, cluster, raters))
    agreed = (counts * (counts @ weights - 1)).sum(axis=1)
    several = raters > 1
    agreed[several] /= (raters * (raters - 1))[several]
    agreed[~several] = 0  # nobody is compared with themself
    ones = np.ones(len(raters))
    columns = np.column_stack([several, agreed, ones, counts / raters[:, None]])
    found, number = np.unique(cluster, return_inverse=True)
    cells = np.zeros((len(found), columns.shape[1]))
    np.add.at(cells, number, columns)
    return cells


def _seen_and_given(sums: Floats) -> tuple[Floats, Floats]:
    """Agreement, NaN where nothing was said twice, and shares of values, of sums of cells."""
    return ratio(sums[:, 1], sums[:, 0]), sums[:, 3:] / sums[:, 2:3]


def _beyond(seen: Floats, chance: Floats) -> Floats:
    # What rounding leaves where chance always agrees is nothing to divide by.
    left = np.where(1 - chance > 1e-12, 1 - chance, 0.0)
    return ratio(seen - chance, left)
