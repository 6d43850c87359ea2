"""Rankings of any number of answers, one row each: nothing that people said is lost in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from rlhf_lab.store.exchange import fields
from rlhf_lab.store.exchange.fields import Name, Ratings, Strict
from rlhf_lab.store.exchange.formats.prompts import (
    exact_messages,
    plain_messages,
    prompt_in,
    prompt_text,
)
from rlhf_lab.store.exchange.record import Candidate, Record, Row, RowProblem, What

# Pairs grow with its square, and nobody compares more at once.
MOST_CANDIDATES = 1000


class _Response(Strict):
    text: str
    source: str = ""
    id: Name | None = None
    ratings: Ratings | None = None


class _Row(Strict):
    responses: Annotated[list[_Response], Field(min_length=1, max_length=MOST_CANDIDATES)]
    ranking: list[list[int]] | None = None
    kind: Literal["ranking", "skip", "candidates"] | None = None


class Kwise:
    """{"prompt", "responses": [{"text", "source", ...}], "ranking": [[best ...], ... [worst ...]]}.

    Numbers in the ranking are places in `responses`, from 0. Without a ranking the answers are
    stored and nothing is said about them.
    """

    name = "kwise"
    what: What = "judgments"
    needs = ("prompt", "responses", "ranking")
    columns: Mapping[str, str] = {
        "prompt": "text",
        "prompt_messages": "messages",
        "responses": "responses",
        "ranking": "tiers",
        "kind": "text",
        **fields.OF_JUDGMENTS,
    }

    def matches(self, row: Row) -> bool:
        """By its responses."""
        return isinstance(row.get("responses"), (list, tuple)) and row.get("prompt") is not None

    def group(self, row: Row) -> str | None:
        """Every row stands alone."""
        return None

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """One record."""
        (row,) = rows
        plain = {**row, "responses": _as_mappings(row.get("responses"))}
        found = fields.check(_Row, plain)
        chat = row.get("prompt_messages")
        name = "prompt" if chat is None else "prompt_messages"
        if row.get(name) is None:
            raise RowProblem("prompt", "is missing or null")
        prompt = fields.make_prompt(prompt_in(row[name], name), name)
        said = fields.shared(row, prompt)
        candidates = tuple(Candidate(r.text, r.source, r.id, r.ratings) for r in found.responses)
        kind = found.kind or ("candidates" if found.ranking is None else "ranking")
        if kind != "ranking":
            return [Record(kind=kind, candidates=candidates, **said)]
        tiers = check_tiers(found.ranking, len(candidates), "ranking")
        return [Record(kind=kind, candidates=candidates, tiers=tiers, **said)]

    def write(self, record: Record) -> list[dict[str, Any]]:
        """One row."""
        if record.kind not in ("ranking", "skip", "candidates"):
            return []
        messages = record.prompt.messages
        text = prompt_text(messages)
        return [
            {
                "prompt": text,
                "prompt_messages": exact_messages(text, messages)
                or (plain_messages(messages) if len(messages) > 1 else None),
                "responses": [
                    {
                        "text": c.text,
                        "source": c.source,
                        "id": c.id,
                        "ratings": dict(c.ratings) if c.ratings else None,
                    }
                    for c in record.candidates
                ],
                "ranking": None if record.tiers is None else [list(t) for t in record.tiers],
                "kind": record.kind,
                **fields.about_judgment(record),
            }
        ]


def check_tiers(
    ranking: Sequence[Sequence[int]] | None, size: int, field: str
) -> tuple[tuple[int, ...], ...]:
    """Tiers that place each of the candidates exactly once."""
    if ranking is None:
        raise RowProblem(field, "is missing or null, and the row is a ranking")
    placed = [i for tier in ranking for i in tier]
    for n, tier in enumerate(ranking):
        if not tier:
            raise RowProblem(f"{field}.{n}", "[]: a tier holds at least one response")
    wrong = [i for i in placed if not 0 <= i < size]
    if wrong:
        raise RowProblem(field, f"{wrong[0]!r:.80}: the responses are numbered 0 to {size - 1}")
    if sorted(placed) != list(range(size)):
        raise RowProblem(
            field, f"{ranking!r:.80}: each of the {size} responses has exactly one place"
        )
    return tuple(tuple(tier) for tier in ranking)


def _as_mappings(responses: object) -> object:
    if not isinstance(responses, (list, tuple)):
        return responses
    return [
        {k: x for k, x in r.items() if x is not None}
        if isinstance(r, Mapping)
        else {"text": r}
        if isinstance(r, str)
        else r
        for r in responses
    ]
