"""Appending to the record of judgments, and keeping what is derived from it in step.

Everything here runs inside the writing transaction, whose lock makes writers take turns: the
chain has one end, and what is derived never lags behind the record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from rlhf_lab.store import chain, checks, judging, rows
from rlhf_lab.store.plan import AssignmentPlan, read_plan
from rlhf_lab.store.tables import (
    ActiveRow,
    AnnotatorRow,
    AssignmentRow,
    ItemRow,
    JudgmentRow,
    ResponseRow,
)
from rlhf_lab.types import Judgment

# Rankings on these occasions are the ones that an item needs.
COUNTED = ("regular",)

# Written once: making a statement takes longer than running it, and people wait for these.
_ITEMS = select(ItemRow)
_ITEM = _ITEMS.where(ItemRow.id == bindparam("item"))
_ASSIGNMENTS = select(AssignmentRow)
_SPOKEN = select(ActiveRow).where(ActiveRow.kind.in_(("ranking", "skip")))
_SHOWN = select(ResponseRow.id, ResponseRow.version, ResponseRow.text)
# What an annotator was asked about an item and has not answered, if anything.
_HELD = (
    _ASSIGNMENTS.where(AssignmentRow.item_id == bindparam("item"))
    .where(AssignmentRow.annotator == bindparam("annotator"), AssignmentRow.judgment_id.is_(None))
    .order_by(AssignmentRow.leased_until.desc())
    .limit(1)
)
_OF_PROMPT = (
    select(JudgmentRow)
    .where(JudgmentRow.prompt_id == bindparam("prompt"))
    .where(JudgmentRow.annotator == bindparam("annotator"))
    .order_by(JudgmentRow.seq)
)


def append(session: Session, judgment: Judgment, now: datetime) -> None:
    """Store one event that was checked already."""
    plan = read_plan(session)
    of_item = judging.item_id(judgment.prompt_id, judgment.shown_order)
    item = session.scalar(_ITEM, {"item": of_item})
    held = session.scalar(_HELD, {"item": of_item, "annotator": judgment.annotator})
    judgment = _replacing(session, judgment, of_item, held)
    values = rows.judgment_values(judgment)
    values["occasion"] = _occasion(session, judgment, item, held, plan, now)
    _insert(session, [values], chain.read_head(session))
    before, after = _active_before_and_after(session, judgment)
    gone = [row for row in before if row.id not in {e.id for e in after}]
    new = [row for row in after if row.id not in {e.id for e in before}]
    if gone:
        session.execute(delete(ActiveRow).where(ActiveRow.judgment_id.in_([e.id for e in gone])))
    counting = [_active_values(rows.to_judgment(event), event.seq) for event in new]
    checks.insert_rows(session, ActiveRow, counting)
    session.flush()
    changed = {judging.item_id(e.prompt_id, e.shown_order) for e in (*gone, *new)}
    _refresh_items(session, [(item, judgment.annotator) for item in changed if item], plan, now)


def append_many(session: Session, judgments: Sequence[Judgment], now: datetime) -> None:
    """Store checked events that supersede nothing, such as imported ones."""
    values = [rows.judgment_values(judgment) for judgment in judgments]
    _insert(session, values, chain.read_head(session))
    ids = [judgment.id for judgment in judgments]
    seqs = select(JudgmentRow.id, JudgmentRow.seq)
    seq_of = {r.id: r.seq for r in checks.in_chunks(session, seqs, JudgmentRow.id, ids)}
    active = [_active_values(j, seq_of[j.id]) for j in judgments]
    checks.insert_rows(session, ActiveRow, active)
    refresh_items(session, [(j["item_id"], j["annotator"]) for j in active if j["item_id"]], now)


def refresh_items(session: Session, judged: Iterable[tuple[str, str]], now: datetime) -> None:
    """Bring assignments and counts of items in step with the judgments that count.

    Args:
        session: A writing one.
        judged: Item and annotator, wherever what they said changed.
        now: Leases of what was taken back start here.
    """
    _refresh_items(session, judged, read_plan(session), now)


def _refresh_items(
    session: Session, judged: Iterable[tuple[str, str]], plan: AssignmentPlan, now: datetime
) -> None:
    people = defaultdict(set)
    for item, annotator in judged:
        people[item].add(annotator)
    for items in checks.batches(list(people)):
        # Those ranked outside the queue have no row.
        found = [row for (row,) in checks.in_chunks(session, _ITEMS, ItemRow.id, items)]
        _refresh(session, {row: people[row.id] for row in found}, plan, now)


def has_place(session: Session, item_id: str | None, annotator: str, now: datetime) -> bool:
    """Whether an item needs a ranking of theirs: others leave a place, or they fill one already.

    Others fill a place by ranking the item, and by having it in hand. An item that was never handed
    out has any number of places, and so has one whose answer is known.
    """
    item = session.scalar(select(ItemRow).where(ItemRow.id == item_id))
    overlap = read_plan(session).overlap
    if item is None or overlap is None or item.state not in ("open", "full"):
        return True
    said = list(session.scalars(select(ActiveRow).where(ActiveRow.item_id == item.id)))
    if any(_counts(active) for active in said if active.annotator == annotator):
        return True
    held: dict[tuple[str, str], list[AssignmentRow]] = defaultdict(list)
    for row in session.scalars(select(AssignmentRow).where(AssignmentRow.item_id == item.id)):
        held[row.item_id, row.annotator].append(row)
    return _places_of_others(item.id, annotator, said, held, now) < overlap


def _refresh(
    session: Session, people: dict[ItemRow, set[str]], plan: AssignmentPlan, now: datetime
) -> None:
    ids = [item.id for item in people]
    said: dict[str, list[ActiveRow]] = defaultdict(list)
    for (active,) in checks.in_chunks(session, _SPOKEN, ActiveRow.item_id, ids):
        said[active.item_id].append(active)
    held: dict[tuple[str, str], list[AssignmentRow]] = defaultdict(list)
    for (row,) in checks.in_chunks(session, _ASSIGNMENTS, AssignmentRow.item_id, ids):
        held[row.item_id, row.annotator].append(row)
    unasked: list[rows.Values] = []
    for item, annotators in people.items():
        for annotator in sorted(annotators):
            theirs = [active for active in said[item.id] if active.annotator == annotator]
            others = _places_of_others(item.id, annotator, said[item.id], held, now)
            has_place = plan.overlap is None or others < plan.overlap
            lease = now + timedelta(seconds=plan.lease_seconds) if has_place else now
            unasked += _settle(item, annotator, theirs, held[item.id, annotator], lease, now)
        item.done = len({a.annotator for a in said[item.id] if _counts(a)})
        if item.state in ("open", "full"):
            item.state = "full" if plan.overlap and item.done >= plan.overlap else "open"
    session.flush()
    checks.insert_rows(session, AssignmentRow, unasked)


def _settle(
    item: ItemRow,
    annotator: str,
    said: list[ActiveRow],
    held: list[AssignmentRow],
    lease: datetime,
    now: datetime,
) -> list[rows.Values]:
    """Let each assignment of an annotator name the judgment that finished it.

    Returns:
        Assignments to add for what was said without having been handed out, so that the item is
        not offered to the same person again.
    """
    latest = {a.occasion: a.judgment_id for a in sorted(said, key=lambda a: a.seq)}
    for assignment in held:
        found = latest.pop(assignment.occasion, None)
        if found is None and assignment.judgment_id is not None:
            # Taken back: the place, if they had one, is kept for as long as a new item would be.
            assignment.leased_until = lease
        assignment.judgment_id = found
    return [
        {
            "item_id": item.id,
            "item_seq": item.seq,
            "version": item.version,
            "annotator": annotator,
            "occasion": occasion,
            "leased_until": now,
            "judgment_id": judgment_id,
        }
        for occasion, judgment_id in latest.items()
    ]


def _places_of_others(
    item_id: str,
    annotator: str,
    said: list[ActiveRow],
    held: dict[tuple[str, str], list[AssignmentRow]],
    now: datetime,
) -> int:
    """How many of an item's places others fill, or have a lease on."""
    ranked = {a.annotator for a in said if _counts(a)} - {annotator}
    leased = {
        who
        for (item, who), theirs in held.items()
        if item == item_id
        for row in theirs
        if row.judgment_id is None and row.occasion == "regular" and row.leased_until > now
    }
    return len((ranked | leased) - {annotator})


def _counts(active: ActiveRow) -> bool:
    return active.kind == "ranking" and active.occasion in COUNTED


def _replacing(
    session: Session, judgment: Judgment, item: str | None, held: AssignmentRow | None
) -> Judgment:
    """A further opinion on an item that nobody asked about again replaces the person's last one.

    Two open tabs, or a cell that is run twice, are one person with one opinion.
    """
    if judgment.kind == "undo" or judgment.supersedes is not None or item is None:
        return judgment
    if held is not None:
        return judgment
    # By the item alone: an index that begins with the annotator would be read through to its end.
    columns = select(ActiveRow.annotator, ActiveRow.judgment_id).order_by(ActiveRow.seq)
    said = session.execute(columns.where(ActiveRow.item_id == item, ActiveRow.kind != "undo"))
    theirs = [row.judgment_id for row in said if row.annotator == judgment.annotator]
    return replace(judgment, supersedes=theirs[-1]) if theirs else judgment


def _occasion(
    session: Session,
    judgment: Judgment,
    row: ItemRow | None,
    held: AssignmentRow | None,
    plan: AssignmentPlan,
    now: datetime,
) -> str:
    """Why the item was shown: whoever judged does not know, and must not."""
    if judgment.supersedes is not None:
        named = JudgmentRow.id == judgment.supersedes
        target = session.scalars(select(JudgmentRow).where(named)).one()
        occasion = target.occasion or "regular"
        # A ranking instead of a skip takes a place that the skip had given back.
        takes_a_place = target.kind == "skip" and judgment.kind == "ranking"
        if (
            occasion == "regular"
            and takes_a_place
            and row
            and _too_late(session, row, None, plan, now)
        ):
            return "extra"
        return occasion
    if row is None:
        return judgment.occasion
    learning = judgment.occasion == "calibration"
    occasion = judgment.occasion if held is None or learning else held.occasion
    if occasion == "regular":
        late = row.state != "gold" and _too_late(session, row, held, plan, now)
        occasion = "gold" if row.state == "gold" else "extra" if late else "regular"
    if held is not None and held.occasion != occasion:
        session.delete(held)  # what they say is kept as something else than they were asked for
        session.flush()
    return occasion


def _too_late(
    session: Session,
    item: ItemRow,
    held: AssignmentRow | None,
    plan: AssignmentPlan,
    now: datetime,
) -> bool:
    """Whether others have the item's places: nothing is refused, but it is not counted twice."""
    overlap = plan.overlap
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
    chain.write_head(session, head)
    _note_annotators(session, values)


def _digests(session: Session, ids: Iterable[str]) -> dict[str, str]:
    return {
        row.id: chain.response_digest(row.version, row.text)
        for row in checks.in_chunks(session, _SHOWN, ResponseRow.id, ids)
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
    whose = {"prompt": judgment.prompt_id, "annotator": judgment.annotator}
    after = list(session.scalars(_OF_PROMPT, whose))
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
