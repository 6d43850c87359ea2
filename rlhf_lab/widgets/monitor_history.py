"""The points of a run, and which of them a page has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from rlhf_lab.widgets import sendable

REBASE_AFTER = 200
"""So many points are sent again with every change before they move into the part that is not."""

DIGITS = 6
"""Significant digits that are kept: more than a person reads, and half of what JSON would hold."""


class Points(TypedDict):
    """Steps, and for each series a value or None at each of them."""

    steps: list[int]
    values: dict[str, list[float | None]]


class History:
    """Series over ascending steps, in two parts: a base that is sent seldom, and what came since.

    Attributes:
        steps: Of all points.
        base: Grows with every new base.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Without points."""
        self.steps: list[int] = []
        self.base = 0
        self._values: dict[str, list[float | None]] = {name: [] for name in names}
        self._based = 0
        self._stale = False

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Append a point, or add to the last one.

        A step before the last one means that the run went back: what came after it goes.
        Names that no chart shows are left out; what is no finite number becomes a gap.
        """
        while self.steps and self.steps[-1] > step:
            self._drop_last()
        if not self.steps or self.steps[-1] < step:
            self.steps.append(step)
            for values in self._values.values():
                values.append(None)
        elif len(self.steps) <= self._based:
            self._stale = True  # the page has this point, without the new figures
        for name, value in figures.items():
            if name in self._values:
                self._values[name][-1] = sendable.number(value, DIGITS)

    def rebase(self, *, at_once: bool = False) -> bool:
        """Move all points into the base when there are many, or must be; whether it was done."""
        since = len(self.steps) - self._based
        if not (at_once or self._stale or since >= REBASE_AFTER):
            return False
        self.base += 1
        self._based = len(self.steps)
        self._stale = False
        return True

    def based(self) -> Points:
        """Points of the base."""
        return self._part(0, self._based)

    def since(self) -> Points:
        """Points after the base."""
        return self._part(self._based, len(self.steps))

    def all(self) -> Points:
        """Every point."""
        return self._part(0, len(self.steps))

    def _part(self, start: int, end: int) -> Points:
        values = {name: column[start:end] for name, column in self._values.items()}
        return Points(steps=self.steps[start:end], values=values)

    def _drop_last(self) -> None:
        self.steps.pop()
        for values in self._values.values():
            values.pop()
        if len(self.steps) < self._based:
            self._based, self._stale = len(self.steps), True
