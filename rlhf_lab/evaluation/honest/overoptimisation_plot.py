"""The over-optimisation curve as an inline SVG, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rlhf_lab.store.showing import as_html
from rlhf_lab.types import Interval

if TYPE_CHECKING:
    from rlhf_lab.evaluation.honest.overoptimisation import CurvePoint, OverOptimisation

_LEFT, _WIDTH, _RIGHT, _HIGH, _TOP, _GAP, _BOTTOM = 64, 380, 24, 120, 24, 34, 40
_GOLD, _PROXY = "#2563eb", "#d97706"
_CURVE_STEPS = 60


class _Axis(NamedTuple):
    """From a value to a place on the page."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Up to six round values."""
        rough = (self.high - self.low) / 4
        power = 10 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]


def curve_svg(found: OverOptimisation) -> str:
    """Gold above, proxy below, both over the root of KL, with intervals; the fit is dashed.

    The two have scales of their own, so they do not share one: where lines would cross says
    nothing.
    """
    x = _Axis(0.0, 1.05 * max([p.distance for p in found.points] + [0.1]), _LEFT, _LEFT + _WIDTH)
    has_proxy = any(point.proxy for point in found.points)
    height = _TOP + _HIGH + (_GAP + _HIGH if has_proxy else 0) + _BOTTOM
    width = _LEFT + _WIDTH + _RIGHT
    panels = [_gold_panel(found, x)]
    if has_proxy:
        panels.append(_proxy_panel(found.points, x))
    told = f"{found.gold_name} and reward over the root of KL: {found.meaning}"
    return (
        f"<svg role='img' aria-label='{as_html(told)}' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' font-size='11' fill='currentColor' stroke='none' "
        f"style='max-width:100%'>{''.join(panels)}{_x_axis(x, height - _BOTTOM)}</svg>"
    )


def _gold_panel(found: OverOptimisation, x: _Axis) -> str:
    y = _vertical([p.gold for p in found.points], found.gold_start, _TOP)
    fit = found.fit
    curve = ""
    if fit is not None:
        steps = [fit.farthest * step / _CURVE_STEPS for step in range(_CURVE_STEPS + 1)]
        places = " ".join(f"{x(d):.1f},{_inside(y(fit.gold(d)), y):.1f}" for d in steps)
        curve = (
            f"<polyline points='{places}' fill='none' stroke='{_GOLD}' stroke-dasharray='4 3'>"
            "<title>Gao's curve</title></polyline>"
        )
    return _panel(
        f"{found.gold_name}, what it is for",
        [(p, p.gold) for p in found.points],
        found.gold_start,
        (x, y),
        _GOLD,
        curve,
    )


def _proxy_panel(points: Sequence[CurvePoint], x: _Axis) -> str:
    known = [(p, p.proxy) for p in points if p.proxy is not None]
    y = _vertical([proxy for _, proxy in known], 0.0, _TOP + _HIGH + _GAP)
    return _panel("reward gain, what it goes after", known, 0.0, (x, y), _PROXY, "")


def _vertical(values: Sequence[Interval], start: float, top: float) -> _Axis:
    low = min(start, *(one.low for one in values))
    high = max(start, *(one.high for one in values))
    room = 0.08 * (high - low) or 0.1
    return _Axis(low - room, high + room, top + _HIGH, top)


def _panel(
    title: str,
    points: Sequence[tuple[CurvePoint, Interval]],
    start: float,
    axes: tuple[_Axis, _Axis],
    colour: str,
    curve: str,
) -> str:
    x, y = axes
    line = " ".join(
        [f"{x(0):.1f},{y(start):.1f}"]
        + [f"{x(p.distance):.1f},{y(value.estimate):.1f}" for p, value in points]
    )
    return (
        f"<text x='{_LEFT}' y='{y.end - 8:.0f}' font-weight='600'>{as_html(title, 60)}</text>"
        f"{_y_axis(x, y)}"
        f"<path d='M{x.start} {y(start):.1f}H{x.end}' stroke='currentColor' stroke-opacity='.5' "
        "stroke-dasharray='2 3'><title>the start</title></path>"
        f"{curve}<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.5' "
        f"stroke-opacity='.6'/>{''.join(_dot(p, value, x, y, colour) for p, value in points)}"
    )


def _dot(point: CurvePoint, value: Interval, x: _Axis, y: _Axis, c: str) -> str:
    at = f"{x(point.distance):.1f}"
    return (
        f"<g><title>{as_html(point.version, 40)}, root of KL {point.distance:.2f}: {value}</title>"
        f"<path d='M{at} {y(value.low):.1f}V{y(value.high):.1f}' stroke='{c}' stroke-width='1.5'/>"
        f"<circle cx='{at}' cy='{y(value.estimate):.1f}' r='4' fill='{c}'/></g>"
    )


def _y_axis(x: _Axis, y: _Axis) -> str:
    lines = "".join(f"M{x.start} {y(tick):.1f}H{x.end}" for tick in y.ticks)
    marks = "".join(
        f"<text x='{_LEFT - 8}' y='{y(tick) + 4:.1f}'>{tick:.3g}</text>" for tick in y.ticks
    )
    return (
        f"<path d='{lines}' stroke='currentColor' stroke-opacity='.12'/>"
        f"<g text-anchor='end' font-size='10'>{marks}</g>"
    )


def _x_axis(x: _Axis, bottom: float) -> str:
    marks = "".join(
        f"<text x='{x(tick):.1f}' y='{bottom + 14}'>{tick:.3g}</text>" for tick in x.ticks
    )
    return (
        f"<g text-anchor='middle' font-size='10'>{marks}<text x='{(x.start + x.end) / 2}' "
        f"y='{bottom + 30}'>root of KL from the start, nats per response</text></g>"
    )


def _inside(place: float, y: _Axis) -> float:
    """A fit may leave the picture; its line stays at the edge."""
    return min(max(place, y.end), y.start)
