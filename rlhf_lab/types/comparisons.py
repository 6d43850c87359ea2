"""Two versions, compared by a person on the same prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rlhf_lab.types.intervals import values_to_tell, wilson_interval
from rlhf_lab.types.models import Interval

ComparisonVerdict = Literal["first", "second", "unclear"]

# Beyond so many comparisons nobody goes on: the two are as good as equal.
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class ComparisonReport:
    """What one person said about two versions so far. It names them: do not look while comparing.

    Attributes:
        first: Name of one version.
        second: Name of the other.
        annotator: Who compared.
        wins: Prompts where the first version's response was preferred.
        losses: Prompts where the second's was.
        ties: Prompts where neither was.
        skipped: Prompts without an opinion.
        total: Prompts that there are to compare.
        unlike: Of those compared, how many where the two responses were drawn with different
            settings.
    """

    first: str
    second: str
    annotator: str
    wins: int = 0
    losses: int = 0
    ties: int = 0
    skipped: int = 0
    total: int = 0
    unlike: int = 0

    @property
    def compared(self) -> int:
        """How many prompts have an opinion, ties included."""
        return self.wins + self.losses + self.ties

    @property
    def done(self) -> int:
        """How many prompts are compared or skipped."""
        return self.compared + self.skipped

    @property
    def win_rate(self) -> Interval | None:
        """Share of prompts that the first version won, ties counting one half; None for none.

        With Wilson's 95% interval.
        """
        if not self.compared:
            return None
        return wilson_interval((self.wins + self.ties / 2) / self.compared, self.compared)

    @property
    def lead(self) -> Interval | None:
        """The win rate of whichever version leads: it does not say which one."""
        rate = self.win_rate
        if rate is None or rate.estimate >= 0.5:
            return rate
        return Interval(estimate=1 - rate.estimate, low=1 - rate.high, high=1 - rate.low, n=rate.n)

    @property
    def verdict(self) -> ComparisonVerdict | None:
        """Which version is preferred, if the whole interval lies on one side of one half."""
        rate = self.win_rate
        if rate is None:
            return None
        if rate.low > 0.5:
            return "first"
        return "second" if rate.high < 0.5 else "unclear"

    @property
    def needed(self) -> int | None:
        """How many comparisons this win rate would take to be told from one half.

        None where it is one half, or so near that it would take more than 10,000.
        """
        rate = self.win_rate
        needed = rate and values_to_tell(rate.estimate)
        return needed if needed and needed <= _MOST else None

    def __str__(self) -> str:
        """Counts, win rate, and whether that is a difference."""
        counts = (
            f"{self.first} {self.wins}, {self.second} {self.losses}, ties {self.ties}, "
            f"skipped {self.skipped}, {self.done} of {self.total} done"
        )
        if self.win_rate is None:
            return f"{self.first} against {self.second} by {self.annotator}: {counts}"
        told = {
            "first": f"{self.first} is preferred",
            "second": f"{self.second} is preferred",
            "unclear": "no difference shown",
        }[self.verdict or "unclear"]
        return (
            f"{self.first} against {self.second}: win rate {self.win_rate} by {self.annotator}, "
            f"{told} ({counts})"
        )

    __repr__ = __str__


def joint_win_rate(reports: Sequence[ComparisonReport]) -> Interval | None:
    """The win rate of the first version over everybody's comparisons; None where there are none.

    People compare the same prompts, and what two of them say of one is not independent: the
    interval counts prompts, as many as whoever compared most.

    Args:
        reports: All of the same two versions, in the same order.
    """
    compared = sum(report.compared for report in reports)
    if not compared:
        return None
    points = sum(report.wins + report.ties / 2 for report in reports)
    return wilson_interval(points / compared, max(report.compared for report in reports))
