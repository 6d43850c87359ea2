"""How far a share can be trusted, by formula alone."""

from __future__ import annotations

import math

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.types.models import Interval

# Two-sided, 95%.
_Z = 1.959964


def wilson_interval(share: float, n: int) -> Interval:
    """A share of n independent values with its 95% interval, which is never without width.

    Values between 0 and 1, such as ties that count one half, scatter less than the zeros and ones
    that the formula stands for: the interval is then somewhat wider than it had to be.

    Raises:
        NotEnoughData: n is below 1.

    Source: Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    if n < 1:
        raise NotEnoughData(f"a share of {n} values: an interval needs at least one.")
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return Interval(estimate=share, low=max(centre - half, 0.0), high=min(centre + half, 1.0), n=n)


def values_to_tell(share: float) -> int | None:
    """From how many values on Wilson's interval of this share lies on one side of one half.

    None for one half itself. The interval holds one half exactly as long as the distance to it is
    at most z standard errors of a fair coin.
    """
    distance = abs(share - 0.5)
    return None if distance == 0 else math.floor(_Z**2 / (4 * distance**2)) + 1
