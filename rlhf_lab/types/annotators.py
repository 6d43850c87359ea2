"""Who ranks, and where the items come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rlhf_lab.types.comparisons import ComparisonReport
from rlhf_lab.types.judgments import Judgment, Ranking
from rlhf_lab.types.prompts import Prompt
from rlhf_lab.types.responses import Response


@dataclass(frozen=True, kw_only=True)
class RankingItem:
    """What an annotator sees: one prompt and its candidates in their blind, shuffled order."""

    prompt: Prompt
    candidates: tuple[Response, ...]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an annotator is with the current queue."""

    done: int
    total: int


class RankingSource(Protocol):
    """Where a ranking widget gets its items and leaves its judgments; holds all the state."""

    annotator: str

    def next_item(self) -> RankingItem | None:
        """The next item nobody of this name has judged or skipped, or None when done.

        The same item in the same order until it is judged: a reloaded widget resumes.
        """

    def submit(self, judgment: Judgment) -> None:
        """Store a judgment or skip durably; returns once it is on disk. Same id twice is one."""

    def undo(self) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip; its item, or None."""

    def progress(self) -> Progress:
        """How many items are judged or skipped, of how many in the queue."""


class ComparisonSource(Protocol):
    """Where a comparing widget gets pairs and leaves its judgments; holds all the state."""

    annotator: str

    def waiting(self, count: int) -> list[RankingItem]:
        """The first so many pairs that are neither judged nor skipped.

        In an order that stays, each with its sides as they always are: a reloaded widget resumes.
        """

    def submit(self, judgment: Judgment) -> None:
        """Store a judgment or skip durably; returns once it is on disk. Same id twice is one."""

    def undo(self, submission: str) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip of these pairs; its pair, or None.

        Same submission id twice is one undo.
        """

    def redo(self, submission: str) -> RankingItem | None:
        """Take back the latest undo; its pair, or None when there is none."""

    def report(self) -> ComparisonReport:
        """What was said so far, from what is stored."""

    def refresh(self) -> None:
        """Look again for responses."""


class Annotator(Protocol):
    """Something that ranks candidates: a rubric, a model, a person behind a queue."""

    name: str

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first."""
