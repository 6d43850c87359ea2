"""What one side measured, and what two of them say when held against a target."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of one side.

    Attributes:
        seconds: Of the work alone, without imports and loading.
        peak_mb: Peak memory in 10^6 bytes; None lets the peak of the side's process be filled in.
        details: Anything else worth reporting, as JSON.
    """

    seconds: float
    peak_mb: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SideFailed:
    """A side that did not finish; `reason` ends with the last lines of its output."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """A bound on one figure of a comparison, written down before it was measured."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, figures: Mapping[str, Any]) -> bool | None:
        """Whether the figure keeps the bound; None if it was not measured. NaN misses."""
        value = figures.get(self.figure)
        if value is None:
            return None
        above = self.at_least is None or value >= self.at_least
        below = self.at_most is None or value <= self.at_most
        return bool(above and below)

    def __str__(self) -> str:
        """As in "speedup ≥ 3"."""
        bounds = [("≥", self.at_least), ("≤", self.at_most)]
        return " and ".join(f"{self.figure} {s} {b:.3g}" for s, b in bounds if b is not None)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One workload as both sides did it.

    Attributes:
        workload: What was done, in words.
        ours: Ours, or how it failed.
        peer: The peer's, or how it failed.
        targets: Judged by `figures`; none for a quick run.
        extra: Figures that need both sides, by name.
    """

    workload: str
    ours: Measured | SideFailed
    peer: Measured | SideFailed
    targets: tuple[Target, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a side did not finish."""
        return isinstance(self.ours, SideFailed) or isinstance(self.peer, SideFailed)

    @property
    def figures(self) -> dict[str, Any]:
        """All figures by name; those of a failed side are missing."""
        found: dict[str, Any] = {}
        for name, side in (("ours", self.ours), ("peer", self.peer)):
            if isinstance(side, SideFailed):
                found[f"{name}_error"] = side.reason
            else:
                found |= {f"{name}_s": side.seconds, f"{name}_peak_mb": side.peak_mb}
                found |= {f"{name}_{key}": value for key, value in side.details.items()}
        found["speedup"] = _ratio(found.get("peer_s"), found.get("ours_s"))
        found["memory_ratio"] = _ratio(found.get("ours_peak_mb"), found.get("peer_peak_mb"))
        found |= self.extra
        return {key: value for key, value in found.items() if value is not None}

    def as_json(self) -> dict[str, Any]:
        """The workload, its figures, and each target with whether it was met."""
        figures = self.figures
        targets = [{**asdict(t), "met": t.met(figures)} for t in self.targets]
        return {"workload": self.workload, **figures, "targets": targets}


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def middle(runs: Sequence[Measured]) -> Measured:
    """Several runs of one side as one: median seconds, highest peak, details of the median run."""
    seconds = statistics.median_low([run.seconds for run in runs])
    chosen = next(run for run in runs if run.seconds == seconds)
    peaks = [run.peak_mb for run in runs if run.peak_mb is not None]
    return Measured(
        seconds=seconds,
        peak_mb=max(peaks, default=None),
        details={**chosen.details, "runs_s": [run.seconds for run in runs]},
    )
