"""Shares and means over judgments, with intervals over prompts."""

from __future__ import annotations

import numpy as np

from rlhf_lab.evaluation.agreement.coefficients import resampled
from rlhf_lab.evaluation.agreement.tables import Floats, Ints
from rlhf_lab.types import Interval, wilson_interval


def share_interval(
    prompt: Ints, hits: Floats, of: Floats, *, resamples: int, seed: int
) -> Interval | None:
    """Sum of hits as a share of the sum of what they are of; None of nothing.

    Where all prompts have the same share, resampling cannot show how it might have come out
    otherwise: there it is Wilson's interval for as many values as there are prompts.

    Args:
        prompt: Number of the prompt of each row.
        hits: From 0 to what they are of.
        of: Above 0.
        resamples: Draws of prompts.
        seed: Of the draws.
    """
    cells = _by_prompt(prompt, hits, of)
    if not len(cells):
        return None
    shares = cells[:, 0] / cells[:, 1]
    if float(np.ptp(shares)) < 1e-12:
        return wilson_interval(float(shares[0]), len(cells))
    return resampled(cells, _ratio, resamples=resamples, seed=seed)


def mean_interval(
    prompt: Ints, values: Floats, of: Floats, *, resamples: int, seed: int
) -> Interval | None:
    """The same of values from -1 to 1; where all prompts have the same, see `resampled`."""
    return resampled(_by_prompt(prompt, values, of), _ratio, resamples=resamples, seed=seed)


def _by_prompt(prompt: Ints, values: Floats, of: Floats) -> Floats:
    found, number = np.unique(prompt, return_inverse=True)
    columns = (np.bincount(number, column, minlength=len(found)) for column in (values, of))
    return np.stack(list(columns), axis=1)


def _ratio(sums: Floats) -> Floats:
    ratio: Floats = sums[:, 0] / sums[:, 1]
    return ratio
