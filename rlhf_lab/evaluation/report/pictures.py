"""Pictures drawn as inline SVG: they take their colours from the page, and load nothing.

Texts in them are figures and names that this package gives; what a stranger wrote is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from rlhf_lab.evaluation.report.pages import Style, figure
from rlhf_lab.store.showing import as_html
from rlhf_lab.types import Interval

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH: Final = 330
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 16, 36
# Beyond so many points a line has no dots, and points no names.
_DOTTED, _NAMED = 40, 12


class Point(NamedTuple):
    """A figure at a place on the horizontal axis.

    Attributes:
        name: Written beside it; "" for nothing.
        low: Of its interval; None where there is none.
        is_filled: A hollow one is not on the line.
    """

    x: float
    y: float
    name: str = ""
    low: float | None = None
    high: float | None = None
    is_filled: bool = True


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawn chart, its caption, and its figures in words."""

    title: str
    note: str
    change: str
    svg: Markup


class Axis:
    """From a value to a place in the picture, with a few round numbers between its ends."""

    def __init__(self, low: float, high: float, start: float, end: float, ticks: int = 4) -> None:
        """Make one; a span of nothing becomes one of 1."""
        if high - low < 1e-9:
            low, high = low - 0.5, high + 0.5
        self.step = round_step((high - low) / ticks)
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        """Where it is, in units of the picture."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Multiples of the step between the ends."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [n * self.step for n in range(first, last + 1)]

    def label(self, value: float, style: Style) -> str:
        """As written beside a tick: as many digits as the step has."""
        if style == "share":
            return f"{value:.0%}"
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{value + 0.0:.{digits}f}".replace("-", "−")


def round_step(width: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no smaller than this."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= width * (1 - 1e-9))


def line_chart(
    title: str,
    note: str,
    lines: Sequence[Sequence[Point]],
    *,
    x_title: str,
    style: Style,
    mark: float | None = None,
    with_zero: bool = True,
    between: tuple[float, float] | None = None,
    dashed: Sequence[Point] = (),
) -> Chart | None:
    """Points over a number, with lines through those that belong together.

    Args:
        title: What is drawn.
        note: In which unit, or what to look for.
        lines: Points that a line connects; the first is the one that is told in words.
        x_title: What lies to the right.
        style: Of the figures.
        mark: Value of a dashed line across.
        with_zero: Whether the axis has to contain 0, so that small changes look small.
        between: The least that the vertical axis shows.
        dashed: A curve that was fitted to them.

    Returns:
        None if there is no finite point.
    """
    from markupsafe import Markup

    lines = [[p for p in line if math.isfinite(p.x) and math.isfinite(p.y)] for line in lines]
    points = [point for line in lines for point in line]
    if not points:
        return None
    x, y = _axes(points, between, mark, with_zero)
    told = [figure(p.y, style) for p in lines[0] or points]
    words = f"{title}, {note}: {told[0]}" + (f" to {told[-1]}" if len(told) > 1 else "")
    dotted = points if len(points) <= _DOTTED else ()
    body = "".join(
        [
            _grid(x, y, x_title, style, mark),
            _line(dashed, x, y, "fit"),
            *(_line(line, x, y) for line in lines),
            *(_point(p, x, y, named=len(points) <= _NAMED) for p in dotted),
        ]
    )
    change = f"{told[0]} → {told[-1]}" if len(told) > 1 else told[0]
    return Chart(title=title, note=note, change=change, svg=Markup(_svg(words, body)))


def _axes(
    points: Sequence[Point],
    between: tuple[float, float] | None,
    mark: float | None,
    with_zero: bool,
) -> tuple[Axis, Axis]:
    across = [p.x for p in points]
    heights = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    heights += [0.0] * with_zero + ([mark] if mark is not None else []) + list(between or ())
    low, high = min(heights), max(heights)
    room = 0 if between and (low, high) == between else 0.08 * ((high - low) or 1)
    left, right = min(across), max(across)
    side = 0.04 * ((right - left) or 1)
    x = Axis(left - side, right + side, _LEFT, WIDTH - _RIGHT, ticks=5)
    y = Axis(low - room * (low != 0), high + room, HEIGHT - _BOTTOM, _TOP)
    return x, y


def _grid(x: Axis, y: Axis, x_title: str, style: Style, mark: float | None) -> str:
    left, right = _LEFT, WIDTH - _RIGHT
    lines = "".join(f"M{left} {y(t):.1f}H{right}" for t in y.ticks)
    labels = "".join(
        f"<text x='{left - 7}' y='{y(t) + 3.5:.1f}' text-anchor='end'>{y.label(t, style)}</text>"
        for t in y.ticks
    )
    below = "".join(
        f"<text x='{x(t):.1f}' y='{HEIGHT - _BOTTOM + 15}' text-anchor='middle'>"
        f"{x.label(t, 'two')}</text>"
        for t in x.ticks
    )
    dashed = (
        ""
        if mark is None
        else f"<path class='mark' d='M{left} {y(mark):.1f}H{right}' stroke-dasharray='4 3'/>"
    )
    return (
        f"<path class='grid' d='{lines}'/>{dashed}{labels}{below}"
        f"<text x='{(left + right) / 2:g}' y='{HEIGHT - 4}' text-anchor='middle'>"
        f"{as_html(x_title)}</text>"
    )


def _line(points: Sequence[Point], x: Axis, y: Axis, kind: str = "line") -> str:
    if len(points) < 2:
        return ""
    path = "L".join(f"{x(p.x):.1f} {y(p.y):.1f}" for p in points)
    return f"<path class='{kind}' d='M{path}'/>"


def _point(p: Point, x: Axis, y: Axis, *, named: bool) -> str:
    across, up = f"{x(p.x):.1f}", f"{y(p.y):.1f}"
    bar = (
        f"<path class='bar' d='M{across} {y(p.low):.1f}V{y(p.high):.1f}'/>"
        if p.low is not None and p.high is not None
        else ""
    )
    # A name beside a point near the right edge stands on its left.
    is_right = x(p.x) > WIDTH - _RIGHT - 60
    name = (
        f"<text class='name' x='{x(p.x) + (-7 if is_right else 7):.1f}' y='{y(p.y) - 6:.1f}' "
        f"text-anchor='{'end' if is_right else 'start'}'>{as_html(p.name, 24)}</text>"
        if p.name and named
        else ""
    )
    kind = "dot" if p.is_filled else "dot hollow"
    return f"{bar}<circle class='{kind}' cx='{across}' cy='{up}' r='3.6'/>{name}"


class Bin(NamedTuple):
    """A point of a reliability curve: how sure, how often right, of how many pairs."""

    confidence: float
    accuracy: float
    pairs: int


def calibration_chart(bins: Sequence[Bin], error: float, version: str) -> Chart | None:
    """How sure the reward model is against how often it is right; on the diagonal it knows."""
    from markupsafe import Markup

    if not bins:
        return None
    total = sum(b.pairs for b in bins)
    x = Axis(0.5, 1, _LEFT, WIDTH - _RIGHT, ticks=5)
    y = Axis(0, 1, HEIGHT - _BOTTOM, _TOP)
    dots = "".join(
        f"<circle class='dot seen' cx='{x(b.confidence):.1f}' cy='{y(b.accuracy):.1f}' "
        f"r='{3 + 7 * (b.pairs / total) ** 0.5:.1f}'/>"
        for b in bins
    )
    diagonal = f"M{x(0.5):.1f} {y(0.5):.1f}L{x(1):.1f} {y(1):.1f}"
    told = "; ".join(f"{b.confidence:.2f} sure, {b.accuracy:.2f} right" for b in bins)
    body = (
        _grid(x, y, "how sure it is", "share", None)
        + f"<path class='mark' d='{diagonal}' stroke-dasharray='4 3'/>{dots}"
    )
    return Chart(
        title=f"Calibration of {version}",
        note="how often it is right, by how sure it is; larger dots are more pairs",
        change=f"error {error:.2f}",
        svg=Markup(_svg(f"Calibration of {version}: {told}", body)),
    )


def length_chart(before: Sequence[int], after: Sequence[int], unit: str) -> Chart | None:
    """Lengths before and after as two histograms on one axis."""
    from markupsafe import Markup

    if not before or not after:
        return None
    longest = max(*before, *after, 1)
    bins = min(16, longest + 1)
    # Whole numbers: a bin that held a different number of them would look fuller or emptier.
    width = math.ceil((longest + 1) / bins)
    edges = [width * n for n in range(math.ceil((longest + 1) / width) + 1)]
    shares = [_histogram(values, edges) for values in (before, after)]
    x = Axis(0, edges[-1], _LEFT, WIDTH - _RIGHT, ticks=5)
    y = Axis(0, max(map(max, shares)) * 1.08, HEIGHT - _BOTTOM, _TOP)
    body = _grid(x, y, unit, "share", None) + "".join(
        f"<path class='{kind}' d='{_steps(share, edges, x, y)}'/>"
        for kind, share in zip(("steps before", "steps after"), shares, strict=True)
    )
    means = [sum(values) / len(values) for values in (before, after)]
    change = " → ".join(figure(mean, "one") for mean in means)
    words = f"Lengths in {unit}, mean {change.replace('→', 'before and')} after"
    return Chart(
        title="Length",
        note="share of responses by length; grey before, coloured after",
        change=change,
        svg=Markup(_svg(words, body)),
    )


def _histogram(values: Sequence[int], edges: Sequence[int]) -> list[float]:
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[value // edges[1]] += 1
    return [count / len(values) for count in counts]


def _steps(shares: Sequence[float], edges: Sequence[int], x: Axis, y: Axis) -> str:
    tops = "".join(
        f"L{x(start):.1f} {y(share):.1f}H{x(end):.1f}"
        for share, start, end in zip(shares, edges, edges[1:], strict=False)
    )
    return f"M{x(0):.1f} {y(0):.1f}{tops}V{y(0):.1f}"


def _svg(words: str, body: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{as_html(words)}">{body}</svg>'
    )


# The tree of versions


@dataclass(frozen=True, kw_only=True)
class TreeRow:
    """Where a version stands in a tree that is drawn line by line, parents above children.

    Attributes:
        lane: Column of its dot, from 0.
        through: Columns of lines that pass by.
        is_root: Nothing comes from above.
        fork: Column that it branches off from; None where it goes straight on.
        goes_on: A line goes on below its dot.
    """

    name: str
    lane: int
    through: tuple[int, ...]
    is_root: bool
    fork: int | None
    goes_on: bool


def tree_rows(parents: Sequence[tuple[str, str | None]], line: Sequence[str]) -> list[TreeRow]:
    """Lay out a forest: the given line, or else the youngest branch, runs straight down.

    Args:
        parents: Name and parent of every version, in the order they were made.
        line: Names that are to stay in one column, such as the present version's ancestors.
    """
    names = {name for name, _ in parents}
    children: dict[str | None, list[str]] = {}
    for name, parent in parents:
        children.setdefault(parent if parent in names else None, []).append(name)
    wanted = set(line)
    placed = [p for root in children.get(None, []) for p in _place(root, 0, children, wanted)]
    row_of = {name: row for row, (name, _, _) in enumerate(placed)}
    lane_of = {name: lane for name, lane, _ in placed}
    spans = [
        (lane_of[parent], row_of[parent], row_of[name])
        for name, _, parent in placed
        if parent is not None
    ]
    return [
        TreeRow(
            name=name,
            lane=lane,
            through=tuple(sorted({at for at, above, below in spans if above < row < below})),
            is_root=parent is None,
            fork=None if parent is None or lane_of[parent] == lane else lane_of[parent],
            goes_on=bool(children.get(name)),
        )
        for row, (name, lane, parent) in enumerate(placed)
    ]


def _place(
    root: str, lane: int, children: dict[str | None, list[str]], wanted: set[str]
) -> Iterator[tuple[str, int, str | None]]:
    """Depth first, branches before what goes straight on; no recursion, for lines are long."""
    stack: list[tuple[str, int, str | None]] = [(root, lane, None)]
    while stack:
        name, at, parent = stack.pop()
        yield name, at, parent
        below = children.get(name, [])
        straight = next((c for c in below if c in wanted), below[-1] if below else None)
        if straight is not None:
            stack.append((straight, at, name))
        stack.extend((c, at + 1, name) for c in reversed(below) if c != straight)


def place(value: float, low: float, high: float) -> str:
    """Percent of the way from low to high, between 0 and 100, as a style sheet wants it."""
    share = (min(max(value, low), high) - low) / (high - low)
    return f"{100 * share:.2f}%"


def signed_interval(value: Interval) -> str:
    """As in "+0.31 [+0.10, +0.52]"."""
    low, high = figure(value.low, "signed"), figure(value.high, "signed")
    return f"{figure(value.estimate, 'signed')} [{low}, {high}]"
