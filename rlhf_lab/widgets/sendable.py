"""Values in a form that a message to a page can carry."""

from __future__ import annotations

import math
from typing import TypedDict

from rlhf_lab.types import Interval


class IntervalView(TypedDict):
    """An estimate with its 95% interval."""

    estimate: float
    low: float
    high: float
    n: int


def text(value: str) -> str:
    """The text without lone halves of a character, which have no UTF-8 form."""
    return value.encode("utf-8", "replace").decode("utf-8")


def number(value: float, digits: int | None = None) -> float | None:
    """Rounded to so many digits if asked; None for what JSON cannot hold: the page shows a dash."""
    if not math.isfinite(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")


def interval(value: Interval | None) -> IntervalView | None:
    """All of it; None where there is none, or a part of it is no finite number."""
    if value is None or not all(map(math.isfinite, (value.estimate, value.low, value.high))):
        return None
    return IntervalView(estimate=value.estimate, low=value.low, high=value.high, n=value.n)
