"""What one reward update learned, as a person reads it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from rlhf_lab.algorithms import Calibration, ReliabilityBin
from rlhf_lab.types import Alarm, Interval

KeptBy = Literal[
    "the last",
    "lowest held-out loss",
    "the last: too few held-out prompts",
    "the last: stopped by hand",
]


@dataclass(frozen=True, kw_only=True)
class RewardReport:
    """What one reward update learned.

    Accuracies are shares of ordered pairs whose better response scores higher; their 95%
    intervals take prompts, not pairs or judgments, as what was sampled. Fields with a default are
    missing from the reports of versions made by an older release.

    Attributes:
        version: The version it made.
        rankings: New training rankings.
        replayed: Old ones mixed into each epoch.
        pairs: Ordered pairs among the new training rankings.
        loss_first: Ranking loss in nats per ranking, margins included, over the first half epoch.
        loss_last: The same over the last half of the epoch that was kept.
        heldout_accuracy: On held-out prompts; None when no held-out prompt was ranked.
        prequential_accuracy: On the new rankings, scored before learning from them; None when
            all were ties.
        calibration: Of the probabilities on held-out prompts; None as for `heldout_accuracy`.
        epochs: Passes made over the new rankings.
        kept_epoch: The pass whose weights became the version; 1 is the first.
        kept_by: Why that one.
        repeated_pairs: Pairs of responses that two or more judgments put in an order.
        contradicting_pairs: Those of them that were put in both orders.
        alarm: The version before liked later policies better and better, but not what people
            liked in them.
    """

    version: str
    rankings: int
    replayed: int
    pairs: int
    loss_first: float
    loss_last: float
    heldout_accuracy: Interval | None
    prequential_accuracy: Interval | None
    seconds: float
    calibration: Calibration | None = None
    epochs: int | None = None
    kept_epoch: int | None = None
    kept_by: KeptBy = "the last"
    repeated_pairs: int = 0
    contradicting_pairs: int = 0
    alarm: Alarm | None = None

    @classmethod
    def from_state(cls, stored: Mapping[str, Any]) -> Self:
        """The report that `as_state` was made from, of this release or an older one."""
        intervals = {
            name: Interval(**stored[name]) if stored[name] else None
            for name in ("heldout_accuracy", "prequential_accuracy")
        }
        calibration = stored.get("calibration")
        if calibration:
            bins = tuple(ReliabilityBin(**b) for b in calibration["bins"])
            calibration = Calibration(**{**calibration, "bins": bins})
        alarm = Alarm(*stored["alarm"]) if stored.get("alarm") else None
        return cls(**{**stored, **intervals, "calibration": calibration, "alarm": alarm})

    def as_state(self) -> dict[str, Any]:
        """JSON form, kept inside the version's checkpoint."""
        return asdict(self)

    def __str__(self) -> str:
        """One line, and one for an alarm."""
        parts = [
            f"{self.version}: {self.rankings} new rankings (+ {self.replayed} replayed)",
            f"loss {self.loss_first:.2f} → {self.loss_last:.2f}",
            f"accuracy on held-out prompts {self.heldout_accuracy or 'not measured'}",
            f"before learning {self.prequential_accuracy or 'not measured'}",
        ]
        if self.calibration:
            parts.append(f"calibration error {self.calibration}")
        if self.kept_by != "the last":
            parts.append(f"epoch {self._kept()}")
        if self.contradicting_pairs:
            parts.append(f"{self._contradictions()} contradict each other")
        told = f"\nAlarm: {self.alarm}" if self.alarm else ""
        return ", ".join([*parts, f"{self.seconds:.0f} s"]) + told

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th style='text-align:left'>{k}</th><td style='text-align:left'>{v}</td></tr>"
            for k, v in self._rows()
        )
        curve = reliability_curve(self.calibration) if self.calibration else ""
        told = f"<p><b>Alarm</b>: {html.escape(str(self.alarm))}</p>" if self.alarm else ""
        return f"<table><caption>{self.version}</caption>{body}</table>{told}{curve}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "new rankings", f"{self.rankings} (+ {self.replayed} replayed)"
        yield "ordered pairs", f"{self.pairs}"
        yield "loss", f"{self.loss_first:.3f} → {self.loss_last:.3f}"
        yield "accuracy on held-out prompts", str(self.heldout_accuracy or "no held-out rankings")
        yield "accuracy before learning", str(self.prequential_accuracy or "–")
        yield "calibration error, held-out", str(self.calibration or "–")
        if self.epochs:
            yield "epoch kept", self._kept()
        if self.repeated_pairs:
            yield "contradictions", self._contradictions()
        yield "seconds", f"{self.seconds:.0f}"

    def _kept(self) -> str:
        return f"{self.kept_epoch} of {self.epochs} ({self.kept_by})"

    def _contradictions(self) -> str:
        return f"{self.contradicting_pairs} of {self.repeated_pairs} pairs judged more than once"


def reliability_curve(calibration: Calibration) -> str:
    """The curve as an inline SVG: points on the line are probabilities that can be believed.

    Points below it are too sure, points above too cautious; a point's area is its share of pairs.
    """
    # Confidence 0.5 to 1 goes to the right, accuracy 0 to 1 upwards, each over 120 units.
    dots = "".join(
        f"<circle cx='{_x(b.confidence):.1f}' cy='{_y(b.accuracy):.1f}' "
        f"r='{2 + 8 * (b.pairs / calibration.pairs) ** 0.5:.1f}' fill='#2563eb' fill-opacity='.7'>"
        f"<title>{b.pairs} pairs: {b.confidence:.2f} sure, {b.accuracy:.2f} right</title></circle>"
        for b in calibration.bins
    )
    return (
        "<svg role='img' aria-label='reliability curve' width='210' height='180' "
        "viewBox='0 0 210 180' font-size='10' fill='currentColor' stroke='none'>"
        f"<path d='M{_x(0.5)} {_y(1)}V{_y(0)}H{_x(1)}M{_x(0.5)} {_y(0.5)}L{_x(1)} {_y(1)}' "
        "fill='none' stroke='currentColor' stroke-opacity='.5'/>"
        f"<g text-anchor='end'><text x='{_x(0.5) - 4}' y='{_y(1) + 4}'>1</text>"
        f"<text x='{_x(0.5) - 4}' y='{_y(0.5) + 4}'>0.5</text>"
        f"<text x='{_x(0.5) - 4}' y='{_y(0) + 4}'>0</text></g>"
        f"<g text-anchor='middle'><text x='{_x(0.5)}' y='{_y(0) + 14}'>0.5</text>"
        f"<text x='{_x(1)}' y='{_y(0) + 14}'>1</text>"
        f"<text x='{_x(0.75)}' y='{_y(0) + 28}'>how sure</text></g>"
        f"<text x='{_x(0.5)}' y='12'>how often right</text>{dots}</svg>"
    )


def _x(confidence: float) -> float:
    return 40 + 240 * (confidence - 0.5)


def _y(accuracy: float) -> float:
    return 142 - 120 * accuracy
