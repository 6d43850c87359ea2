"""`Trace`: one judgment, with everything that it came from and that came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store import checks, rows
from rlhf_lab.store.showing import head_cell, in_frame, letter, moment, printable, text_cell
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
            f"  {name}. {rank:<7} {printable(about, _WIDTH)}: {printable(text, _WIDTH)}"
            for name, rank, about, text in self.shown()
        )
        return "\n".join([*lines, *shown])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts = (
            head_cell(name, "row") + text_cell(value, _WIDTH, columns=2)
            for name, value in self._facts()
        )
        shown = (
            head_cell(f"{name}. {rank}".rstrip(), "row")
            + text_cell(about, _WIDTH, wide=True)
            + text_cell(text, 2 * _WIDTH)
            for name, rank, about, text in self.shown()
        )
        body = "".join(f"<tr>{line}</tr>" for line in (*facts, *shown))
        return in_frame(f"<table aria-label='trace of a judgment'><tbody>{body}</tbody></table>")

    def _facts(self) -> Iterator[tuple[str, str]]:
        yield from self.record()
        for message in self.prompt.messages:
            yield message.role, message.content

    def record(self) -> Iterator[tuple[str, str]]:
        """Name and value of each thing there is to know, without the texts it was about."""
        said = self.judgment
        yield "judgment", f"{said.id} ({said.kind}, {'counts' if self.counts else 'superseded'})"
        took = f", {said.seconds:,.1f} s" if said.seconds else ""  # what was imported may not say
        yield "by", f"{said.annotator}, {moment(said.created_at)}{took}"
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
        place = f"{self.place:,} of {self.length:,}"
        yield "chain", f"{place}, {self.hash} after {self.previous or '-'}"
        yield "prompt", f"{self.prompt.id} ({self.prompt.split}, {self.prompt.source})"

    def shown(self) -> Iterator[tuple[str, str, str, str]]:
        """Letter, rank, source and text of each candidate, in the order they were shown."""
        ranks = self.judgment.ranking.ranks() if self.judgment.ranking else {}
        names = {i: letter(place) for place, i in enumerate(self.judgment.shown_order)}
        for response in self.candidates:
            rank = f"rank {ranks[response.id]}" if response.id in ranks else ""
            about = f"{response.version}, {response.id}"
            yield names[response.id], rank, about, response.text


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
