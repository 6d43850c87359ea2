"""What people said as arrays: the form in which agreement is counted.

Every ranking is taken apart twice. Its *pairs* of candidates have one of three values each: the
first above, neither above, the second above. "First" is by id, which says nothing of left and
right. Its *places* say of each candidate where it stands among the others, from first to last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rlhf_lab.store.opinions import Opinion, Tiers

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

FIRST, TIED, SECOND = 0, 1, 2
ORDERS: Final = 3

# Whoever is about to be told the answer practises: that measures neither them nor the data.
PRACTICE: Final = "calibration"
# Which rankings are compared with one another, as codes in `Rankings.purpose`: those of different
# people, a person's second look with the first, and known answers with what was said of them.
WORK, AGAIN, KNOWN, ANSWER = range(4)
_PURPOSES: Final = {"regular": WORK, "extra": WORK, "repeat": AGAIN, "gold": KNOWN}


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """Reliability data in long form: who gave which unit which value, once per rater and unit.

    Attributes:
        rater: Number of who said it, shape (n,).
        unit: Number of what it was said of.
        cluster: Number of what the unit belongs to and is drawn with: its prompt.
        value: Number of the value, in order where the values have one.
        values: How many there are.
    """

    rater: Ints
    unit: Ints
    cluster: Ints
    value: Ints
    values: int

    def where(self, chosen: npt.NDArray[np.bool_]) -> Ratings:
        """Only some of the rows."""
        return Ratings(
            rater=self.rater[chosen],
            unit=self.unit[chosen],
            cluster=self.cluster[chosen],
            value=self.value[chosen],
            values=self.values,
        )

    def counts(self) -> Ints:
        """How many raters gave each unit each value, shape (units, values)."""
        units = int(self.unit.max(initial=-1)) + 1
        cells = np.bincount(self.unit * self.values + self.value, minlength=units * self.values)
        return cells.reshape(units, self.values)


@dataclass(frozen=True, kw_only=True)
class Rankings:
    """Rankings that count, one row each, without practice; known answers come last.

    Attributes:
        names: Of annotators, by their numbers.
        items: Ids of items, by their numbers.
        seq: Number of the judgment in the record; 0 for a known answer.
        who: Number of the annotator; -1 for a known answer.
        item: Number of the item.
        prompt: Number of the prompt.
        purpose: `WORK`, `AGAIN`, `KNOWN` or `ANSWER`.
        seconds: Time spent; 0 where it is not known.
        at: When, in seconds since 1970.
        lean: 1 if what was shown first is above what was shown last, -1 if below, 0 if tied.
        skips: By annotator.
    """

    names: tuple[str, ...]
    items: tuple[str, ...]
    seq: Ints
    who: Ints
    item: Ints
    prompt: Ints
    purpose: Ints
    seconds: Floats
    at: Floats
    lean: Ints
    skips: Mapping[str, int]
    _places: Ints  # doubled, so that the mean of two places is whole; by candidate's id
    _start: Ints
    _size: Ints

    @property
    def prompts(self) -> int:
        """One more than the largest number of a prompt."""
        return int(self.prompt.max(initial=-1)) + 1

    def rows(self, purpose: int) -> Ints:
        """Rows of this purpose, the last one of each annotator and item."""
        rows = np.flatnonzero(self.purpose == purpose)[::-1]
        keys = self.item[rows] * (len(self.names) + 1) + self.who[rows] + 1
        return np.sort(rows[np.unique(keys, return_index=True)[1]])

    def pairs(self, rows: Ints) -> Ratings:
        """Who put which of two candidates above the other."""
        first_pair = _starts(self._sizes() * (self._sizes() - 1) // 2)
        parts = []
        for same, places in self._by_size(rows):
            first, second = np.triu_indices(places.shape[1], 1)
            values = np.sign(places[:, first] - places[:, second]) + 1
            parts.append((same, first_pair[self.item[same]], values))
        return self._ratings(parts, ORDERS)

    def places(self, rows: Ints) -> Ratings:
        """Where each candidate stands: 0 for the first of all, 1 for the last; ties share.

        Of items with fewer candidates the last is as far from the first as of others.
        """
        first_place = _starts(self._sizes())
        parts = [
            (same, first_place[self.item[same]], places / (2 * places.shape[1] - 2))
            for same, places in self._by_size(rows)
        ]
        steps = np.unique(np.concatenate([p[2].ravel() for p in parts])) if parts else np.zeros(1)
        numbered = [(same, start, np.searchsorted(steps, at)) for same, start, at in parts]
        return self._ratings(numbered, len(steps))

    def item_of_pair(self) -> Ints:
        """Number of the item that each pair is of."""
        sizes = self._sizes()
        return np.repeat(np.arange(len(sizes)), sizes * (sizes - 1) // 2)

    def _sizes(self) -> Ints:
        """How many candidates each item has."""
        sizes = np.zeros(len(self.items), dtype=np.int64)
        sizes[self.item] = self._size
        return sizes

    def _by_size(self, rows: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Rows with equally many candidates, and the places of these, shape (rows, candidates)."""
        for size in np.unique(self._size[rows]):
            same = rows[self._size[rows] == size]
            yield same, self._places[self._start[same, None] + np.arange(size)]

    def _ratings(self, parts: list[tuple[Ints, Ints, Any]], values: int) -> Ratings:
        empty = np.zeros(0, dtype=np.int64)

        def column(pieces: Iterable[Ints]) -> Ints:
            return np.concatenate([empty, *pieces])

        return Ratings(
            rater=column(np.repeat(self.who[r], v.shape[1]) for r, _, v in parts),
            unit=column((s[:, None] + np.arange(v.shape[1])).ravel() for _, s, v in parts),
            cluster=column(np.repeat(self.prompt[r], v.shape[1]) for r, _, v in parts),
            value=column(v.ravel() for _, _, v in parts),
            values=values,
        )


def tabulate(said: Iterable[Opinion], answers: Mapping[str, Tiers]) -> Rankings:
    """Make the table.

    Args:
        said: In the order in which it was said.
        answers: Known ones, by item; of items that nobody ranked they are left out.
    """
    rows = _Rows()
    for opinion in said:
        rows.add(opinion)
    for item, tiers in answers.items():
        rows.add_answer(item, tiers)
    return rows.table()


@dataclass
class _Rows:
    """Numbers what it is given, in the order it comes."""

    names: dict[str, int] = field(default_factory=dict)
    items: dict[str, tuple[int, int]] = field(default_factory=dict)  # and number of the prompt
    prompts: dict[str, int] = field(default_factory=dict)
    numbers: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)

    def add(self, said: Opinion) -> None:
        if said.occasion == PRACTICE:
            return
        who = self.names.setdefault(said.annotator, len(self.names))
        if said.tiers is None or said.item is None:
            self.skips[said.annotator] += 1
            return
        prompt = self.prompts.setdefault(said.prompt, len(self.prompts))
        item, _ = self.items.setdefault(said.item, (len(self.items), prompt))
        places = _places(said.tiers)
        first, last = places[said.shown[0]], places[said.shown[-1]]
        lean = (last > first) - (last < first)
        purpose = _PURPOSES.get(said.occasion, WORK)
        self._add((said.seq, who, item, prompt, purpose, lean), places)
        self.times.append((said.seconds, said.at))

    def add_answer(self, item: str, tiers: Tiers) -> None:
        if item in self.items:
            self._add((0, -1, *self.items[item], ANSWER, 0), _places(tiers))
            self.times.append((0.0, 0.0))

    def _add(self, numbers: tuple[int, int, int, int, int, int], places: dict[str, int]) -> None:
        self.numbers.append((*numbers, len(places)))
        self.places += [place for _, place in sorted(places.items())]

    def table(self) -> Rankings:
        columns = np.array(self.numbers, dtype=np.int64).reshape(-1, 7).T
        seq, who, item, prompt, purpose, lean, size = columns
        seconds, at = np.array(self.times, dtype=np.float64).reshape(-1, 2).T
        return Rankings(
            names=tuple(self.names),
            items=tuple(self.items),
            seq=seq,
            who=who,
            item=item,
            prompt=prompt,
            purpose=purpose,
            seconds=seconds,
            at=at,
            lean=lean,
            skips=dict(self.skips),
            _places=np.array(self.places, dtype=np.int64),
            _start=_starts(size),
            _size=size,
        )


def _places(tiers: Tiers) -> dict[str, int]:
    """Twice the place of each candidate, from 0; those of one tier share the mean of theirs."""
    places: dict[str, int] = {}
    for tier in tiers:
        shared = 2 * len(places) + len(tier) - 1
        places.update(dict.fromkeys(tier, shared))
    return places


def _starts(sizes: Ints) -> Ints:
    """Where each piece begins when they lie one after the other."""
    return np.cumsum(sizes) - sizes
