"""Values in a form that a message to a page can carry."""

from __future__ import annotations

import math


def text(value: str) -> str:
    """The text without lone halves of a character, which have no UTF-8 form."""
    return value.encode("utf-8", "replace").decode("utf-8")


def number(value: float, digits: int) -> float | None:
    """Rounded to so many digits; None for what JSON cannot hold: the page shows a dash."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
