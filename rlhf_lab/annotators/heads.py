"""An ensemble of reward heads on features of responses: what is not yet known of a preference.

Each head is a linear score of a response's features. All learn from the same rankings by the
Davidson model, each from another bootstrap sample of them and around another random start, so that
they agree where the rankings say something and differ where they do not.

numpy alone, and small: features have a few dozen numbers, and all heads are fitted in a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rlhf_lab.errors import ConfigError, NotEnoughData

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Newton's method: the loss is convex, and a few steps from the start are enough.
_STEPS, _CLOSE, _LONGEST = 25, 1e-4, 4.0
# Of the log of the tie parameter before anything was ranked: one pair in seven or so is a tie.
_LOG_TIE, _LOG_TIE_PRECISION = -1.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Directions in which responses to the same prompt differ, most varied first.

    Attributes:
        centre: (features,) taken from every response.
        scale: (features,) each is divided by.
        directions: (features, kept); the projected responses of one prompt have a total variance
            of 1 around their mean.
    """

    centre: Floats
    scale: Floats
    directions: Floats

    @classmethod
    def of(cls, items: Sequence[Floats], *, kept: int = 64) -> Projection:
        """Principal directions of the differences within items; needs no judgment.

        Args:
            items: Features of the responses to one prompt each, (responses, features).
            kept: At most so many directions.

        Raises:
            NotEnoughData: no two responses to one prompt differ.
        """
        within = [item - item.mean(axis=0) for item in items if len(item) > 1]
        rows = np.concatenate(within) if within else np.zeros((1, 1))
        scale = rows.std(axis=0)
        if not scale.any():
            raise NotEnoughData(
                f"{len(items)} items in which no two responses differ: there is nothing to choose "
                "by. Generate at least 2 responses to each prompt."
            )
        # What varies nowhere, or by rounding alone, must not be blown up.
        scale = np.where(scale > 1e-6 * scale.max(), scale, np.inf)
        rows = rows / scale
        _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
        directions = directions[: min(kept, int((sizes > 1e-6 * sizes[0]).sum()))].T
        variance = ((rows @ directions) ** 2).sum(axis=1).mean()
        return cls(
            centre=np.concatenate(list(items)).mean(axis=0),
            scale=scale,
            directions=directions / np.sqrt(variance),
        )

    def __call__(self, features: Floats) -> Floats:
        """(responses, kept) of (responses, features)."""
        return (features - self.centre) / self.scale @ self.directions


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One ranking by its features.

    Attributes:
        features: (candidates, features).
        ranks: Tier of each candidate, 1 is best, equal is tied.
    """

    features: Floats
    ranks: Sequence[int]

    def __post_init__(self) -> None:
        """Refuse what is no ranking of these candidates."""
        if len(self.features) != len(self.ranks) or len(self.ranks) < 2:
            raise ConfigError(
                f"{len(self.features)} candidates and {len(self.ranks)} ranks: one rank for each "
                "of at least 2 candidates."
            )


@dataclass(frozen=True, kw_only=True)
class RewardHeads:
    """Linear heads fitted to the same rankings.

    Attributes:
        weights: (heads, features).
        log_ties: (heads,) log of Davidson's tie parameter.
    """

    weights: Floats
    log_ties: Floats

    def scores(self, features: Floats) -> Floats:
        """(heads, ..., responses) of (..., responses, features)."""
        return np.moveaxis(features @ self.weights.T, -1, 0)

    def outcomes(self, features: Floats) -> Floats:
        """Probabilities (heads, ..., pairs, 3) that the first, the second or neither is better.

        Pairs are those of `itertools.combinations` over the responses, (..., responses, features).
        """
        first, second = pair_places(features.shape[-2])
        scores = self.scores(features)
        difference = scores[..., first] - scores[..., second]
        return _davidson(difference, self.log_ties.reshape(-1, *[1] * (difference.ndim - 1)))


def fit_heads(
    rankings: Sequence[Ranked],
    *,
    dimensions: int,
    heads: int = 32,
    precision: float = 1.0,
    seed: int = 0,
) -> RewardHeads:
    """Heads by maximum a posteriori, each on its own bootstrap sample and around its own start.

    The start of each is drawn from the prior, normal with mean 0 and this precision. With squared
    errors and normal noise such heads are draws from the posterior; without rankings they are the
    prior itself.

    Args:
        rankings: What was said; a ranking of k candidates weighs as k - 1 pairs.
        dimensions: Of the features.
        heads: How many.
        precision: Of the prior on each weight: higher makes scores closer to each other.
        seed: Of the starts and samples.

    Raises:
        ConfigError: heads or precision is out of range.

    Source: Osband et al. (2018), "Randomized Prior Functions for Deep Reinforcement Learning".
    """
    if heads < 2 or precision <= 0:
        raise ConfigError(
            f"heads={heads}, precision={precision}: at least 2 heads, whose spread is what counts, "
            "and a precision above 0. Use 32 and 1."
        )
    random = np.random.default_rng(seed)
    starts = random.normal(0, precision**-0.5, (heads, dimensions))
    count = len(rankings)
    drawn = random.multinomial(count, np.full(count, 1 / count), heads) if count else None
    weights = np.zeros((heads, 0)) if drawn is None else drawn.astype(float)
    return _fit(rankings, weights, starts, precision)


def fit_mean_head(
    rankings: Sequence[Ranked], *, dimensions: int, precision: float = 1.0
) -> RewardHeads:
    """One head on all rankings as they are, around 0: the best single guess."""
    return _fit(rankings, np.ones((1, len(rankings))), np.zeros((1, dimensions)), precision)


def pair_places(candidates: int) -> tuple[Ints, Ints]:
    """Places of the first and the second response of every pair."""
    pairs = np.array(list(combinations(range(candidates), 2)), dtype=np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _fit(
    rankings: Sequence[Ranked], counts: Floats, starts: Floats, precision: float
) -> RewardHeads:
    """Newton's method for all heads, (heads, rankings) counts of each ranking in their samples."""
    if not rankings:
        return RewardHeads(weights=starts, log_ties=np.full(len(starts), _LOG_TIE))
    differences, signs, weight, owner = _pairs(rankings)
    heads = [
        _fit_one(differences, signs, weight * own[owner], start, precision)
        for own, start in zip(counts, starts, strict=True)
    ]
    return RewardHeads(
        weights=np.stack([w for w, _ in heads]), log_ties=np.array([t for _, t in heads])
    )


def _pairs(rankings: Sequence[Ranked]) -> tuple[Floats, Floats, Floats, Ints]:
    """Of every pair: features first - second, who won (1, -1, 0), its weight, its ranking."""
    differences, signs, weights, owners = [], [], [], []
    for number, ranking in enumerate(rankings):
        first, second = pair_places(len(ranking.ranks))
        ranks = np.asarray(ranking.ranks)
        differences.append(ranking.features[first] - ranking.features[second])
        signs.append(np.sign(ranks[second] - ranks[first]).astype(float))
        # k candidates make k (k - 1) / 2 pairs, which tell no more than k - 1 of them would.
        weights.append(np.full(len(first), 2 / len(ranks)))
        owners.append(np.full(len(first), number, dtype=np.intp))
    return (
        np.concatenate(differences),
        np.concatenate(signs),
        np.concatenate(weights),
        np.concatenate(owners),
    )


def _fit_one(
    differences: Floats, signs: Floats, weight: Floats, start: Floats, precision: float
) -> tuple[Floats, float]:
    size = len(start)
    point = np.append(start, _LOG_TIE)
    prior_mean = point.copy()
    prior = np.append(np.full(size, precision), _LOG_TIE_PRECISION)
    tied = (signs == 0).astype(float)
    for _ in range(_STEPS):
        p = _davidson(differences @ point[:size], point[size])
        lead = p[:, 0] - p[:, 1]
        slope = prior * (point - prior_mean)
        slope[:size] += (weight * (lead - signs) / 2) @ differences
        slope[size] += weight @ (p[:, 2] - tied)
        bend = np.diag(prior)
        curvature = weight * (p[:, 0] + p[:, 1] - lead**2) / 4
        bend[:size, :size] += (differences * curvature[:, None]).T @ differences
        cross = -(weight * p[:, 2] * lead / 2) @ differences
        bend[:size, size] += cross
        bend[size, :size] += cross
        bend[size, size] += weight @ (p[:, 2] * (1 - p[:, 2]))
        step = np.linalg.solve(bend, slope)
        longest = float(np.abs(step).max())
        point = point - step * min(1.0, _LONGEST / max(longest, _CLOSE))
        if longest < _CLOSE:
            break
    return point[:size], float(point[size])


def _davidson(difference: Floats, log_tie: Floats | float) -> Floats:
    """P(first wins), P(second wins), P(tie) on a new last axis.

    Source: Davidson (1970); see `rlhf_lab.algorithms.davidson_log_probs`.
    """
    half = difference / 2
    logits = np.stack([half, -half, np.broadcast_to(log_tie, half.shape)], axis=-1)
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Floats = exp / exp.sum(axis=-1, keepdims=True)
    return found
