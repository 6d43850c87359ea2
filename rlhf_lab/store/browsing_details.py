"""One row of a table with all there is to know of it, as `TableBrowser` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store import rows
from rlhf_lab.store.listing_specs import is_active
from rlhf_lab.store.showing import moment, printable
from rlhf_lab.store.tables import ActiveRow, JudgmentRow, PromptRow, ResponseRow
from rlhf_lab.store.trace import trace
from rlhf_lab.types import Judgment, Prompt, Response, TableDetail, TableText

_RESPONSES = 10
_JUDGMENTS = 20
# Of a fact; what is longer is in the texts.
_FACT = 500

Fact = tuple[str, str]


def detail_of(session: Session, table: str, row_id: str) -> TableDetail:
    """The detail of a prompt, response or judgment.

    Raises:
        StoreError: there is none of this id.
    """
    detail = {"prompts": _of_prompt, "responses": _of_response, "judgments": _of_judgment}[table](
        session, row_id
    )
    facts = tuple((name, printable(value, _FACT)) for name, value in detail.facts if value)
    return TableDetail(title=detail.title, facts=facts, texts=detail.texts)


def _of_prompt(session: Session, row_id: str) -> TableDetail:
    prompt = rows.to_prompt(_row(session, PromptRow, row_id, "prompt"))
    answers = ResponseRow.prompt_id == row_id
    count = session.scalar(select(func.count(ResponseRow.seq)).where(answers)) or 0
    newest = select(ResponseRow).where(answers).order_by(ResponseRow.seq.desc()).limit(_RESPONSES)
    responses = [rows.to_response(row) for row in session.scalars(newest)]
    judged = select(func.count(ActiveRow.seq)).where(ActiveRow.prompt_id == row_id)
    shown = f", the newest {len(responses)} below" if len(responses) < count else ""
    facts = (
        *_about_prompt(prompt),
        ("responses", f"{count:,}{shown}"),
        ("judgments", f"{session.scalar(judged) or 0:,}"),
    )
    answered = (
        TableText(label="Response", note=f"{one.version}, {one.id}", text=one.text)
        for one in responses
    )
    return TableDetail(title="prompt", facts=facts, texts=(*_messages(prompt), *answered))


def _of_response(session: Session, row_id: str) -> TableDetail:
    response = rows.to_response(_row(session, ResponseRow, row_id, "response"))
    row = session.scalars(select(PromptRow).where(PromptRow.id == response.prompt_id)).one()
    prompt = rows.to_prompt(row)
    facts = (
        ("id", response.id),
        ("version", response.version),
        ("purpose", response.purpose),
        ("when", moment(response.created_at)),
        ("ended by", response.end_reason),
        ("length", _length(response)),
        ("sampling", _sampling(response)),
        *_ranked(session, response),
        ("prompt", f"{prompt.id} ({prompt.split}, {prompt.source})"),
    )
    own = TableText(label="Response", note=response.version, text=response.text)
    return TableDetail(title="response", facts=facts, texts=(*_messages(prompt), own))


def _of_judgment(session: Session, row_id: str) -> TableDetail:
    found = trace(session, row_id)
    candidates = (
        TableText(label=f"{name}. {rank}".rstrip(), note=about, text=text)
        for name, rank, about, text in found.shown()
    )
    return TableDetail(
        title="judgment",
        facts=tuple(found.record()),
        texts=(*_messages(found.prompt), *candidates),
    )


def _row(session: Session, kind: Any, row_id: str, what: str) -> Any:  # noqa: ANN401 - of any table
    row = session.scalar(select(kind).where(kind.id == row_id))
    if row is None:
        raise StoreError(f"{what} {row_id!r:.80} is not in this lab: refresh the table.")
    return row


def _about_prompt(prompt: Prompt) -> Iterator[Fact]:
    yield "id", prompt.id
    yield "split", prompt.split
    yield "source", prompt.source
    yield "tags", ", ".join(prompt.tags)


def _messages(prompt: Prompt) -> Iterator[TableText]:
    single = len(prompt.messages) == 1
    for message in prompt.messages:
        yield TableText(
            label="Prompt" if single else message.role.capitalize(), text=message.content
        )


def _length(response: Response) -> str:
    tokens = f", {len(response.token_ids):,} tokens" if response.token_ids else ""
    return f"{len(response.text):,} characters{tokens}"


def _sampling(response: Response) -> str:
    how = response.sampling
    if how is None:
        return ""
    limits = (f", top_k {how.top_k}" if how.top_k else "") + (
        f", top_p {how.top_p:g}" if how.top_p < 1 else ""
    )
    seed = "" if response.seed is None else f", seed {response.seed}"
    return f"temperature {how.temperature:g}{limits}, at most {how.max_new_tokens} tokens{seed}"


def _ranked(session: Session, response: Response) -> Iterator[Fact]:
    """What rankings that count say of a response; they are few, being of one prompt."""
    query = select(JudgmentRow).where(
        JudgmentRow.prompt_id == response.prompt_id, JudgmentRow.kind == "ranking", is_active()
    )
    events = map(rows.to_judgment, session.scalars(query.order_by(JudgmentRow.seq)))
    told = [_rank(event, response.id) for event in events if response.id in event.shown_order]
    for text in told[:_JUDGMENTS]:
        yield "judged", text
    if len(told) > _JUDGMENTS:
        yield "judged", f"and {len(told) - _JUDGMENTS:,} times more"


def _rank(event: Judgment, response_id: str) -> str:
    ranks = event.ranking.ranks() if event.ranking else {}
    place = f"rank {ranks[response_id]} of {max(ranks.values())}"
    return f"{place} by {event.annotator}, {moment(event.created_at)} ({event.id})"
