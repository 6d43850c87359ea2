"""How far two versions are apart, told so seldom that it gives no single answer away."""

from __future__ import annotations

from typing import Final

from rlhf_lab.types import ComparisonReport, Interval

LEAD_EVERY: Final = 5
"""After so many comparisons the lead is told, and told anew.

Told after every one, its going up or down would say which version each answer was for.
"""


class Lead:
    """The win rate of whichever version leads, as of some answers ago.

    What counts is by how much the outcomes moved since it was told: an answer that is taken back
    and given again the same moves nothing.

    Attributes:
        told: What may be shown; None before the fifth comparison.
    """

    def __init__(self) -> None:
        """Nothing is told yet."""
        self.told: Interval | None = None
        self._outcomes: tuple[int, int, int] | None = None
        self._moved_before = 0

    def look(self, report: ComparisonReport) -> None:
        """Renew it, if that gives away no single answer."""
        outcomes = (report.wins, report.losses, report.ties)
        if self._outcomes is None:
            # Answers of an earlier sitting: it is told where that one told it.
            self._moved_before = report.compared % LEAD_EVERY
            self._outcomes = outcomes
            if not self._moved_before:
                self._tell(report)
        moved = sum(abs(now - then) for now, then in zip(outcomes, self._outcomes, strict=True))
        if moved + self._moved_before >= LEAD_EVERY:
            self._outcomes, self._moved_before = outcomes, 0
            self._tell(report)

    def _tell(self, report: ComparisonReport) -> None:
        self.told = report.lead if report.compared >= LEAD_EVERY else None
