"""Figures of responses that are grouped by prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.agreement.tables import Floats, Ints
from rlhf_lab.evaluation.trust.intervals import share_interval
from rlhf_lab.types import Interval


def numbered(ids: Iterable[str]) -> Ints:
    """The same number for the same id."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(i, len(numbers)) for i in ids], dtype=np.int64)


def paired(first: Sequence[Any], second: Sequence[Any], what: str) -> None:
    """Refuse lists of different lengths.

    Raises:
        ConfigError: they are.
    """
    if len(first) != len(second):
        raise ConfigError(f"{len(first)} and {len(second)} {what}: give one for each response.")


def share(
    prompt: Ints, hits: npt.NDArray[np.generic], *, resamples: int, seed: int
) -> Interval | None:
    """Share of hits with its 95% interval over prompts; None of nothing."""
    found = hits.astype(np.float64)
    return share_interval(prompt, found, np.ones(len(found)), resamples=resamples, seed=seed)


def mean_between(
    prompt: Ints, values: Floats, low: float, high: float, *, resamples: int, seed: int
) -> Interval | None:
    """Mean of values that lie between two ends, with its 95% interval over prompts.

    The ends say how far a mean of few values that are all alike may be off: as a share's does.
    """
    if high <= low:
        high = low + 1
    found = share(prompt, (values - low) / (high - low), resamples=resamples, seed=seed)
    if found is None:
        return None
    ends = (low + (high - low) * x for x in (found.estimate, found.low, found.high))
    estimate, lower, upper = ends
    return Interval(estimate=estimate, low=lower, high=upper, n=found.n)
