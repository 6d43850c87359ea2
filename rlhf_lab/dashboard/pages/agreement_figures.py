"""Shares and coefficients as small pictures, each with its words for those who do not see it.

Positions are percentages of the width, so that lines become shorter on a phone and letters stay as
they are. Colours come from `agreement.css`, which takes them from the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from rlhf_lab.dashboard.shell import html
from rlhf_lab.evaluation.agreement import LITERATURE, LITERATURE_ALPHA
from rlhf_lab.types import Interval

# What the scale of alpha shows: less than by chance is rare, and one pole is enough for it.
_LOWEST = -0.25


class Marked(NamedTuple):
    """A coefficient with its name."""

    name: str
    value: Interval


def share_bar(share: Interval, name: str, *, literature: bool = False) -> Markup:
    """A share on a line from 0 to 100%, with its interval.

    Args:
        share: What is shown.
        name: What it is a share of, for a reader who hears it.
        literature: Show where published figures lie; otherwise one half.
    """
    return html(
        """
        <svg class="agree-bar" width="100%" height="16" role="img" aria-label="{{ told }}">
        <line class="agree-line" x1="0" x2="100%" y1="8" y2="8"></line>
        {% if literature %}
        <rect class="agree-band" x="{{ band[0] }}%" width="{{ band[1] }}%" y="1" height="14"></rect>
        {% else %}
        <line class="agree-half" x1="50%" x2="50%" y1="1" y2="15"></line>
        {% endif %}
        <line class="agree-interval" x1="{{ low }}%" x2="{{ high }}%" y1="8" y2="8"></line>
        <circle class="agree-dot" cx="{{ at }}%" cy="8" r="4"></circle></svg>
        """,
        told=f"{name}: {percent(share.estimate)}, {between(share)}",
        literature=literature,
        band=(_round(100 * LITERATURE.low), _round(100 * (LITERATURE.high - LITERATURE.low))),
        low=_round(100 * share.low),
        high=_round(100 * share.high),
        at=_round(100 * share.estimate),
    )


def alpha_scale(marked: Sequence[Marked]) -> Markup:
    """Coefficients on one scale, from chance to full agreement, before published figures."""
    rows = [
        {
            "name": name,
            "y": 40 + 42 * place,
            "low": _on_scale(value.low),
            "high": _on_scale(value.high),
            "at": _on_scale(value.estimate),
        }
        for place, (name, value) in enumerate(marked)
    ]
    band = [_on_scale(end) for end in LITERATURE_ALPHA]
    told = "; ".join(f"{name} {told_alpha(value)}" for name, value in marked)
    return html(
        """
        <svg class="agree-scale" width="100%" height="{{ foot + 22 }}" role="img"
        aria-label="{{ told }}. Published preference data: {{ published }}.">
        <rect class="agree-band" x="{{ band[0] }}%" width="{{ band[1] - band[0] }}%" y="18"
        height="{{ foot - 18 }}"></rect>
        <text class="agree-note" x="{{ (band[0] + band[1]) / 2 }}%" y="12"
        text-anchor="middle">published data</text>
        {% for text, at in ticks %}
        <line class="agree-line" x1="{{ at }}%" x2="{{ at }}%" y1="18" y2="{{ foot }}"></line>
        <text class="agree-note" x="{{ at }}%" y="{{ foot + 15 }}"
        text-anchor="{{ 'end' if loop.last else 'middle' }}">{{ text }}</text>
        {% endfor %}
        {% for row in rows %}
        <text class="agree-name" x="0" y="{{ row.y - 6 }}">{{ row.name }}</text>
        <line class="agree-interval" x1="{{ row.low }}%" x2="{{ row.high }}%" y1="{{ row.y + 6 }}"
        y2="{{ row.y + 6 }}"></line>
        <circle class="agree-dot" cx="{{ row.at }}%" cy="{{ row.y + 6 }}" r="5"></circle>
        {% endfor %}</svg>
        """,
        rows=rows,
        foot=26 + 42 * len(rows),
        band=band,
        told=told,
        published="{:.2f} to {:.2f}".format(*LITERATURE_ALPHA),
        ticks=[(text, _on_scale(at)) for text, at in _TICKS],
    )


_TICKS = (("0 chance", 0.0), ("0.5", 0.5), ("0.8", 0.8), ("1", 1.0))


def told_alpha(value: Interval) -> str:
    """As in "0.41, 0.35 to 0.47"."""
    estimate, low, high = map(two_digits, (value.estimate, value.low, value.high))
    return f"{estimate}, {low} to {high}"


def two_digits(number: float) -> str:
    """As in "0.41" and "−0.10"; zero has no sign."""
    return f"{round(number, 2) + 0.0:.2f}".replace("-", "−")


def percent(share: float) -> str:
    """As in "72%"; 100% and 0% are said of all and none alone."""
    shown = f"{share:.0%}"
    if shown in ("0%", "100%") and share not in (0, 1):
        return f"{share:.1%}"
    return shown


def between(share: Interval) -> str:
    """The interval, as in "65 to 78%"."""
    return f"{100 * share.low:.0f} to {share.high:.0%}"


def _on_scale(value: float) -> float:
    """Percent of the width of the scale; what lies beyond its ends is at its ends."""
    return _round(100 * (min(max(value, _LOWEST), 1.0) - _LOWEST) / (1 - _LOWEST))


def _round(number: float) -> float:
    return round(number, 2)
