"""Shares with their intervals as an inline SVG, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rlhf_lab.store.showing import as_html
from rlhf_lab.types import Interval

_NAMES, _WIDTH, _RIGHT, _ROW, _TOP = 150, 340, 16, 24, 26
_COLOUR = "#2563eb"


def dots_and_intervals(
    rows: Sequence[tuple[str, Interval, bool]], *, people: Interval | None = None
) -> str:
    """A dot and a line for each row; one half is marked, and where people are with one another.

    Args:
        rows: Name, share, and whether it is a baseline, which is drawn hollow.
        people: Is drawn as a band behind the rows.

    Returns:
        Nothing if there are no rows.
    """
    if not rows:
        return ""
    shares = [share for _, share, _ in rows] + ([people] if people else [])
    low = math.floor(10 * min(0.4, *(one.low for one in shares))) / 10
    high = math.ceil(10 * max(0.7, *(one.high for one in shares))) / 10
    x = _Scale(low, high)
    bottom = _TOP + _ROW * len(rows)
    told = ", ".join(f"{name} {share.estimate:.0%}" for name, share, _ in rows)
    return (
        f"<svg role='img' aria-label='{as_html(f'pairs in the order of people: {told}')}' "
        f"width='{_NAMES + _WIDTH + _RIGHT}' height='{bottom + 36}' "
        f"viewBox='0 0 {_NAMES + _WIDTH + _RIGHT} {bottom + 36}' font-size='12' "
        "fill='currentColor' stroke='none' style='max-width:100%'>"
        f"{_band(people, x, bottom)}{_axis(x, bottom)}"
        f"{''.join(_row(place, *row, x) for place, row in enumerate(rows))}</svg>"
    )


class _Scale:
    """From a share to a place on the page."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, share: float) -> str:
        return f"{_NAMES + _WIDTH * (share - self.low) / (self.high - self.low):.1f}"

    @property
    def ticks(self) -> list[float]:
        return [n / 10 for n in range(round(10 * self.low), round(10 * self.high) + 1)]


def _axis(x: _Scale, bottom: int) -> str:
    marks = "".join(f"<text x='{x(tick)}' y='{bottom + 16}'>{tick:.0%}</text>" for tick in x.ticks)
    lines = "".join(f"M{x(tick)} {_TOP - 8}V{bottom}" for tick in x.ticks)
    middle = _NAMES + _WIDTH // 2
    return (
        f"<path d='{lines}' stroke='currentColor' stroke-opacity='.12' fill='none'/>"
        f"<path d='M{x(0.5)} {_TOP - 8}V{bottom}' stroke='currentColor' stroke-dasharray='4 3' "
        "fill='none'><title>one half: a coin</title></path>"
        f"<g text-anchor='middle' font-size='10'>{marks}<text x='{x(0.5)}' y='12'>a coin</text>"
        f"<text x='{middle}' y='{bottom + 31}'>pairs in the order of people</text></g>"
    )


def _band(people: Interval | None, x: _Scale, bottom: int) -> str:
    if people is None:
        return ""
    left, right = float(x(people.low)), float(x(people.high))
    return (
        f"<rect x='{left}' y='{_TOP - 8}' width='{right - left:.1f}' height='{bottom - _TOP + 8}' "
        f"fill='currentColor' fill-opacity='.1'><title>two people: {people}</title></rect>"
        f"<text x='{x(people.estimate)}' y='12' font-size='10' text-anchor='middle'>people</text>"
    )


def _row(place: int, name: str, share: Interval, is_baseline: bool, x: _Scale) -> str:
    y = _TOP + _ROW * place + _ROW // 2
    colour = "currentColor" if is_baseline else _COLOUR
    inside = "none" if is_baseline else colour
    return (
        f"<g><title>{as_html(name, 60)}: {share}</title>"
        f"<text x='{_NAMES - 10}' y='{y + 4}' text-anchor='end'>{as_html(name, 20)}</text>"
        f"<path d='M{x(share.low)} {y}H{x(share.high)}' stroke='{colour}' stroke-width='2'/>"
        f"<circle cx='{x(share.estimate)}' cy='{y}' r='4.5' fill='{inside}' stroke='{colour}' "
        "stroke-width='2'/></g>"
    )
