"""The parts of an audit beside the chain: what is derived from the record, prompts, the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, cast

from sqlalchemy import Row, and_, func, select, text
from sqlalchemy.orm import Session

from rlhf_lab.errors import LabError
from rlhf_lab.store import judging, rows
from rlhf_lab.store.events import COUNTED
from rlhf_lab.store.plan import read_plan
from rlhf_lab.store.showing import printable
from rlhf_lab.store.tables import (
    ActiveRow,
    AssignmentRow,
    Base,
    ItemRow,
    JudgmentRow,
    PromptRow,
)

_BATCH = 1000
_COPIED = ("seq", "prompt_id", "annotator", "kind", "occasion", "item_id")


def wrongly_counted(session: Session, done: Callable[[int], object]) -> Iterator[str]:
    """Compare what is noted as counting with a replay of the events.

    No chain of corrections leaves a prompt and its annotator, so that many events are in memory at
    a time.
    """
    noted = [getattr(ActiveRow, name).label(f"noted_{name}") for name in _COPIED]
    events = (
        select(
            JudgmentRow.seq,
            JudgmentRow.id,
            JudgmentRow.prompt_id,
            JudgmentRow.annotator,
            JudgmentRow.kind,
            JudgmentRow.shown_order,
            JudgmentRow.supersedes,
            JudgmentRow.occasion,
            *noted,
        )
        .outerjoin(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
        .order_by(JudgmentRow.prompt_id, JudgmentRow.annotator, JudgmentRow.seq)
    )
    found = session.execute(events.execution_options(yield_per=_BATCH))
    for _, group in groupby(found, key=lambda e: (e.prompt_id, e.annotator)):
        of_one = list(group)
        counts = {event.id for event in judging.active_events(cast("list[Any]", of_one))}
        for event in of_one:
            yield from _compare(event, event.id in counts)
        done(len(of_one))


def _compare(event: Row[*tuple[Any, ...]], counts: bool) -> Iterator[str]:
    name = f"judgment {event.seq} (id {printable(repr(event.id), 60)})"
    noted = event.noted_seq is not None
    if counts and not noted:
        yield f"{name} counts by the record, but is not noted as counting"
    if noted and not counts:
        yield f"{name} is superseded by the record, but noted as counting"
    if not (counts and noted):
        return
    expected = {name: getattr(event, name, None) for name in _COPIED}
    expected["occasion"] = event.occasion or "regular"
    expected["item_id"] = judging.item_id(event.prompt_id, event.shown_order)
    wrong = [n for n in _COPIED if getattr(event, f"noted_{n}") != expected[n]]
    if wrong:
        yield f"{name} is noted as counting with another {', '.join(wrong)} than in the record"


def prompts_altered(session: Session, done: Callable[[int], object]) -> Iterator[str]:
    """The id of a prompt is the hash of its messages."""
    columns = select(*PromptRow.__table__.c).order_by(PromptRow.seq)
    for batch in session.execute(columns.execution_options(yield_per=_BATCH)).partitions():
        for row in batch:
            try:
                same = rows.to_prompt(cast("PromptRow", row)).id == row.id
            except (LabError, ValueError, TypeError, AttributeError):
                same = False
            if not same:
                yield (
                    f"prompt {row.seq} (id {printable(repr(row.id), 60)}) was altered: its id is "
                    "not the hash of its messages"
                )
        done(len(batch))


def items_out_of_step(session: Session) -> Iterator[str]:
    """Counts and states of items, and assignments, against the judgments that count."""
    yield from _wrong_counts(session)
    yield from _wrong_states(session)
    yield from _wrong_assignments(session)
    yield from _missing_assignments(session)


def _wrong_counts(session: Session) -> Iterator[str]:
    counted = (
        select(func.count(ActiveRow.annotator.distinct()))
        .where(ActiveRow.item_id == ItemRow.id, ActiveRow.kind == "ranking")
        .where(ActiveRow.occasion.in_(COUNTED))
        .scalar_subquery()
    )
    columns = select(ItemRow.seq, ItemRow.id, ItemRow.done, counted.label("counted"))
    for row in _stream(session, columns.where(ItemRow.done != counted).order_by(ItemRow.seq)):
        yield f"item {row.seq} ({row.id}) notes {row.done} rankings, {row.counted} count"


def _wrong_states(session: Session) -> Iterator[str]:
    overlap = read_plan(session).overlap
    full = ItemRow.state == "full"
    if overlap is None:
        wrong = full
    else:
        wrong = (full & (ItemRow.done < overlap)) | (
            (ItemRow.state == "open") & (ItemRow.done >= overlap)
        )
    columns = select(ItemRow.seq, ItemRow.id, ItemRow.state, ItemRow.done)
    for row in _stream(session, columns.where(wrong).order_by(ItemRow.seq)):
        needed = "every annotator" if overlap is None else overlap
        yield (
            f"item {row.seq} ({row.id}) is {row.state!r} with {row.done} rankings, and the plan "
            f"asks for {needed}"
        )


def more_than_asked(session: Session) -> Iterator[str]:
    """Items with more rankings than the plan asks for: no damage, since all of them count."""
    overlap = read_plan(session).overlap
    if overlap is None:
        return
    columns = select(ItemRow.seq, ItemRow.id, ItemRow.done)
    more = (ItemRow.state == "full") & (ItemRow.done > overlap)
    for row in _stream(session, columns.where(more).order_by(ItemRow.seq)):
        yield (
            f"item {row.seq} ({row.id}) has {row.done} rankings that count, and the plan asks for "
            f"{overlap}: it was judged again by a redo or from outside the queue, or the plan "
            "asked for more before"
        )


def _wrong_assignments(session: Session) -> Iterator[str]:
    # Grouped once: looked up for each assignment, an annotator's judgments would be read as often
    # as there are assignments of theirs.
    asked = (ActiveRow.item_id, ActiveRow.annotator, ActiveRow.occasion)
    latest = (
        select(*asked, func.max(ActiveRow.seq).label("seq"))
        .where(ActiveRow.kind.in_(("ranking", "skip")))
        .group_by(*asked)
        .subquery()
    )
    same = and_(*(getattr(AssignmentRow, c.key) == latest.c[c.key] for c in asked))
    columns = (
        select(
            AssignmentRow.seq,
            AssignmentRow.item_id,
            AssignmentRow.annotator,
            AssignmentRow.judgment_id,
            ActiveRow.judgment_id.label("latest"),
        )
        .outerjoin(latest, same)
        .outerjoin(ActiveRow, ActiveRow.seq == latest.c.seq)
    )
    wrong = AssignmentRow.judgment_id.is_distinct_from(ActiveRow.judgment_id)
    for row in _stream(session, columns.where(wrong).order_by(AssignmentRow.seq)):
        yield (
            f"assignment {row.seq} (item {row.item_id}, {printable(row.annotator, 60)}) names "
            f"judgment {printable(str(row.judgment_id), 60)}, the one that counts is "
            f"{printable(str(row.latest), 60)}"
        )


def _missing_assignments(session: Session) -> Iterator[str]:
    held = select(AssignmentRow.seq).where(
        AssignmentRow.item_id == ActiveRow.item_id,
        AssignmentRow.annotator == ActiveRow.annotator,
        AssignmentRow.occasion == ActiveRow.occasion,
    )
    query = (
        select(ActiveRow.judgment_id, ActiveRow.item_id, ActiveRow.annotator)
        .join(ItemRow, ItemRow.id == ActiveRow.item_id)
        .where(ActiveRow.kind.in_(("ranking", "skip")), ~held.exists())
        .order_by(ActiveRow.seq)
    )
    for row in _stream(session, query):
        yield (
            f"judgment {printable(row.judgment_id, 60)} of item {row.item_id} has no assignment of "
            f"{printable(row.annotator, 60)}: the item may be handed to the same person again"
        )


def dangling_references(session: Session) -> Iterator[str]:
    """Rows that name another row that is not there."""
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            child, other = key.parent, key.column.table.alias("named")
            there = select(other.c[key.column.name]).where(other.c[key.column.name] == child)
            number = session.scalar(
                select(func.count()).where(and_(child.is_not(None), ~there.exists()))
            )
            if number:
                yield (
                    f"{number} rows of {table.name} name a {child.name} that is not among "
                    f"{key.column.table.name}"
                )


def damaged_file(session: Session) -> Iterator[str]:
    """What SQLite itself finds; PostgreSQL has tools of its own (pg_amcheck)."""
    if session.get_bind().dialect.name == "sqlite":
        for line in session.scalars(text("PRAGMA integrity_check(100)")):
            if line != "ok":
                yield f"the database file is damaged: {printable(str(line), 200)}"


def _stream(session: Session, query: Any) -> Iterator[Any]:  # noqa: ANN401 - rows of any shape
    yield from session.execute(query.execution_options(yield_per=_BATCH))
