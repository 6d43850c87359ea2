"""The demo's report: one HTML page that needs no network, no scripts and no other file.

Everything a model wrote is hostile here: see `rlhf_lab.evaluation.report.pages`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Literal

from rlhf_lab.annotators import rubric, rubric_points
from rlhf_lab.demo.account import ANSWERS
from rlhf_lab.evaluation.report import pages
from rlhf_lab.evaluation.report.pages import Style, page_environment
from rlhf_lab.evaluation.report.winning import dealt, spread

if TYPE_CHECKING:
    from pathlib import Path

    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rlhf_lab.demo.run import DemoResult, DemoRound
    from rlhf_lab.evaluation.win_rate import Sample

Outcome = Literal["won", "tied", "lost"]

SHOWN = 12
# A chart with more rounds than this would be all labels, one with more steps all dots.
ROUNDS_LABELLED, STEPS_DOTTED = 6, 40
# The rubric as people read it: the table in its docstring (absent under `python -OO`).
RULES = dict(
    re.findall(r"^\| (?!criterion)(\w[\w ]*?) +\| (.+?) \|$", rubric.__doc__ or "", re.MULTILINE)
)


@dataclass(frozen=True)
class Curve:
    """A field of `PPOStats` that is drawn over the steps."""

    key: str
    title: str
    note: str
    style: Style


CURVES = (
    Curve("score", "Score", "from the reward model; 0 is the average of the start", "signed"),
    Curve("kl", "KL", "distance from the start, nats per response", "one"),
    Curve("response_length", "Length", "tokens per response", "whole"),
    Curve("ended", "Ended", "share of responses that ended by themselves", "share"),
    Curve("entropy", "Entropy", "how varied the choice of words is, nats per token", "two"),
)


@dataclass(frozen=True)
class Chart:
    """A drawn chart, its caption, and its figures in words."""

    title: str
    note: str
    change: str
    svg: Markup


@dataclass(frozen=True)
class Criterion:
    """Mean points of one criterion, over the held-out prompts it applies to."""

    name: str
    rule: str
    prompts: int
    before: float
    after: float


@dataclass(frozen=True)
class Card:
    """One sample with its points by criterion, before and after."""

    number: int
    sample: Sample
    before: dict[str, float]
    after: dict[str, float]


@dataclass
class Outcomes:
    """How many samples ended in one way, and those of them that are shown."""

    name: Outcome
    count: int = 0
    cards: list[Card] = field(default_factory=list)


def write_report(path: Path, result: DemoResult) -> Path:
    """Write the report of a demo; equal results give equal bytes.

    Args:
        path: Of the HTML file; replaced if it exists.
        result: What to show.

    Returns:
        The path.
    """
    outcomes = _outcomes(result.evaluation.samples)
    page = (
        page_environment("rlhf_lab.demo")
        .get_template("report.html.jinja")
        .render(
            result=result,
            answer=ANSWERS[result.evaluation.verdict],
            win=result.evaluation.win_rate,
            system=_system_message(result.evaluation.samples),
            charts=_charts(result.rounds),
            curves=CURVES,
            criteria=_criteria(result.evaluation.samples),
            outcomes=outcomes,
            counts={o.name: o.count for o in outcomes},
            shown=sum(len(o.cards) for o in outcomes),
        )
    )
    path.write_text(page, "utf-8", newline="\n")
    return path


def _system_message(samples: Sequence[Sample]) -> str:
    """The system message of the first prompt, as a rule that of all; empty if it has none."""
    first = next((s.prompt.messages[0] for s in samples), None)
    return first.content if first and first.role == "system" else ""


def _outcome(sample: Sample) -> Outcome:
    return "won" if sample.outcome > 0.5 else "lost" if sample.outcome < 0.5 else "tied"


def _outcomes(samples: Sequence[Sample]) -> list[Outcomes]:
    """Some samples of each outcome, picked by their place alone: nobody chose the nice ones."""
    names: tuple[Outcome, ...] = ("won", "tied", "lost")
    places = {n: [i for i, s in enumerate(samples) if _outcome(s) == n] for n in names}
    shares = dealt([len(places[n]) for n in names], SHOWN)
    return [
        Outcomes(
            name, len(places[name]), [_card(i, samples[i]) for i in spread(places[name], share)]
        )
        for name, share in zip(names, shares, strict=True)
    ]


def _card(place: int, sample: Sample) -> Card:
    before, after = (rubric_points(sample.prompt, r.text) for r in (sample.before, sample.after))
    return Card(place + 1, sample, before, after)


def _criteria(samples: Sequence[Sample]) -> list[Criterion]:
    """Mean points by criterion: where the difference comes from."""
    found: dict[str, list[tuple[float, float]]] = {}
    for card in (_card(i, s) for i, s in enumerate(samples)):
        for name in card.before:
            found.setdefault(name, []).append((card.before[name], card.after[name]))
    return [
        Criterion(
            name, RULES.get(name, ""), len(pairs), *(_mean(p) for p in zip(*pairs, strict=True))
        )
        for name, pairs in found.items()
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# Charts. Colours are placeholders until the page's style sheet takes over: it knows light and dark.

SIZE = (3.2, 1.75)  # inches
LINE, TEXT, FAINT = "#010101", "#020202", "#030303"
VARIABLES = {LINE: "var(--accent)", TEXT: "var(--muted)", FAINT: "var(--line)"}
RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rlhf-lab",
    "font.size": 8,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
}  # fmt: skip


def _charts(rounds: Sequence[DemoRound]) -> list[Chart]:
    """One chart per curve, then the win rate; none if there were no PPO steps."""
    from matplotlib import style

    if not any(r.ppo for r in rounds):
        return []
    with style.context(["default", RC]):
        return [*(_curve_chart(curve, rounds) for curve in CURVES), _win_rate_chart(rounds)]


def _curve_chart(curve: Curve, rounds: Sequence[DemoRound]) -> Chart:
    points = [(step["step"], step[curve.key]) for r in rounds for step in r.ppo]
    values = [math.nan if value is None else float(value) for _, value in points]
    figure, axes = _axes(rounds)
    dots = "o" if len(points) <= STEPS_DOTTED else ""
    axes.plot([step for step, _ in points], values, color=LINE, marker=dots, clip_on=False)
    _scale(axes, curve.style, values)
    change = f"{pages.figure(values[0], curve.style)} → {pages.figure(values[-1], curve.style)}"
    told = f"from {change.replace('→', 'to')}"
    label = f"{curve.title} over {len(points)} PPO steps, {curve.note}: {told}."
    return Chart(curve.title, curve.note, change, _inline_svg(figure, curve.key, label))


def _win_rate_chart(rounds: Sequence[DemoRound]) -> Chart:
    points = [(r.ppo[-1]["step"], r.evaluation["win_rate"]) for r in rounds if r.ppo]
    estimates = [w["estimate"] for _, w in points]
    reach = [
        [w["estimate"] - w["low"] for _, w in points],
        [w["high"] - w["estimate"] for _, w in points],
    ]
    figure, axes = _axes(rounds)
    axes.axhline(0.5, color=TEXT, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.errorbar(
        [step for step, _ in points],
        estimates,
        yerr=reach,
        color=LINE,
        marker="o",
        linestyle="none",
        elinewidth=1.6,
        capsize=3,
    )
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    told = " → ".join(pages.figure(e, "two") for e in estimates)
    note = "on held-out prompts after each round, with its 95% interval"
    label = f"Win rate {note}: {told.replace(' →', ',')}. 0.5 would be no difference."
    return Chart("Win rate", note, told, _inline_svg(figure, "win-rate", label))


def _axes(rounds: Sequence[DemoRound]) -> tuple[Figure, Axes]:
    """Empty axes over all steps, with a line between rounds."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel("PPO step")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    spans = [(r.number, r.ppo[0]["step"] - 0.5, r.ppo[-1]["step"] + 0.5) for r in rounds if r.ppo]
    axes.set_xlim(spans[0][1], spans[-1][2])
    for number, start, end in spans if len(spans) <= ROUNDS_LABELLED else []:
        if start > spans[0][1]:
            axes.axvline(start, color=FAINT, linewidth=1)
        axes.text(
            (start + end) / 2, 1.02, f"round {number}", transform=axes.get_xaxis_transform(),
            ha="center", va="bottom", fontsize=7,
        )  # fmt: skip
    return figure, axes


def _scale(axes: Axes, style: Style, values: Sequence[float]) -> None:
    """A vertical axis that contains 0, so that small changes look small; shares go up to 1."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    finite = [0.0, *filter(math.isfinite, values)]
    bottom, top = min(finite), max(finite)
    room = 0.1 * (top - bottom) or 1.0
    axes.set_ylim(bottom - room * (bottom < 0), top + room)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if style == "share":
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if bottom < 0:
        axes.axhline(0, color=TEXT, linewidth=0.6)


def _inline_svg(figure: Figure, key: str, label: str) -> Markup:
    """The figure as part of a page: unique ids, the page's colours and fonts, nothing to load."""
    from markupsafe import Markup

    buffer = StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    drawn = buffer.getvalue()
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = body.replace('id="', f'id="{key}-').replace("url(#", f"url(#{key}-")
    body = body.replace('xlink:href="#', f'href="#{key}-')
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    width, height = (72 * inches for inches in SIZE)
    start = Markup('<svg viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">').format(
        width, height, label
    )
    return start + Markup(body.strip())
