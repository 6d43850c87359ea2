"""The over-optimisation curve: what training goes after, and what it is for, over the way gone.

The reward model is a proxy. Optimised far enough it goes on rising while what it stands for, the
gold, turns and falls (Gao et al. 2022, "Scaling Laws for Reward Model Overoptimization").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.evaluation.agreement.tables import Floats
from rlhf_lab.store import PreferenceStore, line_of, version_records
from rlhf_lab.store.showing import as_html, counted, head_cell, in_frame, text_cell
from rlhf_lab.types import Interval, VersionRecord

# So many evaluations along a line before a curve is drawn through them; it has two parameters.
FEWEST_TO_FIT: Final = 4
# Of the two scaled columns of the fit. Above it a little luck at one point turns the curve over.
WORST_CONDITION: Final = 20.0
# Where the farthest point is not so many times as far as the nearest, a curve is a guess.
LEAST_SPREAD: Final = 2.0
_Z: Final = 1.959964

Turn = Literal["too few points", "not seen to fall", "has begun to fall", "below its start"]


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One version on its way.

    Attributes:
        version: Its name.
        kl: Policy against the reference, nats per response; a sampled one may be below 0.
        gold: What training is for: the win rate against the start, or a gold score.
        proxy: How much higher the reward scores it than the start, in deviations of the start's
            scores; None if no reward was asked.
        reward: The reward version that was asked.
        judge: Whose opinion the gold is; None if it is not known.
    """

    version: str
    kl: float
    gold: Interval
    proxy: Interval | None = None
    reward: str | None = None
    judge: str | None = None

    @property
    def distance(self) -> float:
        """Root of KL, Gao's d, from 0."""
        return math.sqrt(max(self.kl, 0.0))


@dataclass(frozen=True, kw_only=True)
class GaoFit:
    """Gain of the gold over its start as `d * (alpha - beta * log d)`, Gao's form for RL.

    Attributes:
        alpha: How fast gold rises at first.
        beta: How fast it turns; not above 0: no turn is seen.
        points: That it was fitted to.
        farthest: Largest distance among them.
        gold_start: What gold is at distance 0.
    """

    alpha: float
    beta: float
    points: int
    farthest: float
    gold_start: float

    def gold(self, distance: float) -> float:
        """The curve at a distance d, root of KL."""
        if distance <= 0:
            return self.gold_start
        return self.gold_start + distance * (self.alpha - self.beta * math.log(distance))

    @property
    def peak(self) -> float | None:
        """Distance at which gold is highest; None if it is not within what was seen."""
        if self.beta <= 0:
            return None
        # exp overflows where beta is next to nothing; such a peak is far away.
        where = self.alpha / self.beta - 1
        found = math.exp(where) if where < 100 else math.inf
        return found if found <= self.farthest else None


@dataclass(frozen=True, kw_only=True)
class OverOptimisation:
    """Points by distance from the start, and whether gold has turned.

    Attributes:
        points: In the order in which they were trained.
        gold_start: What gold is at the start: one half for a win rate against it.
        gold_name: What gold is called.
        fit: None if there are too few points, or they lie so that any curve would fit.
    """

    points: tuple[CurvePoint, ...]
    gold_start: float
    gold_name: str
    fit: GaoFit | None

    @property
    def best(self) -> CurvePoint:
        """Where gold is highest."""
        return max(self.points, key=lambda point: point.gold.estimate)

    @property
    def turn(self) -> Turn:
        """Where gold stands at the last point.

        It has begun to fall if its whole interval lies below an earlier point's estimate though
        the proxy is not certain to be lower there, as the alarm of `lab.evaluate` has it; and it
        is below its start if the whole interval is. The earlier point is the luckiest of several:
        with many evaluations on few prompts this speaks a little early rather than late.
        """
        last = self.points[-1]
        if last.gold.high < self.gold_start:
            return "below its start"
        if len(self.points) < 2:
            return "too few points"
        best = max(self.points[:-1], key=lambda point: point.gold.estimate)
        if last.gold.high < best.gold.estimate and _not_lower(last.proxy, best.proxy):
            return "has begun to fall"
        return "not seen to fall"

    @property
    def meaning(self) -> str:
        """In plain words, with the next step where there is one."""
        last, best = self.points[-1], self.best
        proxy = _rise(self.points)
        gold = self.gold_name[:1].upper() + self.gold_name[1:]
        if self.turn == "below its start":
            return (
                f"{gold} of {last.version} is below its start ({_told(last.gold)}"
                f"{proxy}): it was made worse. Go back with lab.checkout({best.version!r})."
            )
        if self.turn == "has begun to fall":
            return (
                f"{gold} has begun to fall: {_told(best.gold)} at {best.version}, "
                f"{_told(last.gold)} at {last.version}{proxy}. Stop here: go back with "
                f"lab.checkout({best.version!r}), or rank some of its responses and update the "
                "reward."
            )
        if self.turn == "too few points":
            return (
                "One version was evaluated: a curve needs more of them. Train in shorter runs and "
                "lab.evaluate() after each."
            )
        return f"{gold} is not seen to fall{proxy}."

    def __str__(self) -> str:
        """What it means, and a line for each point."""
        lines = [self.meaning]
        if self.fit is not None:
            lines.append(_fit_told(self.fit))
        return "\n".join([*lines, *("  ".join(cells) for cells in map(_cells, self.points))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from rlhf_lab.evaluation.honest.overoptimisation_plot import curve_svg

        heads = "".join(head_cell(title, "col") for title in _columns(self.gold_name))
        body = "".join(
            f"<tr>{''.join(map(text_cell, _cells(point)))}</tr>" for point in self.points
        )
        fitted = f"<p>{as_html(_fit_told(self.fit))}</p>" if self.fit else ""
        return in_frame(
            f"<p>{as_html(self.meaning)}</p>",
            curve_svg(self),
            fitted,
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>",
        )


def over_optimisation(
    points: Iterable[CurvePoint], *, gold_start: float = 0.5, gold_name: str = "win rate"
) -> OverOptimisation:
    """The curve through versions that were trained one from the other.

    Args:
        points: In the order in which they were trained, without the start.
        gold_start: Gold of the start itself: 0.5 for a win rate against it.
        gold_name: What gold is called.

    Raises:
        NotEnoughData: no points.
    """
    found = tuple(points)
    if not found:
        raise NotEnoughData(
            "0 evaluated versions: the curve needs some. Train, and lab.evaluate() each version."
        )
    return OverOptimisation(
        points=found,
        gold_start=gold_start,
        gold_name=gold_name,
        fit=gao_fit(found, gold_start),
    )


def gao_fit(points: Sequence[CurvePoint], gold_start: float) -> GaoFit | None:
    """Weighted least squares of `d * (alpha - beta * log d)`, which is linear in both.

    Points count by how well they are known. There is no fit with fewer than 4 points away from
    the start, with all of them about as far from it, or where the two columns are so alike that
    luck decides which way the curve bends.

    Args:
        points: Those with a KL of 0 or below are left out.
        gold_start: Gold at distance 0.
    """
    away = [point for point in points if point.distance > 0]
    if len(away) < FEWEST_TO_FIT:
        return None
    d = np.array([point.distance for point in away])
    if d.max() < LEAST_SPREAD * d.min():
        return None
    gain = np.array([point.gold.estimate for point in away]) - gold_start
    weight = _weights(away)
    columns = np.stack([d, -d * np.log(d)], axis=1) * weight[:, None]
    scale = np.sqrt((columns**2).sum(axis=0))
    if not scale.all() or float(np.linalg.cond(columns / scale)) > WORST_CONDITION:
        return None
    (alpha, beta), *_ = np.linalg.lstsq(columns / scale, gain * weight, rcond=None)
    return GaoFit(
        alpha=float(alpha / scale[0]),
        beta=float(beta / scale[1]),
        points=len(away),
        farthest=float(d.max()),
        gold_start=gold_start,
    )


def _weights(points: Sequence[CurvePoint]) -> Floats:
    """One over the standard error; what has no width is as well known as the best that has one."""
    errors = np.array([(point.gold.high - point.gold.low) / (2 * _Z) for point in points])
    known = errors[errors > 0]
    return 1 / np.where(errors > 0, errors, known.min()) if len(known) else np.ones(len(points))


def curve_points(
    records: Iterable[VersionRecord], *, baseline: str, reward: str | None = None
) -> tuple[CurvePoint, ...]:
    """Policies as evaluated against the same baseline, by any judge, in the order given.

    Args:
        records: As from `store.version_records`.
        baseline: What they were compared with.
        reward: Only where this reward version was asked: scores of two reward models have no
            common scale. Default: whatever was asked.
    """
    found = []
    for record in records:
        for one in record.evaluations:
            if one.baseline != baseline or (reward is not None and one.reward != reward):
                continue
            found.append(
                CurvePoint(
                    version=record.version.name,
                    kl=one.kl,
                    gold=one.win_rate,
                    proxy=one.reward_gain,
                    reward=one.reward,
                    judge=one.judge,
                )
            )
    return tuple(found)


def stored_curve(
    store: PreferenceStore,
    version: str,
    *,
    baseline: str,
    reward: str | None = None,
    judge: str | None = None,
) -> OverOptimisation:
    """The curve along the ancestors of a policy, by the evaluations that a lab has stored.

    Args:
        store: The lab's.
        version: Where the line ends.
        baseline: What versions were compared with; the line begins after it.
        reward: Whose scores to show. Default: the one that the last evaluation of the line asked.
        judge: Whose win rates to show. Default: who judged the last evaluation of the line.

    Raises:
        UnknownVersion: there is no such version.
        NotEnoughData: none of the line was evaluated against this baseline.
    """
    line = [one.name for one in line_of(store, version)]
    names = line[: line.index(baseline)] if baseline in line else line
    records = {record.version.name: record for record in version_records(store)}
    oldest_first = [records[name] for name in reversed(names)]
    points = [
        point
        for point in curve_points(oldest_first, baseline=baseline, reward=reward)
        if judge is None or point.judge == judge
    ]
    if not points:
        raise NotEnoughData(
            f"no version from {baseline} to {version} was evaluated against {baseline}"
            f"{f' with {reward}' if reward else ''}{f' by {judge}' if judge else ''}: "
            "lab.evaluate() some of them."
        )
    points = [point for point in points if point.judge == points[-1].judge]
    if reward is None:
        points = [_with_scores_of(point, points[-1].reward) for point in points]
    return over_optimisation(points)


def _with_scores_of(point: CurvePoint, reward: str | None) -> CurvePoint:
    """Scores of another reward model have another scale: without them, gold alone is left."""
    if point.reward == reward:
        return point
    return replace(point, proxy=None, reward=None)


def _not_lower(last: Interval | None, best: Interval | None) -> bool:
    """Not for certain. Without a proxy nothing says that it was; then gold speaks alone."""
    return last is None or best is None or last.high >= best.estimate


def _rise(points: Sequence[CurvePoint]) -> str:
    proxies = [point.proxy.estimate for point in points if point.proxy is not None]
    if len(proxies) < 2:
        return ""
    way = "rose" if proxies[-1] > proxies[0] else "did not rise"
    return f", while the reward {way} from {proxies[0]:+.2f} to {proxies[-1]:+.2f} deviations"


def _fit_told(fit: GaoFit) -> str:
    curve = (
        f"Gao's curve through {counted(fit.points, 'points')}: gain = d ({fit.alpha:.3f} - "
        f"{fit.beta:.3f} log d), d the root of KL"
    )
    if fit.peak is None:
        return f"{curve}; no peak up to d = {fit.farthest:.1f}."
    return (
        f"{curve}; highest at d = {fit.peak:.1f}, KL {fit.peak**2:.1f} nats per response. It is a "
        "guide, not a measurement."
    )


def _columns(gold: str) -> tuple[str, ...]:
    return ("version", "root of KL", gold, "reward gain, deviations")


def _cells(point: CurvePoint) -> tuple[str, ...]:
    proxy = "–" if point.proxy is None else _told(point.proxy)
    return (point.version, f"{point.distance:.2f}", _told(point.gold), proxy)


def _told(value: Interval) -> str:
    return f"{value.estimate:.2f} [{value.low:.2f}, {value.high:.2f}]"
