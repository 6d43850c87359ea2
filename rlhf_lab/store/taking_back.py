"""What an undo takes back, and what a redo brings back.

An annotator says things in several places at once: ranks the candidates of a version, and compares
versions. Each place takes back what was said there: its `Place` says which that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import checks, events, judging, rows
from rlhf_lab.store.tables import ActiveRow, ItemRow, JudgmentRow, PromptRow, ResponseRow
from rlhf_lab.types import Prompt, RankingItem, Response

_PAGE: Final = 500
"""So many judgments are read at a time while the latest one of a place is looked for."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an annotator said something.

    Attributes:
        annotator: Who.
        version: Only about candidates of this one, handed out together; None for rankings of any
            one version, which comparisons of two are not.
        among: Only about one of these sets of candidates, by `judging.item_id`, whatever their
            versions; None for all.
    """

    annotator: str
    version: str | None = None
    among: Set[str] | None = None


def latest(session: Session, place: Place) -> JudgmentRow | None:
    """The latest ranking or skip made there that counts: what an undo takes back."""
    if place.among is not None:
        said = said_about(session, place.annotator, place.among)
        return said[-1] if said else None
    return next(_newest_first(session, place), None)


def latest_of_all(session: Session, annotator: str) -> JudgmentRow | None:
    """Their latest ranking or skip that counts, wherever it was made."""
    return session.scalar(_counting(annotator).limit(1))


def said_about(session: Session, annotator: str, among: Set[str]) -> list[JudgmentRow]:
    """Their rankings and skips of these sets of candidates that count, in order.

    By the sets alone: an index that begins with the annotator would be read through to its end.
    """
    query = select(JudgmentRow, ActiveRow.annotator, ActiveRow.kind)
    query = query.join(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
    found = checks.in_chunks(session, query, ActiveRow.item_id, sorted(among))
    said = [row for row, who, kind in found if who == annotator and kind != "undo"]
    return sorted(said, key=lambda row: row.seq)


def latest_undone(session: Session, place: Place) -> JudgmentRow | None:
    """The undo that a redo takes back: the latest one there, unless something was judged since.

    What was judged since and does not count any more was taken back itself, by a later undo, or
    replaced by something that counts: looking at what counts is enough.
    """
    judged = latest(session, place)
    target = aliased(JudgmentRow)
    query = (
        select(JudgmentRow, target)
        .join(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
        .join(target, target.id == JudgmentRow.supersedes)
        .where(ActiveRow.annotator == place.annotator, ActiveRow.kind == "undo")
        .where(ActiveRow.seq > (judged.seq if judged else 0))
        .where(target.kind.in_(("ranking", "skip")))
        .order_by(ActiveRow.seq.desc())
    )
    undone = [(undo, of) for undo, of in session.execute(query)]
    there = {row.id for row in _made_there(session, place, [of for _, of in undone])}
    return next((undo for undo, of in undone if of.id in there), None)


def is_meant(found: JudgmentRow, event_id: str) -> bool:
    """Whether an id is that of this judgment; or of this undo, or the judgment it took back."""
    return event_id == found.id or (found.kind == "undo" and event_id == found.supersedes)


def refuse_redo_into_full(session: Session, undo: JudgmentRow, now: datetime) -> None:
    """Refuse to bring back a ranking whose place others have taken since.

    Args:
        session: A writing one, so that nobody takes a place meanwhile.
        undo: What the redo would take back.
        now: What others have in hand is theirs until their lease runs out.

    Raises:
        JudgmentError: the item has all the rankings that the plan wants, or will have them from
            those who have it in hand.
    """
    judged = session.scalars(select(JudgmentRow).where(JudgmentRow.id == undo.supersedes)).one()
    if judged.kind != "ranking" or (judged.occasion or "regular") != "regular":
        return
    item = judging.item_id(judged.prompt_id, judged.shown_order)
    if not events.has_place(session, item, judged.annotator, now):
        raise JudgmentError(
            f"others have ranked the item of {judged.id} since it was undone, or have it in hand, "
            "and it needs no more rankings: go on with the next item."
        )


def item_of(session: Session, event: JudgmentRow) -> RankingItem:
    """What an event was about, as it was shown, with the ranking or skip at its root."""
    judgment = event
    while judgment.kind == "undo":
        named = JudgmentRow.id == judgment.supersedes
        judgment = session.scalars(select(JudgmentRow).where(named)).one()
    return RankingItem(
        prompt=_prompt(session, judgment.prompt_id),
        candidates=_responses(session, judgment.shown_order),
        said=rows.to_judgment(judgment),
    )


# -- where something was said


def _newest_first(session: Session, place: Place) -> Iterator[JudgmentRow]:
    """Rankings and skips made there that count.

    None of the calibration set: its answers are told after the first, which stays.
    """
    query = _counting(place.annotator).where(ActiveRow.occasion != "calibration")
    if place.version is not None:
        query = query.join(ItemRow, ItemRow.id == ActiveRow.item_id)
        query = query.where(ItemRow.version == place.version)
    found = list(session.scalars(query.limit(1)))  # mostly the first is there
    while found:
        yield from _made_there(session, place, found)
        older = query.where(ActiveRow.seq < found[-1].seq)
        found = list(session.scalars(older.limit(_PAGE)))


def _counting(annotator: str) -> Select[JudgmentRow]:
    """Their rankings and skips that count, the latest first."""
    return (
        select(JudgmentRow)
        .join(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
        .where(ActiveRow.annotator == annotator, ActiveRow.kind.in_(("ranking", "skip")))
        .order_by(ActiveRow.seq.desc())
    )


def _made_there(
    session: Session, place: Place, judgments: Sequence[JudgmentRow]
) -> list[JudgmentRow]:
    """Those of the rankings and skips that were made there, in the order they come in."""
    item = {row.id: judging.item_id(row.prompt_id, row.shown_order) for row in judgments}
    if place.among is not None:
        return [row for row in judgments if item[row.id] in place.among]
    versions = select(ItemRow.id, ItemRow.version)
    ids = {i for i in item.values() if i is not None}
    of_item = {i: v for i, v in checks.in_chunks(session, versions, ItemRow.id, ids)}
    if place.version is not None:
        return [row for row in judgments if of_item.get(item[row.id] or "") == place.version]
    # Of what was never handed out together, the candidates tell.
    loose = {i for row in judgments if item[row.id] not in of_item for i in row.shown_order}
    versions = select(ResponseRow.id, ResponseRow.version)
    of_response = {i: v for i, v in checks.in_chunks(session, versions, ResponseRow.id, loose)}
    return [
        row
        for row in judgments
        if item[row.id] in of_item or len({of_response[i] for i in row.shown_order}) <= 1
    ]


# -- values


def _prompt(session: Session, prompt_id: str) -> Prompt:
    return rows.to_prompt(session.scalars(select(PromptRow).where(PromptRow.id == prompt_id)).one())


def _responses(session: Session, ids: Sequence[str]) -> tuple[Response, ...]:
    found = {r.id: r for r in checks.by_ids(session, ids)}
    return tuple(found[i] for i in ids)
