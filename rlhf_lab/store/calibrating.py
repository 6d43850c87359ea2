"""The calibration set: known answers that newcomers rank first, each told once they have answered.

It is made of items like any other, so what was said of them is in the record. It is kept apart by
its occasion: what somebody says who is about to be told the answer is no measure of their work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.errors import ConfigError
from rlhf_lab.store import checks, judging, rows
from rlhf_lab.store.handing_out import blind_order
from rlhf_lab.store.tables import ItemRow, JudgmentRow, PromptRow, SettingRow
from rlhf_lab.types import Judgment, KnownItem, Prompt, Ranking, RankingItem, Response

SETTING: Final = "calibration"
_MOST: Final = 200
_UNTOLD = ("calibration", "gold")  # said without having been told the answer


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """Whether newcomers begin with the calibration set, and how much of it there is.

    Attributes:
        enabled: Whether they are asked to.
        items: It has the known answers whose items were made first, so many at most. The others
            stay for the plan's `gold_rate`, which tells nobody the answer.
    """

    enabled: bool = False
    items: int = 10

    def __post_init__(self) -> None:
        """Check the range in the cell that made the mistake."""
        if not 1 <= self.items <= _MOST:
            raise ConfigError(
                f"items={self.items}: from 1 to {_MOST}. Ten take a quarter of an hour."
            )


def read_calibration(session: Session) -> CalibrationPlan:
    """The lab's; the default one if none was made."""
    row = session.get(SettingRow, SETTING)
    return CalibrationPlan() if row is None else CalibrationPlan(**row.value)


def write_calibration(session: Session, plan: CalibrationPlan) -> None:
    """Make this the lab's."""
    session.merge(SettingRow(key=SETTING, value=asdict(plan)))


def known_answers(session: Session) -> int:
    """How many items have a known answer."""
    return session.scalar(select(func.count(ItemRow.seq)).where(ItemRow.state == "gold")) or 0


def known_items(session: Session, annotator: str, seed: int) -> list[KnownItem]:
    """The calibration set of one annotator, in order, with what they said of it.

    Without items that they ranked before the answer was known: often the answer is their own.
    """
    plan = read_calibration(session)
    gold = select(ItemRow).where(ItemRow.state == "gold").order_by(ItemRow.seq)
    found = {row.id: row for row in session.scalars(gold.limit(plan.items))}
    said = _first_said(session, annotator, found)
    asked = [
        row for i, row in found.items() if i not in said or (said[i].occasion or "") in _UNTOLD
    ]
    prompts, responses = _texts(session, asked)
    judgments = {i: rows.to_judgment(row) for i, row in said.items()}
    return [
        _known(row, annotator, seed, judgments.get(row.id), prompts, responses) for row in asked
    ]


def _first_said(
    session: Session, annotator: str, items: Mapping[str, ItemRow]
) -> dict[str, JudgmentRow]:
    """Their first ranking or skip of each item, also one that was replaced or taken back."""
    theirs = select(JudgmentRow).where(
        JudgmentRow.annotator == annotator, JudgmentRow.kind.in_(("ranking", "skip"))
    )
    prompts = {row.prompt_id for row in items.values()}
    events = [row for (row,) in checks.in_chunks(session, theirs, JudgmentRow.prompt_id, prompts)]
    first: dict[str, JudgmentRow] = {}
    for event in sorted(events, key=lambda row: row.seq):
        item = judging.item_id(event.prompt_id, event.shown_order)
        if item in items:
            first.setdefault(str(item), event)
    return first


def _texts(session: Session, items: list[ItemRow]) -> tuple[dict[str, Prompt], dict[str, Response]]:
    ids = [row.prompt_id for row in items]
    found = checks.in_chunks(session, select(PromptRow), PromptRow.id, ids)
    prompts = {row.id: rows.to_prompt(row) for (row,) in found}
    candidates = (i for row in items for i in row.candidates)
    return prompts, {r.id: r for r in checks.by_ids(session, dict.fromkeys(candidates))}


def _known(
    row: ItemRow,
    annotator: str,
    seed: int,
    said: Judgment | None,
    prompts: Mapping[str, Prompt],
    responses: Mapping[str, Response],
) -> KnownItem:
    order = said.shown_order if said else blind_order(seed, annotator, row.candidates)
    candidates = tuple(responses[i] for i in order)
    item = RankingItem(prompt=prompts[row.prompt_id], candidates=candidates)
    tiers = tuple(tuple(tier) for tier in row.answer or ())
    return KnownItem(item=item, answer=Ranking(tiers=tiers), said=said)
