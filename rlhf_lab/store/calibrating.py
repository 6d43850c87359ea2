"""The calibration set: known answers that newcomers rank first, each told once they have answered.

It is made of items like any other, so what was said of them is in the record. It is kept apart by
its occasion: what somebody says who is about to be told the answer is no measure of their work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.errors import ConfigError
from rlhf_lab.store import checks, judging, rows
from rlhf_lab.store.handing_out import blind_order
from rlhf_lab.store.tables import ActiveRow, ItemRow, JudgmentRow, PromptRow, SettingRow
from rlhf_lab.types import Judgment, KnownItem, Ranking, RankingItem

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
    asked = [row for i, row in found.items() if i not in said or said[i].occasion in _UNTOLD]
    orders = [
        said[row.id].shown_order if row.id in said else blind_order(seed, annotator, row.candidates)
        for row in asked
    ]
    return [
        KnownItem(item=item, answer=_answer(row), said=said.get(row.id))
        for row, item in zip(asked, _shown(session, asked, orders), strict=True)
    ]


def rankings_to_know(session: Session, annotator: str, most: int) -> list[KnownItem]:
    """Their rankings that `items.make_gold` could take for known answers, the latest first.

    Args:
        session: To read with.
        annotator: A researcher.
        most: How many at most.
    """
    query = (
        select(ItemRow, JudgmentRow)
        .join(ActiveRow, ActiveRow.item_id == ItemRow.id)
        .join(JudgmentRow, JudgmentRow.id == ActiveRow.judgment_id)
        .where(ActiveRow.annotator == annotator, ActiveRow.kind == "ranking")
        .where(ItemRow.state.in_(("open", "full")))
        .order_by(ActiveRow.seq.desc())
    )
    found = [(item, rows.to_judgment(said)) for item, said in session.execute(query.limit(most))]
    shown = _shown(session, [item for item, _ in found], [said.shown_order for _, said in found])
    return [
        KnownItem(item=item, answer=said.ranking, said=said)
        for item, (_, said) in zip(shown, found, strict=True)
        if said.ranking
    ]


def _first_said(
    session: Session, annotator: str, items: Mapping[str, ItemRow]
) -> dict[str, Judgment]:
    """Their first ranking or skip of each item, also one that was replaced or taken back."""
    theirs = select(JudgmentRow).where(
        JudgmentRow.annotator == annotator, JudgmentRow.kind.in_(("ranking", "skip"))
    )
    prompts = {row.prompt_id for row in items.values()}
    events = [row for (row,) in checks.in_chunks(session, theirs, JudgmentRow.prompt_id, prompts)]
    first: dict[str, JudgmentRow] = {}
    for event in sorted(events, key=lambda row: row.seq):
        item = judging.item_id(event.prompt_id, event.shown_order)
        if item is not None:
            first.setdefault(item, event)
    return {i: rows.to_judgment(event) for i, event in first.items() if i in items}


def _shown(
    session: Session, items: Sequence[ItemRow], orders: Sequence[Sequence[str]]
) -> list[RankingItem]:
    """The items with their candidates in these orders."""
    ids = {row.prompt_id for row in items}
    found = checks.in_chunks(session, select(PromptRow), PromptRow.id, ids)
    prompts = {row.id: rows.to_prompt(row) for (row,) in found}
    wanted = dict.fromkeys(i for order in orders for i in order)
    responses = {response.id: response for response in checks.by_ids(session, wanted)}
    return [
        RankingItem(prompt=prompts[row.prompt_id], candidates=tuple(responses[i] for i in order))
        for row, order in zip(items, orders, strict=True)
    ]


def _answer(item: ItemRow) -> Ranking:
    return Ranking(tiers=tuple(tuple(tier) for tier in item.answer or ()))
