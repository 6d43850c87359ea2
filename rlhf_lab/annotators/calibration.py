"""The calibration set as something to rank: known answers first, each told once it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Protocol

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import (
    CalibrationReport,
    Demonstration,
    Judgment,
    KnownItem,
    Progress,
    RankingItem,
)


class KnownSource(Protocol):
    """Where known answers come from: the part of the store's assignments that is needed."""

    @property
    def secret(self) -> str:
        """A random text that the lab keeps."""

    @property
    def lease_seconds(self) -> float:
        """How long what was handed out stays theirs."""

    def known_items(self, annotator: str, *, seed: int) -> list[KnownItem]:
        """The calibration set of one annotator, with what they said of it at first."""

    def known(self, annotator: str, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which an act of theirs is stored."""


class KnownStore(Protocol):
    """The part of the preference store that calibrating needs."""

    @property
    def assignments(self) -> KnownSource:
        """Where known answers come from."""

    def submit(self, judgment: Judgment) -> bool:
        """Store one event durably."""


class CalibrationQueue:
    """One annotator's calibration set, as a `RankingSource`.

    The known answer to an item is told after the first one, so that one counts, whatever a second
    window brings, and there is nothing to take back. Holds no state of its own, as `RankingQueue`.
    """

    version: str | None = None

    def __init__(self, store: KnownStore, *, annotator: str, seed: int = 0) -> None:
        """Make a queue.

        Args:
            store: Where known answers come from and judgments go.
            annotator: Who ranks.
            seed: Of the shuffled order in which candidates are shown.
        """
        self.annotator = annotator
        self._store = store
        self._seed = seed

    @property
    def secret(self) -> str:
        """A random text that the lab keeps; see `RankingSource`."""
        return self._store.assignments.secret

    @property
    def lease_seconds(self) -> float:
        """As for other items; these are never anybody else's, so it does not matter."""
        return self._store.assignments.lease_seconds

    def upcoming(self, count: int | None) -> list[RankingItem]:
        """What they have not answered, in order; all of it for None."""
        left = (known.item for known in self._items() if known.said is None)
        return list(islice(left, count))

    def submit(self, judgment: Judgment) -> bool:
        """Store an answer, on disk when this returns; False if its id was there.

        Raises:
            JudgmentError: the item is not in the set any more.
        """
        self._known_item(judgment.prompt_id, judgment.shown_order)
        return self._store.submit(replace(judgment, occasion="calibration"))

    def demonstrate(self, demonstration: Demonstration) -> None:
        """Nothing is written here.

        Raises:
            JudgmentError: always.
        """
        raise JudgmentError(
            f"demonstration {demonstration.id!r}: known answers are ranked and not edited. Edit a "
            "response of an item that is yours to rank."
        )

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """None: the answer has been told."""
        return None

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """None: nothing is taken back."""
        return None

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which a judgment of this annotator is stored."""
        return self._store.assignments.known(self.annotator, ids)

    def progress(self) -> Progress:
        """Items answered, of all items of the set."""
        report = self.report()
        return Progress(done=len(report.answered), total=report.total)

    def answer(self, item: RankingItem) -> Mapping[str, float]:
        """What the researcher said, as scores: higher is better. Ask it after the judgment alone.

        Raises:
            JudgmentError: the item is not in the set any more.
        """
        shown = tuple(response.id for response in item.candidates)
        ranks = self._known_item(item.prompt.id, shown).answer.ranks()
        return {i: -float(rank) for i, rank in ranks.items()}

    def report(self) -> CalibrationReport:
        """How far what they said is from the known answers."""
        return CalibrationReport.of(self.annotator, self._items())

    def _items(self) -> list[KnownItem]:
        return self._store.assignments.known_items(self.annotator, seed=self._seed)

    def _known_item(self, prompt_id: str, shown: Iterable[str]) -> KnownItem:
        candidates = set(shown)
        for known in self._items():
            of = {response.id for response in known.item.candidates}
            if (known.item.prompt.id, of) == (prompt_id, candidates):
                return known
        raise JudgmentError(
            "this item is not in the calibration set any more: a researcher made it smaller. "
            "Reload the page."
        )
