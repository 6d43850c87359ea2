"""`Trace`: one judgment, with everything that it came from and that came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store import checks, rows
from rlhf_lab.store.showing import as_html, moment, printable
from rlhf_lab.store.tables import ActiveRow, JudgmentRow, PromptRow
from rlhf_lab.types import Judgment, Prompt, Response

_WIDTH = 200


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Where a judgment comes from, what it was about and what became of it.

    Attributes:
        judgment: As it was submitted; who, when, how long and on what occasion is in it.
        prompt: What the responses answer.
        candidates: In the order they were shown, each with the version that wrote it.
        counts: Whether it is neither superseded nor taken back.
        supersedes: What it corrected or took back.
        superseded_by: The events that corrected it or took it back, in order; some of them may
            have been taken back themselves.
        place: Its number in the chain, from 1.
        length: How many judgments the chain has.
        hash: Its own link: SHA-256 over the one before it and all that was said.
        previous: The link before it; empty for the first.
    """

    judgment: Judgment
    prompt: Prompt
    candidates: tuple[Response, ...]
    counts: bool
    supersedes: Judgment | None
    superseded_by: tuple[Judgment, ...]
    place: int
    length: int
    hash: str
    previous: str

    def __str__(self) -> str:
        """A line for each thing there is to know."""
        lines = (f"{name + ':':<15}{printable(value, _WIDTH)}" for name, value in self._facts())
        shown = (
            f"  {place}. {rank:<7} {printable(about, _WIDTH)}: {printable(text, _WIDTH)}"
            for place, rank, about, text in self._shown()
        )
        return "\n".join([*lines, *shown])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        facts = "".join(
            f"<tr><th {left}>{name}</th><td {left} colspan='3'>{as_html(value, _WIDTH)}</td></tr>"
            for name, value in self._facts()
        )
        shown = "".join(
            f"<tr><th {left}>{place}. {rank}</th><td {left}>{as_html(about)}</td>"
            f"<td {left} colspan='2'>{as_html(text, 2 * _WIDTH)}</td></tr>"
            for place, rank, about, text in self._shown()
        )
        return f"<table>{facts}{shown}</table>"

    def _facts(self) -> Iterator[tuple[str, str]]:
        said = self.judgment
        yield "judgment", f"{said.id} ({said.kind}, {'counts' if self.counts else 'superseded'})"
        yield "by", f"{said.annotator}, {moment(said.created_at)}, {said.seconds:g} s"
        yield "occasion", said.occasion
        if said.strength:
            yield "strength", said.strength
        if said.criteria:
            yield "ratings", "; ".join(_ratings(said))
        if said.flags:
            yield "flags", ", ".join(said.flags)
        if said.comment:
            yield "comment", said.comment
        if self.supersedes:
            yield "supersedes", _one(self.supersedes)
        for event in self.superseded_by:
            yield "superseded by", _one(event)
        yield "chain", f"{self.place} of {self.length}, {self.hash} after {self.previous or '-'}"
        yield "prompt", f"{self.prompt.id} ({self.prompt.split}, {self.prompt.source})"
        for message in self.prompt.messages:
            yield message.role, message.content

    def _shown(self) -> Iterator[tuple[int, str, str, str]]:
        ranks = self.judgment.ranking.ranks() if self.judgment.ranking else {}
        for place, response in enumerate(self.candidates, start=1):
            rank = f"rank {ranks[response.id]}" if response.id in ranks else ""
            yield place, rank, f"{response.version}, {response.id}", response.text


def trace(session: Session, judgment_id: str) -> Trace:
    """The trace of one judgment.

    Raises:
        StoreError: there is none of this id.
    """
    row = session.scalar(select(JudgmentRow).where(JudgmentRow.id == judgment_id))
    if row is None:
        raise StoreError(
            f"judgment {judgment_id!r} is not in this lab: judgments(include_superseded=True) "
            "lists those that are."
        )
    prompt = session.scalars(select(PromptRow).where(PromptRow.id == row.prompt_id)).one()
    found = {response.id: response for response in checks.by_ids(session, row.shown_order)}
    named = session.scalar(select(JudgmentRow).where(JudgmentRow.id == row.supersedes))
    later = select(JudgmentRow).where(JudgmentRow.supersedes == row.id).order_by(JudgmentRow.seq)
    upto = select(func.count(JudgmentRow.seq))
    before = select(JudgmentRow.hash).where(JudgmentRow.seq < row.seq)
    return Trace(
        judgment=rows.to_judgment(row),
        prompt=rows.to_prompt(prompt),
        candidates=tuple(found[i] for i in row.shown_order if i in found),
        counts=session.get(ActiveRow, row.id) is not None,
        supersedes=None if named is None else rows.to_judgment(named),
        superseded_by=tuple(map(rows.to_judgment, session.scalars(later))),
        place=session.scalar(upto.where(JudgmentRow.seq <= row.seq)) or 0,
        length=session.scalar(upto) or 0,
        hash=row.hash,
        previous=session.scalar(before.order_by(JudgmentRow.seq.desc()).limit(1)) or "",
    )


def _one(event: Judgment) -> str:
    return f"{event.id} ({event.kind}, {moment(event.created_at)})"


def _ratings(judgment: Judgment) -> Iterator[str]:
    for response_id, ratings in judgment.criteria.items():
        yield f"{response_id}: " + ", ".join(f"{name} {n}" for name, n in ratings.items())
