"""The monitor as a still picture: what a saved notebook shows where no kernel runs.

Viewers differ in what they let through. The curves are inline SVG without scripts, in the colours
of the page around them. GitHub and notebooks that are not trusted drop SVG; there the table
below still has every curve as a row of block characters, beside its figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from rlhf_lab.types import TrainingSample
from rlhf_lab.widgets.monitor_history import Points
from rlhf_lab.widgets.monitor_state import AlarmView, Chart, Form, MonitorState
from rlhf_lab.widgets.rendering import render_markdown

# Each stands out from a white page and from a black one (contrast 3:1 or more).
COLOURS = ("#3572e8", "#c26a00", "#0d8f83")
MINUS = "\N{MINUS SIGN}"
BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH, HEIGHT = 260, 112
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 18
BUCKETS = 120
# The notebook's MathJax takes dollars for formulas; ours are made already, and money is money.
NO_TYPESETTING = "tex2jax_ignore mathjax_ignore"
ROWS = 60
HEADINGS = ("", "curve", "first", "last", "lowest", "highest")

_CELL = "style='text-align:right'"
_NAME = "style='text-align:left'"
_CURVE = f"style='text-align:left;color:{COLOURS[0]}'"
_WORDS = {
    "waiting": "not started",
    "running": "running",
    "stopping": "stopping",
    "finished": "finished",
    "stopped": "stopped early",
    "failed": "ended by an error",
}


def figure_html(state: MonitorState) -> str:
    """Curves, figures, alarms and samples as HTML that needs nothing else."""
    points = state.history.all()
    parts = [
        f"<p><b>{escape(headline(state))}</b></p>",
        _alarms(state.alarms),
        _charts(state.charts, points) if points["steps"] else "",
        _summary(state.charts, points) if points["steps"] else "",
        _samples(state.samples),
        _values(state.charts, points) if points["steps"] else "",
    ]
    return f"<div class='{NO_TYPESETTING}' style='max-width:1000px'>{''.join(parts)}</div>"


def figure_text(state: MonitorState) -> str:
    """The same for a terminal."""
    lines = [headline(state)]
    lines += [f"Alarm: {a['name']} ({_when(a)}): {a['message']}" for a in state.alarms]
    rows = [row for row in _rows(state.charts, state.history.all()) if row[1]]
    if rows:
        table = [HEADINGS, *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(HEADINGS))]
        lines += [
            f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  "
            + "  ".join(f"{c:>{w}}" for c, w in zip(row[2:], widths[2:], strict=True))
            for row in table
        ]
    return "\n".join(line.rstrip() for line in lines)


def headline(state: MonitorState) -> str:
    """As in "PPO: finished, 8 of 8 steps in 3 min. Kept as policy@1."."""
    made = f", {state.done} of {state.total} steps" if state.total else ""
    took = f" in {duration(state.seconds)}" if state.seconds else ""
    kept = f" {state.outcome}" if state.outcome else ""
    return f"{state.title}: {_WORDS[state.status]}{made}{took}.{kept}"


def duration(seconds: float) -> str:
    """As in "42 s", "3 min", "1 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def written(value: float, form: Form) -> str:
    """A value as a person reads it; mirrors widgets/src/monitor/format.ts."""
    if form == "percent":
        return f"{_number(100 * value)}%"
    if form == "seconds":
        return f"{_number(value)} s"
    if form == "signed":
        return _with_sign(value, _size(abs(value)), plus="+")
    return _with_sign(value, f"{abs(value):,.0f}") if form == "count" else _number(value)


def _number(value: float) -> str:
    return _with_sign(value, _size(abs(value)))


def _with_sign(value: float, size: str, *, plus: str = "") -> str:
    """A true minus or `plus` before a size as text; neither where the text says zero."""
    if not re.search("[1-9]", size):
        return size
    return f"{MINUS if value < 0 else plus}{size}"


def _size(size: float) -> str:
    if size >= 1000:
        return f"{size:,.0f}"
    if size and size < 0.001:
        return f"{size:.1e}"
    return f"{size:.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


def sparkline(values: Sequence[float | None], width: int = 24) -> str:
    """A curve in block characters, as in "▁▂▄█"; "" without values."""
    found = [v for v in values if v is not None]
    if not found:
        return ""
    cells = min(width, len(found))
    means = [
        _mean(found[len(found) * i // cells : len(found) * (i + 1) // cells]) for i in range(cells)
    ]
    low, span = min(means), max(means) - min(means)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(top * (m - low) / span) if span else top // 2] for m in means)


def thinned(points: Sequence[tuple[int, float]], buckets: int) -> list[tuple[int, float]]:
    """At most `4 * buckets` of the points; each bucket keeps its first, last, lowest, highest."""
    if len(points) <= 4 * buckets:
        return list(points)
    kept: list[tuple[int, float]] = []
    for i in range(buckets):
        bucket = points[len(points) * i // buckets : len(points) * (i + 1) // buckets]
        low, high = min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])
        kept += sorted({bucket[0], low, high, bucket[-1]})
    return kept


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# Parts of the figure


def _alarms(alarms: Sequence[AlarmView]) -> str:
    told = "".join(
        f"<li><b>{escape(a['name'])}</b> ({_when(a)}): {escape(a['message'])}</li>" for a in alarms
    )
    return f"<p><b>Alarms</b></p><ul>{told}</ul>" if told else ""


def _when(alarm: AlarmView) -> str:
    if alarm["times"] == 1:
        return f"step {alarm['first']}"
    return f"steps {alarm['first']} to {alarm['last']}, {alarm['times']} times"


def _charts(charts: Sequence[Chart], points: Points) -> str:
    drawn = "".join(_chart(chart, points) for chart in charts)
    return f"<div style='display:flex;flex-wrap:wrap;gap:14px 28px'>{drawn}</div>"


def _chart(chart: Chart, points: Points) -> str:
    found = [_known(points, curve.name) for curve in chart.curves]
    if not any(found):
        return ""
    y = [v for curve in found for _, v in curve]
    low, high = min([*y, *_aim(chart)]), max([*y, *_aim(chart)])
    first, last = points["steps"][0], points["steps"][-1]
    scale = _Scale(first, last, low, high)
    lines = "".join(_line(curve, scale, COLOURS[i % len(COLOURS)]) for i, curve in enumerate(found))
    caption = f"<b>{escape(chart.title)}</b><br>{_second_line(chart)}"
    label = escape(f"{chart.title}: " + "; ".join(_spoken(chart, points)), quote=True)
    return (
        f"<figure style='margin:0;width:{WIDTH}px'>"
        f"<figcaption style='min-height:3em'>{caption}</figcaption>"
        f'<svg role="img" aria-label="{label}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" fill="none" stroke="currentColor" '
        'font-family="system-ui, sans-serif" font-size="10">'
        f"{_frame(chart, scale)}{lines}</svg></figure>"
    )


def _second_line(chart: Chart) -> str:
    if len(chart.curves) > 1:
        return " ".join(
            f"<span style='color:{COLOURS[i % len(COLOURS)]}'>■</span> {escape(curve.label)}"
            for i, curve in enumerate(chart.curves)
        )
    aim = f"dashed: {written(chart.target, chart.form)}" if chart.target is not None else ""
    told = ", ".join(filter(None, [chart.unit, aim]))
    return f"<span style='opacity:.75'>{escape(told)}</span>"


class _Scale:
    """From steps and values to places in the picture."""

    def __init__(self, first: int, last: int, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, step: float) -> float:
        share = (step - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _frame(chart: Chart, scale: _Scale) -> str:
    bottom = HEIGHT - BOTTOM
    text = 'fill="currentColor" stroke="none"'
    marks = {scale.low, scale.high}
    values = "".join(
        f'<text x="{LEFT - 5}" y="{scale.y(v) + 3.5:.1f}" text-anchor="end" {text}>'
        f"{escape(written(v, chart.form))}</text>"
        for v in sorted(marks)
    )
    steps = f'<text x="{LEFT}" y="{HEIGHT - 5}" {text}>{scale.first}</text>'
    if scale.last > scale.first:
        steps += (
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end" {text}>{scale.last}'
            "</text>"
        )
    target = ""
    if chart.target is not None:
        y = scale.y(chart.target)
        target = f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke-dasharray="4 3" opacity=".7"/>'
    return (
        f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" opacity=".35"/>{values}{steps}{target}'
    )


def _line(curve: Sequence[tuple[int, float]], scale: _Scale, colour: str) -> str:
    if not curve:
        return ""
    places = [f"{scale.x(s):.1f},{scale.y(v):.1f}" for s, v in thinned(curve, BUCKETS)]
    dots = ""
    if len(curve) <= 12:
        dots = "".join(
            f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}" stroke="none"/>'
            for x, y in (place.split(",") for place in places)
        )
    path = f'<polyline points="{" ".join(places)}" stroke="{colour}" stroke-width="1.6"/>'
    return path + dots


def _spoken(chart: Chart, points: Points) -> Iterator[str]:
    for curve in chart.curves:
        if known := _known(points, curve.name):
            first, last = (written(v, chart.form) for _, v in (known[0], known[-1]))
            yield f"{curve.label} from {first} to {last}"


def _aim(chart: Chart) -> list[float]:
    return [] if chart.target is None else [chart.target]


def _known(points: Points, name: str) -> list[tuple[int, float]]:
    pairs = zip(points["steps"], points["values"][name], strict=True)
    return [(step, value) for step, value in pairs if value is not None]


def _rows(charts: Sequence[Chart], points: Points) -> Iterator[tuple[str, ...]]:
    for chart in charts:
        for curve in chart.curves:
            found = [v for _, v in _known(points, curve.name)]
            name = _series_name(chart, curve.label)
            figures = (found[0], found[-1], min(found), max(found)) if found else ()
            if figures:
                line = sparkline(found)
                yield (name, line, *(written(v, chart.form) for v in figures))


def _series_name(chart: Chart, label: str) -> str:
    name = chart.title if len(chart.curves) == 1 else f"{chart.title}: {label}"
    aim = f", target {written(chart.target, chart.form)}" if chart.target is not None else ""
    return f"{name}{f' ({chart.unit}{aim})' if chart.unit else ''}"


def _summary(charts: Sequence[Chart], points: Points) -> str:
    head = "".join(f"<th {_CELL if i > 1 else _NAME}>{h}</th>" for i, h in enumerate(HEADINGS))
    body = "".join(
        f"<tr><th {_NAME} scope='row'>{escape(row[0])}</th><td {_CURVE}>{row[1]}</td>"
        + "".join(f"<td {_CELL}>{escape(cell)}</td>" for cell in row[2:])
        + "</tr>"
        for row in _rows(charts, points)
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _samples(samples: Sequence[TrainingSample]) -> str:
    if not samples:
        return ""
    shown = "".join(_sample(sample) for sample in samples)
    return f"<details><summary>Samples of step {samples[0].step}</summary>{shown}</details>"


def _sample(sample: TrainingSample) -> str:
    score = "" if sample.score is None else f", score {written(sample.score, 'signed')}"
    texts = [("Prompt", sample.prompt)]
    if sample.before is not None:
        texts.append((f"Before, {sample.before_version}", sample.before))
    texts.append((f"Now, step {sample.step}{score}", sample.now))
    shown = "".join(
        f"<p><b>{escape(head)}</b></p><blockquote>{render_markdown(text)}</blockquote>"
        for head, text in texts
    )
    return f"<div>{shown}</div><hr>"


def _values(charts: Sequence[Chart], points: Points) -> str:
    steps = points["steps"]
    stride = -(-len(steps) // ROWS)
    # Counted from the end, so that the last step is always among them.
    chosen = range(len(steps) - 1, -1, -stride)[::-1]
    told = f"Values at every {stride}th of {len(steps)} steps" if stride > 1 else "All values"
    curves = [(chart, curve) for chart in charts for curve in chart.curves]
    head = "".join(
        f"<th {_CELL}>{escape(_short(chart, curve.label))}</th>" for chart, curve in curves
    )
    body = "".join(
        f"<tr><th {_CELL} scope='row'>{steps[i]}</th>"
        + "".join(
            f"<td {_CELL}>{'' if value is None else written(value, chart.form)}</td>"
            for chart, curve in curves
            for value in (points["values"][curve.name][i],)
        )
        + "</tr>"
        for i in chosen
    )
    return (
        f"<details><summary>{told}</summary><table><tr><th {_CELL}>step</th>{head}</tr>{body}"
        "</table></details>"
    )


def _short(chart: Chart, label: str) -> str:
    return chart.title if len(chart.curves) == 1 else label
