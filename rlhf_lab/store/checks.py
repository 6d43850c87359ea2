"""What the store asks the database before it writes, and the errors when the answer is no.

All of these run inside the writing transaction, so what they find stays true until it commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, TypeVar

from sqlalchemy import Row, Select, bindparam, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rlhf_lab.errors import JudgmentError, StoreError, UnknownVersion
from rlhf_lab.store import judging, rows
from rlhf_lab.store.tables import (
    Base,
    DemonstrationRow,
    JudgmentRow,
    PromptRow,
    ResponseRow,
    VersionRow,
)
from rlhf_lab.types import Demonstration, Judgment, Response

T = TypeVar("T")
# Ids per IN (...): well under the number of parameters either database takes.
_CHUNK = 900
_RESPONSES = select(ResponseRow)


def insert_rows(session: Session, table: type[Base], values: list[rows.Values]) -> None:
    """Insert all rows in one statement."""
    if values:
        session.execute(insert(table), values)


def batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, as many at a time as one statement takes."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def in_chunks(
    session: Session,
    query: Select[*tuple[Any, ...]],
    column: InstrumentedAttribute[Any],
    ids: Iterable[str | int],
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The rows of a query whose column holds one of the ids."""
    with_ids = _with_ids(query, column)
    for batch in batches(list(ids)):
        yield from session.execute(with_ids, {"ids": batch})


@lru_cache(maxsize=64)
def _with_ids(
    query: Select[*tuple[Any, ...]], column: InstrumentedAttribute[Any]
) -> Select[*tuple[Any, ...]]:
    """Making a statement takes longer than running it: a query that is kept is made once."""
    return query.where(column.in_(bindparam("ids", expanding=True)))


@cache
def _only(what: InstrumentedAttribute[str]) -> Select[str]:
    return select(what)


def existing(session: Session, column: InstrumentedAttribute[str], ids: Iterable[str]) -> set[str]:
    """Those of the ids that are stored."""
    return {row[0] for row in in_chunks(session, _only(column), column, ids)}


def by_ids(session: Session, ids: Iterable[str]) -> Iterator[Response]:
    """The stored responses with these ids."""
    for (row,) in in_chunks(session, _RESPONSES, ResponseRow.id, ids):
        yield rows.to_response(row)


def check_against_store(session: Session, judgment: Judgment) -> None:
    """Refuse a judgment that does not fit what is stored."""
    if not existing(session, PromptRow.id, [judgment.prompt_id]):
        raise JudgmentError(
            f"{judgment.prompt_id!r} is not a stored prompt: add it with add_prompts first."
        )
    columns = select(ResponseRow.id, ResponseRow.prompt_id)
    shown = session.execute(columns.where(ResponseRow.id.in_(judgment.shown_order)))
    judging.check_responses(judgment, {row.id: row.prompt_id for row in shown})
    if judgment.supersedes is None:
        return
    target = session.scalar(select(JudgmentRow).where(JudgmentRow.id == judgment.supersedes))
    history = session.scalars(
        select(JudgmentRow)
        .where(JudgmentRow.prompt_id == judgment.prompt_id)
        .where(JudgmentRow.annotator == judgment.annotator)
        .order_by(JudgmentRow.seq)
    )
    judging.check_supersedes(judgment, target, history)


def refuse_other_submission(stored: Judgment, judgment: Judgment) -> None:
    """Refuse a second judgment under a submission id."""
    if not judging.same_submission(stored, judgment):
        raise JudgmentError(
            f"submission id {judgment.id!r} already holds another judgment (by "
            f"{stored.annotator!r} on {stored.prompt_id}): make a new id for every act."
        )


def check_demonstration(session: Session, demonstration: Demonstration) -> None:
    """Refuse a demonstration that does not fit what is stored."""
    if not existing(session, PromptRow.id, [demonstration.prompt_id]):
        raise JudgmentError(
            f"{demonstration.prompt_id!r} is not a stored prompt: add it with add_prompts first."
        )
    if demonstration.edited_from is not None:
        named = ResponseRow.id == demonstration.edited_from
        of = session.scalar(select(ResponseRow.prompt_id).where(named))
        if of != demonstration.prompt_id:
            raise JudgmentError(
                f"edited_from={demonstration.edited_from!r} is no stored response to "
                f"{demonstration.prompt_id}: pass the id of the one that was edited, or None."
            )
    if demonstration.supersedes is not None:
        _check_replaced(session, demonstration)


def _check_replaced(session: Session, demonstration: Demonstration) -> None:
    named = DemonstrationRow.id == demonstration.supersedes
    target = session.scalar(select(DemonstrationRow).where(named))
    ours = (demonstration.prompt_id, demonstration.annotator)
    if target is None or (target.prompt_id, target.annotator) != ours:
        raise JudgmentError(
            f"supersedes={demonstration.supersedes!r} is no demonstration of "
            f"{demonstration.annotator!r} for {demonstration.prompt_id}: only one's own can be "
            "replaced."
        )
    later = DemonstrationRow.supersedes == demonstration.supersedes
    if session.scalar(select(DemonstrationRow.id).where(later)) is not None:
        raise JudgmentError(
            f"{demonstration.supersedes!r} is already superseded: supersede the latest one, see "
            "demonstrations()."
        )


def refuse_other_demonstration(stored: Demonstration, demonstration: Demonstration) -> None:
    """Refuse a second demonstration under a submission id."""
    if replace(stored, created_at=demonstration.created_at) != demonstration:
        raise JudgmentError(
            f"submission id {demonstration.id!r} already holds another demonstration: make a new "
            "id for every act."
        )


def refuse_conflict(stored: Response, response: Response) -> None:
    """Refuse a second response under an id."""
    if not judging.same_response(stored, response):
        raise StoreError(
            f"response id {response.id!r} already holds another response: responses never "
            "change. Give the new one its own id."
        )


def require(prompt_ids: Iterable[str], known: set[str]) -> None:
    """Refuse responses to prompts that are not stored."""
    missing = [i for i in prompt_ids if i not in known]
    if missing:
        raise StoreError(
            f"{missing[:3]} ({len(missing)} in all) are not stored prompts: call add_prompts "
            "before add_responses."
        )


def version_names(session: Session) -> list[str]:
    """All names, oldest first."""
    return list(session.scalars(select(VersionRow.name).order_by(VersionRow.seq)))


def unknown_version(name: str, names: list[str]) -> UnknownVersion:
    """The error to raise, with similar names."""
    if not names:
        return UnknownVersion(f"{name!r}: this lab has no versions yet. Train one first.")
    near = get_close_matches(name, names, n=3) or names[-3:]
    return UnknownVersion(f"{name!r} is not a version of this lab: did you mean {near}?")


def the_one(found: list[T], what: str, listing: str) -> T:
    """The only element, or a clear error."""
    if not found:
        raise StoreError(f"{what} is not in this lab: {listing} lists those that are.")
    return found[0]


def check_json(key: str, value: object) -> None:
    """Refuse values that JSON would change or cannot hold."""
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise StoreError(
            f"setting {key!r}: {value!r:.80} does not come back equal from JSON. Use only dicts "
            "with string keys, lists, strings, finite numbers, booleans and None."
        )
