"""Which item to show whom next: the queue between the store and whoever ranks."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.types import (
    MOST_CANDIDATES,
    Annotator,
    Demonstration,
    Judgment,
    Progress,
    RankingItem,
    RankingSource,
    Strategy,
)


def check_candidates(k: int) -> None:
    """Refuse numbers of responses that nobody can rank.

    Raises:
        NotEnoughData: below 2.
        ConfigError: more than there are digits.
    """
    if k < 2:
        raise NotEnoughData(
            f"k={k}: ranking compares responses, so each prompt needs at least 2. Use 4."
        )
    if k > MOST_CANDIDATES:
        raise ConfigError(
            f"k={k}: at most {MOST_CANDIDATES} responses to a prompt can be ranked by digit. "
            f"Use 4 to {MOST_CANDIDATES}."
        )


class ItemSource(Protocol):
    """Where items are handed out: the part of the store's assignments that a queue needs."""

    def offer(self, version: str | None = None) -> int:
        """Make items of candidates that are not yet in one."""

    @property
    def secret(self) -> str:
        """A random text that the lab keeps."""

    @property
    def lease_seconds(self) -> float:
        """How long what was handed out stays theirs."""

    def upcoming(
        self,
        annotator: str,
        version: str | None,
        count: int | None,
        *,
        seed: int,
        leave_ranked: bool,
        strategy: Strategy | None,
    ) -> list[RankingItem]:
        """Hand out items, each the same until it is judged."""

    def progress(self, annotator: str, version: str | None, *, leave_ranked: bool) -> Progress:
        """How many items are judged or skipped, of how many."""

    def undo(
        self, annotator: str, version: str | None, *, submission: str | None, of: str | None
    ) -> RankingItem | None:
        """Take back the latest judgment or skip."""

    def redo(
        self, annotator: str, version: str | None, *, submission: str | None, of: str | None
    ) -> RankingItem | None:
        """Take back the latest undo."""

    def known(self, annotator: str, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which an act of theirs is stored."""


class JudgmentStore(Protocol):
    """The part of the preference store that a queue needs."""

    @property
    def assignments(self) -> ItemSource:
        """Where items are handed out."""

    def submit(self, judgment: Judgment) -> bool:
        """Store one event durably."""

    def add_demonstration(self, demonstration: Demonstration) -> bool:
        """Store one answer that a person wrote, durably."""

    def demonstrations(
        self, prompt_id: str, *, include_superseded: bool
    ) -> Sequence[Demonstration]:
        """Answers that people wrote to a prompt, in the order they were stored."""


class RankingQueue:
    """One annotator's items: the candidates of each prompt that one version wrote.

    Holds no state of its own: what is done is read from the store each time, so a queue made
    again after a reload or a crash goes on where the last one was. The lab's plan says how many
    annotators see an item, and in which order.
    """

    def __init__(
        self,
        store: JudgmentStore,
        *,
        annotator: str,
        version: str | None = None,
        seed: int = 0,
        leave_ranked: bool = False,
        strategy: Strategy | None = None,
    ) -> None:
        """Make a queue.

        Args:
            store: Where candidates come from and judgments go.
            annotator: Who ranks.
            version: Only candidates of this policy; None for all.
            seed: Of the shuffled order in which candidates are shown.
            leave_ranked: Leave out what anybody else has ranked already.
            strategy: How new items are chosen; None: as the lab's plan says.
        """
        self.annotator = annotator
        self._store = store
        self.version = version
        self._seed = seed
        self._leave_ranked = leave_ranked
        self._strategy = strategy
        store.assignments.offer(version)

    @property
    def secret(self) -> str:
        """A random text that the lab keeps; see `RankingSource`."""
        return self._store.assignments.secret

    @property
    def lease_seconds(self) -> float:
        """How long what was handed out stays this annotator's."""
        return self._store.assignments.lease_seconds

    def next_item(self) -> RankingItem | None:
        """The item this annotator has in hand, or a new one; None when there is none for them."""
        return next(iter(self.upcoming(1)), None)

    def upcoming(self, count: int | None) -> list[RankingItem]:
        """What this annotator has in hand, and new ones up to a number; they keep it for a while.

        With a plan, what one person has in hand is nobody else's: ask for few in a team, or for
        None, as many as suit the plan.
        """
        return self._store.assignments.upcoming(
            self.annotator,
            self.version,
            count,
            seed=self._seed,
            leave_ranked=self._leave_ranked,
            strategy=self._strategy,
        )

    def submit(self, judgment: Judgment) -> bool:
        """Store a judgment or skip, on disk when this returns; False if its id was there."""
        return self._store.submit(judgment)

    def demonstrate(self, demonstration: Demonstration) -> None:
        """Store an answer that was written or edited; on disk when this returns.

        Who edits the same response again replaces what they made of it before.
        """
        of_prompt = self._store.demonstrations(demonstration.prompt_id, include_superseded=True)
        self._store.add_demonstration(_replacing(demonstration, of_prompt))

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip and return its item.

        Looks only at this queue's items, so undo never reaches into another version's.

        Args:
            submission: Id of the act; the same twice is one undo.
            of: Id of the judgment it is meant for; None is returned if that is not the latest.
        """
        return self._store.assignments.undo(
            self.annotator, self.version, submission=submission, of=of
        )

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back the latest undo and return its item; None after a new judgment.

        Args:
            submission: Id of the act; the same twice is one redo.
            of: Id of the judgment it is to bring back, or of the undo it takes back; None is
                returned if that is another.
        """
        return self._store.assignments.redo(
            self.annotator, self.version, submission=submission, of=of
        )

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which a judgment, undo or redo of this annotator is stored."""
        return self._store.assignments.known(self.annotator, ids)

    def progress(self) -> Progress:
        """Items ranked or skipped, of all items in the queue."""
        return self._store.assignments.progress(
            self.annotator, self.version, leave_ranked=self._leave_ranked
        )


def rank_all(source: RankingSource, annotator: Annotator, *, most: int | None = None) -> int:
    """Let an annotator rank everything that is left in a queue, or at most so many items.

    Submission ids derive from who ranked what for which time, so an interrupted run goes on where
    it stopped, and what was undone is ranked again.

    Returns:
        Number of items ranked.
    """
    times: Counter[tuple[str, ...]] = Counter()
    while (most is None or len(times) < most) and (items := source.upcoming(1)):
        [item] = items
        shown = tuple(c.id for c in item.candidates)
        asked = tuple(sorted(shown))  # whatever the order: an item that comes again has another
        submission = submission_id(source.annotator, *asked, str(times[asked]))
        times[asked] += 1
        if source.known([submission]):
            continue  # said in an earlier run, and asked for once more
        source.submit(
            Judgment(
                id=submission,
                prompt_id=item.prompt.id,
                annotator=source.annotator,
                shown_order=shown,
                ranking=annotator.rank(item.prompt, item.candidates),
            )
        )
    return len(times)


def _replacing(new: Demonstration, of_prompt: Sequence[Demonstration]) -> Demonstration:
    """The same, as a replacement of the last one that was made of the same response."""
    if new.supersedes is not None or new.edited_from is None:
        return new
    for stored in of_prompt:
        if stored.id == new.id:  # sent again
            return replace(new, supersedes=stored.supersedes)
    replaced = {stored.supersedes for stored in of_prompt}
    earlier = [
        stored.id
        for stored in of_prompt
        if (stored.annotator, stored.edited_from) == (new.annotator, new.edited_from)
        and stored.id not in replaced
    ]
    return replace(new, supersedes=earlier[-1]) if earlier else new


def submission_id(*parts: str) -> str:
    """An id that is the same whenever the same thing is said again."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
