"""The path to the present policy: the tree of versions, and curves along it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.evaluation.report.contents import TreeLine
from rlhf_lab.evaluation.report.pages import Style, figure
from rlhf_lab.evaluation.report.pictures import (
    Chart,
    Point,
    TreeRow,
    line_chart,
    signed_interval,
    tree_rows,
)
from rlhf_lab.store import PreferenceStore, line_of, start_of, version_records
from rlhf_lab.types import Evaluation, Interval, Version, VersionRecord

if TYPE_CHECKING:
    from rlhf_lab.evaluation.honest import CurvePoint, GaoFit

_FIT_STEPS = 40
# A field of the PPO figures, what it is called, in which unit, and how it is written.
_CURVES: tuple[tuple[str, str, str, Style], ...] = (
    ("score", "Score", "from the reward model, in deviations above the start", "signed"),
    ("kl", "KL", "distance from the start, nats per response", "one"),
    ("response_length", "Length", "tokens per response", "whole"),
    ("entropy", "Entropy", "how varied the choice of words is, nats per token", "two"),
)


def evaluation_against(record: VersionRecord, baseline: str) -> Evaluation | None:
    """The latest one against this baseline."""
    return next((e for e in reversed(record.evaluations) if e.baseline == baseline), None)


def line_names(store: PreferenceStore, present: str) -> list[str]:
    """The present policy and its ancestors, the root first; empty for a lab without versions."""
    if present not in {version.name for version in store.versions()}:
        return []
    return [version.name for version in line_of(store, present)][::-1]


def tree_lines(
    store: PreferenceStore, line: Sequence[str], baseline: str | None
) -> tuple[TreeLine, ...]:
    """Every version, policies first, each below its parent."""
    records = {record.version.name: record for record in version_records(store)}
    found = []
    for role in ("policy", "reward"):
        some = [r.version for r in records.values() if r.version.role == role]
        head = store.get_setting(f"head.{role}")
        straight = [v.name for v in line_of(store, head)] if head in records else line
        rows = tree_rows([(v.name, v.parent) for v in some], straight)
        found += [_line(records[row.name], row, baseline) for row in rows]
    return tuple(found)


def _line(record: VersionRecord, row: TreeRow, baseline: str | None) -> TreeLine:
    found = evaluation_against(record, baseline) if baseline else None
    return TreeLine(
        row=row,
        record=record,
        how=how_made(record.version),
        win=found.win_rate if found else None,
        figures=tuple(_figures(record, found)),
    )


def how_made(version: Version) -> str:
    """In a few words, by the figures it was stored with."""
    kept = version.metrics
    if version.role == "reward":
        learned = f"{kept['rankings']:.0f} rankings" if "rankings" in kept else ""
        return f"reward model, {learned}" if learned else "reward model"
    if version.parent is None:
        return "the model as it came"
    if "demonstrations" in kept:
        return f"fine-tuned on {kept['demonstrations']:.0f} demonstrations"
    if "steps" in kept:
        against = f" against {', '.join(version.trained_with)}" if version.trained_with else ""
        steps = "1 PPO step" if kept["steps"] == 1 else f"{kept['steps']:.0f} PPO steps"
        return f"{steps}{against}"
    if "rankings" in kept:
        return f"DPO on {kept['rankings']:.0f} rankings"
    return "made in another way"


def _figures(record: VersionRecord, found: Evaluation | None) -> Iterator[str]:
    if found is not None:
        yield f"KL {figure(found.kl, 'one')}"
        if found.reward_gain is not None:
            yield f"{found.reward} {signed_interval(found.reward_gain)}"
    elif "kl" in record.version.metrics:
        yield f"KL {figure(record.version.metrics['kl'], 'one')} in training"
    if record.accuracy is not None:
        one = record.accuracy
        yield f"held-out accuracy {one.estimate:.2f} [{one.low:.2f}, {one.high:.2f}]"
    elif record.version.role == "reward":
        yield "held-out accuracy not measured"


class Curves(NamedTuple):
    """Gold and proxy over the way gone, and what they mean in words; empty without evaluations."""

    charts: tuple[Chart, ...] = ()
    meaning: str = ""


def curves(store: PreferenceStore, line: Sequence[str], baseline: str) -> Curves:
    """What is optimised against, and what it is for, both over how far the policy has moved.

    The line runs through the ancestors of the present policy; other versions are hollow. Rewards
    are those of one reward version, since two of them have no common scale.
    """
    from rlhf_lab.evaluation.honest import curve_points, stored_curve

    try:
        found = stored_curve(store, line[-1], baseline=baseline)
    except NotEnoughData:
        return Curves()
    others = [r for r in version_records(store) if r.version.name not in line]
    judge = found.points[-1].judge
    beside = [p for p in curve_points(others, baseline=baseline) if p.judge == judge]
    reward = next((p.reward for p in reversed(found.points) if p.proxy is not None), None)
    # KL is measured from the reference, which the baseline is if it is the start of the line.
    is_origin = start_of(store, line[-1]).name == baseline
    win = line_chart(
        "Win rate",
        f"against {baseline} by the judge: what training is for",
        _lines([Point(0.0, 0.5, baseline)] * is_origin, found.points, beside, lambda one: one.gold),
        x_title="KL from the start, nats per response",
        style="share",
        mark=0.5,
        between=(0.0, 1.0),
        dashed=_fitted(found.fit),
    )
    gain = line_chart(
        "Reward",
        f"gain in deviations of the start, by {reward}: what training goes after",
        _lines(
            [Point(0.0, 0.0, baseline)] * is_origin,
            found.points,
            [one for one in beside if one.reward == reward],
            lambda one: one.proxy,
        ),
        x_title="KL from the start, nats per response",
        style="signed",
        mark=0.0,
    )
    charts = (win, gain if reward is not None else None)
    meaning = found.meaning[0].upper() + found.meaning[1:]
    return Curves(tuple(chart for chart in charts if chart is not None), meaning)


def _lines(
    origin: Sequence[Point],
    path: Sequence[CurvePoint],
    beside: Sequence[CurvePoint],
    height: Callable[[CurvePoint], Interval | None],
) -> list[list[Point]]:
    """The line from the origin along a path, then each of the others by itself."""
    found = [[point for one in some if (point := _point(one, height(one)))]
             for some in (path, beside)]  # fmt: skip
    return [[*origin, *found[0]], *([point._replace(is_filled=False)] for point in found[1])]


def _point(one: CurvePoint, height: Interval | None) -> Point | None:
    if height is None:
        return None
    return Point(one.kl, height.estimate, one.version, height.low, height.high)


def _fitted(fit: GaoFit | None) -> list[Point]:
    """Gao's curve up to the farthest point; nothing where none was fitted."""
    if fit is None:
        return []
    distances = [fit.farthest * n / _FIT_STEPS for n in range(_FIT_STEPS + 1)]
    return [Point(d * d, min(max(fit.gold(d), 0.0), 1.0)) for d in distances]


def training_curves(store: PreferenceStore, line: Sequence[str]) -> tuple[Chart, ...]:
    """Over the PPO steps that led to the present policy, one after the other."""
    steps = [
        row.values
        for name in line
        for row in sorted(store.metrics("ppo", name), key=lambda row: row.step)
    ]
    charts = (
        line_chart(
            title,
            note,
            [[Point(n, kept[key]) for n, kept in enumerate(steps, start=1) if key in kept]],
            x_title="PPO step",
            style=style,
        )
        for key, title, note, style in _CURVES
    )
    return tuple(chart for chart in charts if chart is not None)
