"""Pairs of a better and a worse answer: TRL's preference formats and Anthropic's transcripts.

A ranking is written as one row for every pair of its candidates, better one first, and a tie as
two rows, one each way: the Bradley-Terry loss of both together is lowest where the scores are
equal. The rows of a judgment stand together; ranks, ids and places in them restore it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Annotated, Any, Literal

from pydantic import Field

from rlhf_lab.store.exchange import fields, transcripts
from rlhf_lab.store.exchange.fields import Name, Ratings, Strict
from rlhf_lab.store.exchange.formats.pair_texts import SIDES, PairTexts, pair_texts
from rlhf_lab.store.exchange.formats.prompts import exact_messages, plain_messages, prompt_text
from rlhf_lab.store.exchange.record import Candidate, Record, Row, RowProblem, What

_OF_SIDES = {
    f"{side}_{name}": kind
    for side in SIDES
    for name, kind in [
        ("rank", "int"),
        ("place", "int"),
        ("source", "text"),
        ("id", "text"),
        ("ratings", "json"),
    ]
}


class _Tie(Strict):
    tie: bool = False


class _Side(Strict):
    rank: Annotated[int, Field(ge=1, le=10_000)] | None = None
    place: Annotated[int, Field(ge=0, le=10_000)] | None = None
    source: str = ""
    id: Name | None = None
    ratings: Ratings | None = None


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
        names = ("prompt", *SIDES) if self.explicit else SIDES
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
        """The judgment; without its id, the two rows of a tie still belong together."""
        found = row.get("judgment_id")
        if found is None and row.get("tie") is True:
            return repr(_both_ways(row))
        return found if isinstance(found, str) else None

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """One ranking; of ties without an id as many as there are rows one way.

        Where nothing tells the two answers of a tie apart, every two rows are one.
        """
        if rows[0].get("judgment_id") is not None or len(rows) == 1:
            return [self._ranking(rows)]
        if _of("chosen", rows[0]) == _of("rejected", rows[0]):
            return [self._ranking([row]) for row in rows[::2]]
        ways: tuple[list[Row], list[Row]] = ([], [])
        for row in rows:
            ways[_of("chosen", row) != _of("chosen", rows[0])].append(row)
        return [self._ranking([row]) for row in max(ways, key=len)]

    def _ranking(self, rows: Sequence[Row]) -> Record:
        first = pair_texts(rows[0])
        prompt = fields.make_prompt(first.messages, "prompt" if self.explicit else "chosen")
        said = fields.shared(rows[0], prompt)
        found = _Gathered()
        for n, row in enumerate(rows):
            try:
                texts = pair_texts(row) if n else first
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
        return Record(kind="ranking", candidates=candidates, tiers=tiers, **said)

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

    def add(self, row: Row, texts: PairTexts, *, alone: bool) -> None:
        tie = fields.check(_Tie, row).tie
        ranks = []
        for number, side in enumerate(SIDES):
            names = {f: f"{side}_{f}" for f in _Side.model_fields}
            said = fields.check(_Side, row, names)
            if said.rank is None and not alone:
                raise RowProblem(f"{side}_rank", "is missing, and the judgment has several rows")
            text = texts.chosen if side == "chosen" else texts.rejected
            rank = (1 if tie else number + 1) if said.rank is None else said.rank
            ranks.append(rank)
            key = said.id or (f"place {said.place}" if said.place is not None else side + text)
            new = Candidate(text, said.source, said.id, said.ratings)
            usual = number if alone else self.places.get(key, len(self.places))
            place = usual if said.place is None else said.place
            if self.candidates.setdefault(key, new) != new:
                raise RowProblem(f"{side}_id", f"{said.id!r:.80}: stands for two different answers")
            before = self.ranks.setdefault(key, rank), self.places.setdefault(key, place)
            if before != (rank, place):
                raise RowProblem(f"{side}_rank", f"{rank}: had another rank or place before")
        if tie and ranks[0] != ranks[1]:
            raise RowProblem("tie", f"True, but the ranks are {ranks}: equal ones are a tie")
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


def _of(side: str, row: Row) -> list[object]:
    return [row.get(f"{side}{mark}") for mark in ("", "_id", "_place")]


def _both_ways(row: Row) -> list[object]:
    """What the two rows of a tie have in common."""
    sides = sorted(
        [repr(row.get(side)), *(repr(row.get(f"{side}_{f}")) for f in _Side.model_fields)]
        for side in SIDES
    )
    about = sorted((k, repr(x)) for k, x in row.items() if not k.startswith(SIDES))
    return [sides, about]


def _columns(side: str, candidate: Candidate, place: int, rank: int) -> dict[str, Any]:
    return {
        f"{side}_rank": rank,
        f"{side}_place": place,
        f"{side}_source": candidate.source,
        f"{side}_id": candidate.id,
        f"{side}_ratings": dict(candidate.ratings) if candidate.ratings else None,
    }


def all_pairs() -> Iterator[Pairs]:
    """Every way to write pairs, in the order in which they are tried."""
    yield Pairs("trl", "chat", explicit=True)
    yield Pairs("trl-implicit", "chat", explicit=False)
    yield Pairs("trl-text", "text", explicit=True)
    yield Pairs("hh", "transcript", explicit=False)
    yield Pairs("trl-text-implicit", "text", explicit=False)
