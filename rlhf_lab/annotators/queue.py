"""Which item to show whom next: the queue between the store and whoever ranks."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.types import (
    Annotator,
    Judgment,
    JudgmentKind,
    Progress,
    Prompt,
    RankingItem,
    RankingSource,
    Response,
)

MOST_CANDIDATES = 9


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


class JudgmentStore(Protocol):
    """The part of the preference store that a queue needs."""

    def prompts(self) -> list[Prompt]:
        """All prompts, in order."""

    def responses(self, prompt_id: str | None = None, version: str | None = None) -> list[Response]:
        """Responses, in order."""

    def judgments(
        self,
        prompt_id: str | None = None,
        annotator: str | None = None,
        kinds: Sequence[JudgmentKind] = ("ranking",),
    ) -> list[Judgment]:
        """Active events, in order."""

    def latest_active(self, annotator: str) -> Judgment | None:
        """What an undo would take back."""

    def submit(self, judgment: Judgment) -> bool:
        """Store one event durably."""


class RankingQueue:
    """One annotator's items: the candidates of each prompt that one version wrote.

    Holds no state of its own: what is done is read from the store each time, so a queue made
    again after a reload or a crash goes on where the last one was.
    """

    def __init__(
        self,
        store: JudgmentStore,
        *,
        annotator: str,
        version: str | None = None,
        seed: int = 0,
        leave_ranked: bool = False,
    ) -> None:
        """Make a queue.

        Args:
            store: Where candidates come from and judgments go.
            annotator: Who ranks.
            version: Only candidates of this policy; None for all.
            seed: Of the shuffled order in which candidates are shown.
            leave_ranked: Leave out what anybody else has ranked already.
        """
        self.annotator = annotator
        self._store = store
        self._version = version
        self._seed = seed
        self._leave_ranked = leave_ranked

    def next_item(self) -> RankingItem | None:
        """The first item this annotator has neither ranked nor skipped."""
        done = self._seen()
        return next((item for item in self._items() if not _ids(item) & done), None)

    def submit(self, judgment: Judgment) -> None:
        """Store a judgment or skip; on disk when this returns."""
        self._store.submit(judgment)

    def undo(self) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip and return its item.

        Looks only at this queue's items, so undo never reaches into another version's.
        """
        ours = {i: item for item in self._items() for i in _ids(item)}
        events = self._store.judgments(annotator=self.annotator, kinds=("ranking", "skip"))
        last = next((e for e in reversed(events) if set(e.shown_order) & ours.keys()), None)
        if last is None:
            return None
        self._store.submit(
            Judgment(
                id=submission_id("undo", last.id),
                prompt_id=last.prompt_id,
                annotator=self.annotator,
                kind="undo",
                supersedes=last.id,
            )
        )
        return ours[next(i for i in last.shown_order if i in ours)]

    def progress(self) -> Progress:
        """Items ranked or skipped, of all items in the queue."""
        done = self._seen()
        items = self._items()
        return Progress(done=sum(bool(_ids(item) & done) for item in items), total=len(items))

    def _seen(self) -> set[str]:
        events = self._store.judgments(annotator=self.annotator, kinds=("ranking", "skip"))
        if self._leave_ranked:
            events += self._store.judgments(kinds=("ranking",))
        return {i for event in events for i in event.shown_order}

    def _items(self) -> list[RankingItem]:
        prompts = {p.id: p for p in self._store.prompts()}
        groups: dict[tuple[str, str], list[Response]] = {}
        for response in self._store.responses(version=self._version):
            if response.purpose == "candidate":
                groups.setdefault((response.version, response.prompt_id), []).append(response)
        return [
            RankingItem(prompt=prompts[prompt_id], candidates=self._shuffled(group))
            for (_, prompt_id), group in groups.items()
            if len(group) > 1
        ]

    def _shuffled(self, group: Iterable[Response]) -> tuple[Response, ...]:
        """Blind order, the same each time for the same annotator and candidates."""
        ordered = sorted(group, key=lambda r: r.id)
        key = f"{self._seed}/{self.annotator}/{ordered[0].id}"
        return tuple(random.Random(key).sample(ordered, len(ordered)))


def rank_all(source: RankingSource, annotator: Annotator) -> int:
    """Let an annotator rank everything that is left in a queue.

    Submission ids derive from who ranked what for which time, so an interrupted run goes on where
    it stopped, and what was undone is ranked again.

    Returns:
        Number of items ranked.
    """
    times: Counter[tuple[str, ...]] = Counter()
    while (item := source.next_item()) is not None:
        shown = tuple(c.id for c in item.candidates)
        source.submit(
            Judgment(
                id=submission_id(source.annotator, *sorted(shown), str(times[shown])),
                prompt_id=item.prompt.id,
                annotator=source.annotator,
                shown_order=shown,
                ranking=annotator.rank(item.prompt, item.candidates),
            )
        )
        times[shown] += 1
    return len(times)


def submission_id(*parts: str) -> str:
    """An id that is the same whenever the same thing is said again."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _ids(item: RankingItem) -> set[str]:
    return {c.id for c in item.candidates}
