"""Whether a reward model that says 80% is right four times in five."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from rlhf_lab.errors import ConfigError, NonFiniteError, NotEnoughData

# Fewer and the share of right pairs in a bin is mostly chance: it moves in steps above 0.1.
PAIRS_PER_BIN = 10


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """One point of a reliability curve.

    Attributes:
        confidence: Mean probability the model gave to the response it preferred, 0.5 to 1.
        accuracy: Share of the bin's pairs in which that response was the better one.
        pairs: How many.
    """

    confidence: float
    accuracy: float
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A reliability curve and its distance from the diagonal.

    Attributes:
        bins: From the least to the most confident pairs.
        error: Expected calibration error: mean distance of a pair's bin from the diagonal.
        error_by_chance: The error that a perfectly calibrated model would show on average with
            these confidences, its pairs being independent. An error near it says nothing.
    """

    bins: tuple[ReliabilityBin, ...]
    error: float
    error_by_chance: float

    @property
    def pairs(self) -> int:
        """All pairs."""
        return sum(b.pairs for b in self.bins)

    @property
    def confidence(self) -> float:
        """Mean over the pairs; above `accuracy` the model is too sure of itself."""
        return sum(b.pairs * b.confidence for b in self.bins) / self.pairs

    @property
    def accuracy(self) -> float:
        """Share of pairs ordered as they were judged."""
        return sum(b.pairs * b.accuracy for b in self.bins) / self.pairs

    def __str__(self) -> str:
        """As in "0.09 (0.05 by chance): 0.81 sure, 0.74 right (120 pairs)"."""
        return (
            f"{self.error:.2f} ({self.error_by_chance:.2f} by chance): {self.confidence:.2f} sure, "
            f"{self.accuracy:.2f} right ({self.pairs} pairs)"
        )


def pairwise_calibration(
    differences: Float[Tensor, " pairs"], *, most_bins: int = 10
) -> Calibration:
    """Calibration of the probability that the better response of a pair wins.

    Ties are left out on both sides: under the Davidson model P(win | no tie) is the logistic
    function of the difference, whatever the tie parameter. What is binned is the confidence, the
    probability of the response that the model prefers; a pair of equal scores is half right.

    Bins hold equal numbers of pairs, at least 10 each. Held-out pairs are few and their
    confidences crowd together, so that bins of equal width would be full or nearly empty, and
    every point of the curve should deserve the same trust. Equal confidences share a bin: the
    result does not depend on the order of the pairs.

    Args:
        differences: Score of the better response minus that of the worse one, for each pair that
            is no tie.
        most_bins: With 10 pairs for each, so many bins; else fewer.

    Raises:
        NotEnoughData: no pairs.
        NonFiniteError: a difference that is NaN or infinite.
        ConfigError: most_bins below 1.

    Source: Guo et al. (2017), "On Calibration of Modern Neural Networks", equation 3; equal-mass
    bins as in Nixon et al. (2019), "Measuring Calibration in Deep Learning".
    """
    if most_bins < 1:
        raise ConfigError(f"most_bins={most_bins}: at least 1. Use 10.")
    if not len(differences):
        raise NotEnoughData("0 pairs: calibration needs at least one. Rank held-out prompts.")
    if not bool(torch.isfinite(differences).all()):
        raise NonFiniteError(
            f"{differences[~torch.isfinite(differences)].tolist()[:3]} among {len(differences)} "
            "score differences: only finite scores have a calibration. Score the responses again."
        )
    ordered = differences.double().cpu()
    ordered = ordered[ordered.abs().argsort()]
    confidence = torch.sigmoid(ordered.abs())
    right = 0.5 + 0.5 * ordered.sign()
    edges = _edges(confidence.tolist(), max(1, min(most_bins, len(ordered) // PAIRS_PER_BIN)))
    parts = [slice(start, end) for start, end in pairwise(edges)]
    bins = tuple(
        ReliabilityBin(
            confidence=float(confidence[part].mean()),
            accuracy=float(right[part].mean()),
            pairs=part.stop - part.start,
        )
        for part in parts
    )
    return Calibration(
        bins=bins,
        error=sum(b.pairs * abs(b.accuracy - b.confidence) for b in bins) / len(ordered),
        error_by_chance=sum(_expected_gap(confidence[part]) for part in parts) / len(ordered),
    )


def _edges(ordered: Sequence[float], bins: int) -> list[int]:
    """Where bins start, and the end: sizes differ by at most one, but equal values share a bin."""
    size, larger = divmod(len(ordered), bins)
    edges = [0]
    for number in range(1, bins):
        edge = number * size + min(number, larger)
        while edge < len(ordered) and ordered[edge] == ordered[edge - 1]:
            edge += 1
        if edges[-1] < edge < len(ordered):
            edges.append(edge)
    return [*edges, len(ordered)]


def _expected_gap(chances: Tensor) -> float:
    """E|right pairs - sum of chances| if each pair is right with its own chance, independently."""
    # The distribution of the number of right pairs, one pair at a time.
    weights = torch.zeros(len(chances) + 1, dtype=torch.float64)
    weights[0] = 1.0
    for chance in chances.tolist():
        weights[1:] = weights[1:] * (1 - chance) + weights[:-1] * chance
        weights[0] *= 1 - chance
    counts = torch.arange(len(chances) + 1, dtype=torch.float64)
    return float((weights * (counts - chances.sum()).abs()).sum())
