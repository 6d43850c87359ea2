"""Appending to the record of judgments, and keeping what is derived from it in step.

Everything here runs inside the writing transaction, whose lock makes writers take turns: the
chain has one end, and what is derived never lags behind the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from rlhf_lab.store import chain, checks, judging, rows
from rlhf_lab.store.plan import read_plan
from rlhf_lab.store.tables import (
    ActiveRow,
    AnnotatorRow,
    AssignmentRow,
    ItemRow,
    JudgmentRow,
    ResponseRow,
    SettingRow,
)
from rlhf_lab.types import Judgment

# Rankings on these occasions are the ones that an item needs.
COUNTED = ("regular",)


def append(session: Session, judgment: Judgment, now: datetime) -> None:
    """Store one event that was checked already."""
    values = rows.judgment_values(judgment)
    values["occasion"] = _occasion(session, judgment, now)
    _insert(session, [values], chain.read_head(session))
    before, after = _active_before_and_after(session, judgment)
    gone = [row for row in before if row.id not in {e.id for e in after}]
    new = [row for row in after if row.id not in {e.id for e in before}]
    session.execute(delete(ActiveRow).where(ActiveRow.judgment_id.in_([e.id for e in gone])))
    counting = [_active_values(rows.to_judgment(event), event.seq) for event in new]
    checks.insert_rows(session, ActiveRow, counting)
    session.flush()
    changed = {judging.item_id(e.prompt_id, e.shown_order) for e in (*gone, *new)} - {None}
    refresh_items(session, (i for i in changed if i is not None), judgment.annotator, now)


def append_many(session: Session, judgments: Sequence[Judgment], now: datetime) -> None:
    """Store checked events that supersede nothing, such as imported ones."""
    values = [rows.judgment_values(judgment) for judgment in judgments]
    _insert(session, values, chain.read_head(session))
    ids = [judgment.id for judgment in judgments]
    seqs = select(JudgmentRow.id, JudgmentRow.seq)
    seq_of = {r.id: r.seq for r in checks.in_chunks(session, seqs, JudgmentRow.id, ids)}
    active = [_active_values(j, seq_of[j.id]) for j in judgments]
    checks.insert_rows(session, ActiveRow, active)
    pairs = {(judging.item_id(j.prompt_id, j.shown_order) or "", j.annotator) for j in judgments}
    known = checks.existing(session, ItemRow.id, {item for item, _ in pairs})
    for item, annotator in sorted(pair for pair in pairs if pair[0] in known):
        refresh_items(session, [item], annotator, now)


def refresh_items(session: Session, item_ids: Iterable[str], annotator: str, now: datetime) -> None:
    """Bring assignments and counts of items in step with the judgments that count.

    Args:
        session: A writing one.
        item_ids: The items.
        annotator: Whose assignments.
        now: Leases of what was taken back start here.
    """
    plan = read_plan(session)
    for item in item_ids:
        row = session.scalar(select(ItemRow).where(ItemRow.id == item))
        if row is None:
            continue  # ranked outside the queue
        _settle_assignments(session, row, annotator, now, plan.lease_seconds)
        row.done = _rankings_that_count(session, item)
        if row.state in ("open", "full"):
            row.state = "full" if plan.overlap and row.done >= plan.overlap else "open"
    session.flush()


def _occasion(session: Session, judgment: Judgment, now: datetime) -> str:
    """Why the item was shown: whoever judged does not know, and must not."""
    if judgment.supersedes is not None:
        named = JudgmentRow.id == judgment.supersedes
        return session.scalar(select(JudgmentRow.occasion).where(named)) or "regular"
    item = judging.item_id(judgment.prompt_id, judgment.shown_order)
    row = session.scalar(select(ItemRow).where(ItemRow.id == item))
    if row is None:
        return judgment.occasion
    held = session.scalar(
        select(AssignmentRow)
        .where(AssignmentRow.item_id == row.id, AssignmentRow.annotator == judgment.annotator)
        .where(AssignmentRow.judgment_id.is_(None))
        .order_by(AssignmentRow.leased_until.desc())
        .limit(1)
    )
    occasion = judgment.occasion if held is None else held.occasion
    if occasion == "regular" and _too_late(session, row, held, now):
        if held is not None:
            held.occasion = "extra"
            session.flush()
        return "extra"
    return "gold" if row.state == "gold" and occasion == "regular" else occasion


def _too_late(session: Session, item: ItemRow, held: AssignmentRow | None, now: datetime) -> bool:
    """Whether others have the item's places: nothing is refused, but it is not counted twice."""
    overlap = read_plan(session).overlap
    if overlap is None or item.state not in ("open", "full"):
        return False
    if held is not None and held.leased_until > now:
        return False
    leases = session.scalar(
        select(func.count(AssignmentRow.seq))
        .where(AssignmentRow.item_id == item.id, AssignmentRow.occasion == "regular")
        .where(AssignmentRow.judgment_id.is_(None), AssignmentRow.leased_until > now)
    )
    return item.done + (leases or 0) >= overlap


def _insert(session: Session, values: list[rows.Values], head: chain.Head) -> None:
    shown = {i for row in values for i in row["shown_order"]}
    digests = _digests(session, shown)
    for row in values:
        of = [(i, digests[i]) for i in row["shown_order"]]
        row["hash"] = chain.link(head.hash, row, of)
        head = chain.Head(head.length + 1, row["hash"])
    checks.insert_rows(session, JudgmentRow, values)
    session.merge(SettingRow(key=chain.SETTING, value=head.as_setting()))
    _note_annotators(session, values)


def _digests(session: Session, ids: Iterable[str]) -> dict[str, str]:
    columns = select(ResponseRow.id, ResponseRow.version, ResponseRow.text)
    return {
        row.id: chain.response_digest(row.version, row.text)
        for row in checks.in_chunks(session, columns, ResponseRow.id, ids)
    }


def _note_annotators(session: Session, values: list[rows.Values]) -> None:
    first = {row["annotator"]: row["created_at"] for row in reversed(values)}
    known = checks.existing(session, AnnotatorRow.name, first)
    new = [name for name in first if name not in known]
    checks.insert_rows(
        session,
        AnnotatorRow,
        [{"name": n, "role": "annotator", "created_at": first[n]} for n in new],
    )


def _active_before_and_after(
    session: Session, judgment: Judgment
) -> tuple[list[JudgmentRow], list[JudgmentRow]]:
    """Of the judge's events on the prompt, which no chain of corrections leaves."""
    after = list(
        session.scalars(
            select(JudgmentRow)
            .where(JudgmentRow.prompt_id == judgment.prompt_id)
            .where(JudgmentRow.annotator == judgment.annotator)
            .order_by(JudgmentRow.seq)
        )
    )
    before = [event for event in after if event.id != judgment.id]
    return judging.active_events(before), judging.active_events(after)


def _active_values(event: Judgment, seq: int) -> rows.Values:
    return {
        "judgment_id": event.id,
        "seq": seq,
        "prompt_id": event.prompt_id,
        "annotator": event.annotator,
        "kind": event.kind,
        "occasion": event.occasion,
        "item_id": judging.item_id(event.prompt_id, event.shown_order),
    }


def _settle_assignments(
    session: Session, item: ItemRow, annotator: str, now: datetime, lease_seconds: float
) -> None:
    """Each of the annotator's assignments of an item names the judgment that finished it."""
    latest = {
        row.occasion: row.judgment_id
        for row in session.scalars(
            select(ActiveRow)
            .where(ActiveRow.item_id == item.id, ActiveRow.annotator == annotator)
            .where(ActiveRow.kind.in_(("ranking", "skip")))
            .order_by(ActiveRow.seq)
        )
    }
    held = session.scalars(
        select(AssignmentRow).where(
            AssignmentRow.item_id == item.id, AssignmentRow.annotator == annotator
        )
    )
    for assignment in held.all():
        found = latest.pop(assignment.occasion, None)
        if found is None and assignment.judgment_id is not None:
            # Taken back: the place stays this annotator's for as long as a new item would.
            assignment.leased_until = now + timedelta(seconds=lease_seconds)
        assignment.judgment_id = found
    session.flush()
    for occasion, judgment_id in latest.items():  # ranked without having been handed out
        session.execute(
            # A row of its own, so that the item is not offered to the same person again.
            insert(AssignmentRow).values(
                item_id=item.id,
                item_seq=item.seq,
                version=item.version,
                annotator=annotator,
                occasion=occasion,
                leased_until=now,
                judgment_id=judgment_id,
            )
        )


def _rankings_that_count(session: Session, item: str) -> int:
    query = (
        select(func.count(ActiveRow.annotator.distinct()))
        .where(ActiveRow.item_id == item, ActiveRow.kind == "ranking")
        .where(ActiveRow.occasion.in_(COUNTED))
    )
    return session.scalar(query) or 0
