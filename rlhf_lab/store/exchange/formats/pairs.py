"""Pairs of a better and a worse answer: TRL's preference formats and Anthropic's transcripts.

A ranking is written as one row for every pair of its candidates, better one first, and a tie as
two rows, one each way: the Bradley-Terry loss of both together is lowest where the scores are
equal. The rows of a judgment stand together; ranks, ids and places in them restore it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from rlhf_lab.store.exchange import fields, transcripts
from rlhf_lab.store.exchange.fields import Name, Ratings, Strict
from rlhf_lab.store.exchange.record import Candidate, Record, Row, RowProblem, What
from rlhf_lab.types import Message

_SIDES = ("chosen", "rejected")
_OF_SIDES = {
    f"{side}_{name}": kind
    for side in _SIDES
    for name, kind in [
        ("rank", "int"),
        ("place", "int"),
        ("source", "text"),
        ("id", "text"),
        ("ratings", "json"),
    ]
}


class _Side(Strict):
    rank: Annotated[int, Field(ge=1, le=10_000)] | None = None
    place: Annotated[int, Field(ge=0, le=10_000)] | None = None
    source: str = ""
    id: Name | None = None
    ratings: Ratings | None = None


class _Cut(Strict):
    prompt_chars: Annotated[int, Field(ge=0)] | None = None


class _Texts(NamedTuple):
    messages: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class Pairs:
    """One of the five ways to write pairs; each reads what the others write."""

    name: str
    shape: Literal["chat", "text", "transcript"]
    explicit: bool
    what: What = "judgments"
    needs: tuple[str, ...] = field(init=False)
    columns: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what it needs and writes."""
        text = "messages" if self.shape == "chat" else "text"
        names = ("prompt", *_SIDES) if self.explicit else _SIDES
        exact = {} if self.shape == "chat" else {"prompt_messages": "messages"}
        cut = {} if self.explicit or self.shape == "chat" else {"prompt_chars": "int"}
        columns = {n: text for n in names} | exact | cut | {"tie": "bool"}
        object.__setattr__(self, "needs", names)
        object.__setattr__(self, "columns", {**columns, **_OF_SIDES, **fields.OF_JUDGMENTS})

    def matches(self, row: Row) -> bool:
        """By its fields and the type of the chosen one."""
        if row.get("chosen") is None or row.get("rejected") is None:
            return False
        if (row.get("prompt") is not None) != self.explicit:
            return False
        chosen = row["chosen"]
        if self.shape == "chat":
            return isinstance(chosen, (list, tuple))
        marked = isinstance(chosen, str) and transcripts.is_transcript(chosen)
        return isinstance(chosen, str) and (self.explicit or marked == (self.shape != "text"))

    def group(self, row: Row) -> str | None:
        """The judgment."""
        found = row.get("judgment_id")
        return found if isinstance(found, str) else None

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """One ranking."""
        first = _texts(rows[0])
        prompt = fields.make_prompt(first.messages, "prompt" if self.explicit else "chosen")
        said = fields.shared(rows[0], prompt)
        found = _Gathered()
        for n, row in enumerate(rows):
            try:
                texts = _texts(row) if n else first
                if texts.messages != first.messages or (n and fields.shared(row, prompt) != said):
                    raise RowProblem(
                        "judgment_id",
                        f"{row.get('judgment_id')!r:.80}: the rows of one judgment say different "
                        "things about it or its prompt; give each judgment its own id",
                    )
                found.add(row, texts, alone=len(rows) == 1)
            except RowProblem as problem:
                raise RowProblem(problem.field, problem.reason, n) from problem
        candidates, tiers = found.ranked()
        return [Record(kind="ranking", candidates=candidates, tiers=tiers, **said)]

    def write(self, record: Record) -> list[dict[str, Any]]:
        """One row for each pair; none for what is not a ranking."""
        if record.kind != "ranking" or record.tiers is None:
            return []
        rank = {i: n for n, tier in enumerate(record.tiers, start=1) for i in tier}
        about = fields.about_judgment(record)
        start, prompt = self._prompt(record)
        return [
            {
                **prompt,
                "chosen": self._side(record, start, a),
                "rejected": self._side(record, start, b),
                "tie": rank[a] == rank[b],
                **_columns("chosen", record.candidates[a], a, rank[a]),
                **_columns("rejected", record.candidates[b], b, rank[b]),
                **about,
            }
            for a, b in permutations(rank, 2)
            if rank[a] <= rank[b]
        ]

    def _prompt(self, record: Record) -> tuple[Any, dict[str, Any]]:
        """What implicit answers start with, and the columns of the prompt."""
        messages = record.prompt.messages
        if self.shape == "chat":
            chat = plain_messages(messages)
            return chat, {"prompt": chat} if self.explicit else {}
        if self.shape == "transcript":
            text = transcripts.open_transcript(messages)
        else:
            text = prompt_text(messages)
        if self.explicit:
            return text, {"prompt": text, "prompt_messages": exact_messages(text, messages)}
        # Where the prompt ends cannot be seen in two answers that begin alike.
        kept = exact_messages(text, messages)
        return text, {"prompt_messages": kept, "prompt_chars": len(text)}

    def _side(self, record: Record, start: Any, index: int) -> Any:  # noqa: ANN401
        answer = record.candidates[index].text
        if self.shape != "chat":
            return answer if self.explicit else start + answer
        turn = [{"role": "assistant", "content": answer}]
        return turn if self.explicit else [*start, *turn]


class _Gathered:
    """The candidates of a judgment, as the rows of its pairs name them."""

    def __init__(self) -> None:
        self.candidates: dict[str, Candidate] = {}
        self.ranks: dict[str, int] = {}
        self.places: dict[str, int] = {}

    def add(self, row: Row, texts: _Texts, *, alone: bool) -> None:
        for number, side in enumerate(_SIDES):
            names = {f: f"{side}_{f}" for f in _Side.model_fields}
            said = fields.check(_Side, row, names)
            if said.rank is None and not alone:
                raise RowProblem(f"{side}_rank", "is missing, and the judgment has several rows")
            text = texts.chosen if side == "chosen" else texts.rejected
            rank = number + 1 if said.rank is None else said.rank
            key = said.id or (f"place {said.place}" if said.place is not None else side + text)
            new = Candidate(text, said.source, said.id, said.ratings)
            usual = number if alone else self.places.get(key, len(self.places))
            place = usual if said.place is None else said.place
            if self.candidates.setdefault(key, new) != new:
                raise RowProblem(f"{side}_id", f"{said.id!r:.80}: stands for two different answers")
            before = self.ranks.setdefault(key, rank), self.places.setdefault(key, place)
            if before != (rank, place):
                raise RowProblem(f"{side}_rank", f"{rank}: had another rank or place before")
        if alone and len(self.candidates) == 1:
            raise RowProblem("rejected_id", "is the chosen one's: a pair has two answers")

    def ranked(self) -> tuple[tuple[Candidate, ...], tuple[tuple[int, ...], ...]]:
        """Candidates in the order shown, and tiers of their indices."""
        if len(set(self.places.values())) != len(self.places):
            raise RowProblem("chosen_place", f"{sorted(self.places.values())}: one place each")
        order = sorted(self.candidates, key=self.places.__getitem__)
        index = {key: n for n, key in enumerate(order)}
        levels = sorted(set(self.ranks.values()))
        return tuple(self.candidates[k] for k in order), tuple(
            tuple(index[k] for k, rank in self.ranks.items() if rank == level) for level in levels
        )


def _columns(side: str, candidate: Candidate, place: int, rank: int) -> dict[str, Any]:
    return {
        f"{side}_rank": rank,
        f"{side}_place": place,
        f"{side}_source": candidate.source,
        f"{side}_id": candidate.id,
        f"{side}_ratings": dict(candidate.ratings) if candidate.ratings else None,
    }


def _texts(row: Row) -> _Texts:
    kinds = {type(row.get(side)) for side in _SIDES}
    if kinds <= {list, tuple}:
        return _from_chats(row)
    chosen, rejected = (fields.required_text(row, side) for side in _SIDES)
    exact = row.get("prompt_messages")
    messages = fields.messages_in(exact, "prompt_messages") if exact is not None else None
    if row.get("prompt") is not None:
        return _Texts(messages or prompt_in(row["prompt"], "prompt"), chosen, rejected)
    return _from_wholes(row, messages, chosen, rejected)


def _from_chats(row: Row) -> _Texts:
    """Chats that hold the answer alone, or the prompt as well."""
    answers = []
    starts = []
    for side in _SIDES:
        *start, last = fields.messages_in(row[side], side) or (None,)
        if last is None or last.role != "assistant":
            raise RowProblem(side, f"{row[side]!r:.80}: should end with the assistant's message")
        starts.append(tuple(start))
        answers.append(last.content)
    if starts[0] != starts[1]:
        raise RowProblem("rejected", "has another prompt before its last message than `chosen`")
    given = row.get("prompt")
    if not starts[0] and given is None:
        raise RowProblem("prompt", "is missing, and `chosen` has no messages before its last one")
    return _Texts(starts[0] or prompt_in(given, "prompt"), *answers)


def _from_wholes(
    row: Row, messages: tuple[Message, ...] | None, chosen: str, rejected: str
) -> _Texts:
    """Texts that hold prompt and answer."""
    size = fields.check(_Cut, row).prompt_chars
    if size is None:
        found = transcripts.shared_turns(chosen, rejected)
        if found is not None:
            return _Texts(*found)
        size = transcripts.common_start(chosen, rejected)
        start = chosen[:size].rstrip()
        if not start:
            raise RowProblem(
                "rejected",
                "starts otherwise than `chosen`, and there is no `prompt`: both hold the prompt "
                "before the answer, or the row has it in a field of its own",
            )
        return _Texts(prompt_in(start, "chosen"), chosen[size:], rejected[size:])
    if chosen[:size] != rejected[:size] or min(len(chosen), len(rejected)) < size:
        raise RowProblem("prompt_chars", f"{size}: `chosen` and `rejected` differ before that")
    start = chosen[:size]
    return _Texts(messages or prompt_in(start, "chosen"), chosen[size:], rejected[size:])


def prompt_in(value: object, name: str) -> tuple[Message, ...]:
    """The messages of a prompt given as text, transcript or chat."""
    if isinstance(value, str):
        if not value.strip():
            raise RowProblem(name, f"{value!r:.80}: has no text that could be the prompt")
        return transcripts.prompt_messages(value)
    return fields.messages_in(value, name)


def prompt_text(messages: Sequence[Message]) -> str:
    """A prompt as one text: its own where it is one message, else a transcript."""
    alone = len(messages) == 1 and messages[0].role == "user"
    return messages[0].content if alone else transcripts.open_transcript(messages)


def plain_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """As JSON."""
    return [{"role": m.role, "content": m.content} for m in messages]


def exact_messages(text: str, messages: tuple[Message, ...]) -> list[dict[str, str]] | None:
    """The messages, where the text alone would be read as others."""
    return None if transcripts.prompt_messages(text) == messages else plain_messages(messages)


def all_pairs() -> Iterator[Pairs]:
    """Every way to write pairs, in the order in which they are tried."""
    yield Pairs("trl", "chat", explicit=True)
    yield Pairs("trl-implicit", "chat", explicit=False)
    yield Pairs("trl-text", "text", explicit=True)
    yield Pairs("hh", "transcript", explicit=False)
    yield Pairs("trl-text-implicit", "text", explicit=False)
