"""How the work is shared out among annotators: one plan per lab, the same for every process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import get_args

from sqlalchemy.orm import Session

from rlhf_lab.errors import ConfigError
from rlhf_lab.store.tables import SettingRow
from rlhf_lab.types import Strategy

SETTING = "plan"
_LONGEST_LEASE = 365 * 24 * 3600
_AHEAD_ALONE, _AHEAD_SHARED = 48, 8


@dataclass(frozen=True, kw_only=True)
class AssignmentPlan:
    """Who is to judge what.

    Attributes:
        overlap: How many annotators rank each item; None for everybody.
        shuffled: Give each annotator an order of their own; otherwise the order items were made.
        gold_rate: Share of items with a known answer among those handed out.
        repeat_rate: Share of items that the annotator has ranked before, to see how far people
            agree with themselves.
        repeat_after: A repeated item has been followed by at least so many others.
        lease_seconds: How long an item stays reserved for whoever it was handed to.
        strategy: "informative" hands out first what would teach the reward model most, but for a
            random share; `shuffled` then says nothing. "random" as `shuffled` says.
    """

    overlap: int | None = None
    shuffled: bool = False
    gold_rate: float = 0.0
    repeat_rate: float = 0.0
    repeat_after: int = 10
    lease_seconds: float = 1800.0
    strategy: Strategy = "random"

    def __post_init__(self) -> None:
        """Check every range in the cell that made the mistake."""
        if self.overlap is not None and self.overlap < 1:
            raise ConfigError(
                f"overlap={self.overlap}: at least 1 annotator per item, or None for everybody."
            )
        if not (self.gold_rate >= 0 and self.repeat_rate >= 0) or not (
            self.gold_rate + self.repeat_rate < 1
        ):
            raise ConfigError(
                f"gold_rate={self.gold_rate}, repeat_rate={self.repeat_rate}: shares of what is "
                "handed out, 0 or more, and together below 1. Use 0.05 each."
            )
        if self.repeat_after < 1:
            raise ConfigError(
                f"repeat_after={self.repeat_after}: at least 1 other item in between. Use 10."
            )
        check_strategy(self.strategy)
        if not 0 < self.lease_seconds <= _LONGEST_LEASE:
            raise ConfigError(
                f"lease_seconds={self.lease_seconds}: above 0, and at most {_LONGEST_LEASE}, a "
                "year. Use 1800, half an hour."
            )

    @property
    def ahead(self) -> int:
        """How many items to hand out to somebody who did not say how many.

        Where an item is for so many people and no more, what one has in hand others wait for.
        """
        return _AHEAD_ALONE if self.overlap is None else _AHEAD_SHARED


def check_strategy(strategy: str) -> None:
    """Refuse what is no way to choose items.

    Raises:
        ConfigError: it is none.
    """
    if strategy not in get_args(Strategy):
        raise ConfigError(
            f"strategy={strategy!r:.40}: 'random', or 'informative' for what would teach the "
            "reward model most."
        )


def read_plan(session: Session) -> AssignmentPlan:
    """The lab's plan; the default one if none was made."""
    row = session.get(SettingRow, SETTING)
    return AssignmentPlan() if row is None else AssignmentPlan(**row.value)


def write_plan(session: Session, plan: AssignmentPlan) -> None:
    """Make this the lab's plan."""
    session.merge(SettingRow(key=SETTING, value=asdict(plan)))
