"""Reading a lab as records, a page at a time, in one transaction and bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import Label, Row, Select, Text, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from rlhf_lab.store import rows
from rlhf_lab.store.choosing import in_random_share
from rlhf_lab.store.exchange.record import Candidate, Record, What
from rlhf_lab.store.tables import (
    ActiveRow,
    DemonstrationRow,
    JudgmentRow,
    PromptRow,
    ResponseRow,
)
from rlhf_lab.types import IMPORTED, Prompt, Split

# Rows of a page: enough that a query costs little for each, few enough to hold.
_PAGE = 2000
# Ids that are asked for at once: well under the number of parameters either database takes.
_IDS = 900
# Columns rather than objects: these have the same names and cost a fraction of the time.
_PROMPTS = select(*PromptRow.__table__.columns)


def records(session: Session, what: What, split: Split | None) -> Iterator[Record]:
    """All that counts, in the order in which it came in; of one split if given."""
    read = {
        "judgments": _judgments,
        "prompts": _prompts,
        "demonstrations": _demonstrations,
    }[what]
    for record in read(session):
        if split is None or record.split == split:
            yield record


def _judgments(session: Session) -> Iterator[Record]:
    """Rankings and skips that are active."""
    columns = select(
        ActiveRow.seq,
        JudgmentRow.id,
        JudgmentRow.prompt_id,
        JudgmentRow.annotator,
        # Of these three only fixed words are stored, which nothing has to be undone in.
        *(_plain(c) for c in (JudgmentRow.kind, JudgmentRow.strength, JudgmentRow.occasion)),
        JudgmentRow.shown_order,
        JudgmentRow.tiers,
        JudgmentRow.criteria,
        JudgmentRow.comment,
        JudgmentRow.flags,
        JudgmentRow.seconds,
        JudgmentRow.created_at,
    )
    # By the integer key: looking each up by its id takes longer.
    query = columns.join(JudgmentRow, JudgmentRow.seq == ActiveRow.seq)
    query = query.where(ActiveRow.kind.in_(("ranking", "skip")))
    for page in _pages(session, query, ActiveRow.seq):
        prompts = _prompts_of(session, {row.prompt_id for row in page})
        answers = _answers(session, {i for row in page for i in row.shown_order})
        for row in page:
            yield _judgment(row, prompts[row.prompt_id], answers)


def _judgment(
    row: Row[*tuple[Any, ...]], prompt: Prompt, answers: Mapping[str, Candidate]
) -> Record:
    shown = row.shown_order
    place = {i: n for n, i in enumerate(shown)}
    candidates = [answers[i] for i in shown]
    if row.criteria:
        candidates = [c._replace(ratings=row.criteria.get(c.id)) for c in candidates]
    tiers = row.tiers
    return Record(
        kind=row.kind,
        prompt=prompt,
        split=prompt.split,
        candidates=tuple(candidates),
        tiers=None if tiers is None else tuple(tuple([place[i] for i in t]) for t in tiers),
        id=row.id,
        annotator=row.annotator,
        strength=row.strength,
        comment=row.comment,
        flags=tuple(row.flags or ()),
        seconds=row.seconds,
        created_at=row.created_at,
        occasion=row.occasion or "regular",
        random_share=in_random_share(row.prompt_id, shown),
    )


def _demonstrations(session: Session) -> Iterator[Record]:
    """Those that no later one replaces."""
    later = aliased(DemonstrationRow)
    replaced = select(later.seq).where(later.supersedes == DemonstrationRow.id).exists()
    columns = [c for c in DemonstrationRow.__table__.columns if c.name != "supersedes"]
    query = select(*columns).where(~replaced)
    for page in _pages(session, query, DemonstrationRow.seq):
        prompts = _prompts_of(session, {row.prompt_id for row in page})
        for row in page:
            yield Record(
                kind="demonstration",
                prompt=prompts[row.prompt_id],
                split=prompts[row.prompt_id].split,
                id=row.id,
                annotator=row.annotator,
                comment=row.comment,
                seconds=row.seconds,
                created_at=row.created_at,
                text=row.text,
                edited_from=row.edited_from,
            )


def _prompts(session: Session) -> Iterator[Record]:
    for page in _pages(session, _PROMPTS, PromptRow.seq):
        for row in page:
            prompt = rows.to_prompt(cast(PromptRow, row))
            yield Record(kind="prompt", prompt=prompt, split=prompt.split)


def _pages(
    session: Session,
    query: Select[*tuple[Any, ...]],
    seq: Any,  # noqa: ANN401  (a column)
) -> Iterator[list[Row[*tuple[Any, ...]]]]:
    """By key, not by offset: the last page takes as long as the first."""
    last = 0
    ordered = query.order_by(seq).limit(_PAGE)
    # The connection gives rows as they are; a session would make objects of them first.
    while page := list(session.connection().execute(ordered.where(seq > last))):
        yield page
        last = page[-1].seq


def _plain(column: InstrumentedAttribute[Any]) -> Label[Any]:
    """A column as the database has it, under its name."""
    return type_coerce(column, Text()).label(column.key)


def _in_chunks(
    session: Session,
    query: Select[*tuple[Any, ...]],
    column: InstrumentedAttribute[str],
    ids: Iterable[str],
) -> Iterator[Row[*tuple[Any, ...]]]:
    wanted = list(ids)
    for start in range(0, len(wanted), _IDS):
        chunk = wanted[start : start + _IDS]
        yield from session.connection().execute(query.where(column.in_(chunk)))


def _prompts_of(session: Session, ids: Iterable[str]) -> dict[str, Prompt]:
    found = _in_chunks(session, _PROMPTS, PromptRow.id, ids)
    return {row.id: rows.to_prompt(cast(PromptRow, row)) for row in found}


def _answers(session: Session, ids: Iterable[str]) -> dict[str, Candidate]:
    """Imported ones under the name they had elsewhere."""
    columns = select(ResponseRow.id, ResponseRow.text, ResponseRow.version)
    found = _in_chunks(session, columns, ResponseRow.id, ids)
    return {i: Candidate(text, version.removeprefix(IMPORTED), i) for i, text, version in found}
