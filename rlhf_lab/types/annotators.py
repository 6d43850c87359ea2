"""Who ranks, and where the items come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rlhf_lab.types.comparisons import ComparisonReport
from rlhf_lab.types.judgments import Demonstration, Judgment, Ranking
from rlhf_lab.types.prompts import Prompt
from rlhf_lab.types.responses import Response

# How the next item is chosen: "random" in an order that looks at nothing, "informative" by how much
# its ranking would teach the reward model, but for a random share.
Strategy = Literal["random", "informative"]


@dataclass(frozen=True, kw_only=True)
class RankingItem:
    """What an annotator sees: one prompt and its candidates in their blind, shuffled order.

    Attributes:
        said: The annotator's own ranking or skip that an undo took back or a redo brought back.
    """

    prompt: Prompt
    candidates: tuple[Response, ...]
    said: Judgment | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an annotator is with the current queue."""

    done: int
    total: int


class RankingSource(Protocol):
    """Where a ranking widget gets its items and leaves its judgments; holds all the state."""

    annotator: str
    version: str | None
    """Whose responses are ranked; None for all."""

    @property
    def secret(self) -> str:
        """Always the same for one lab and never shown: what names of items on a page come from."""

    @property
    def lease_seconds(self) -> float:
        """How long what was handed out stays this annotator's."""

    def upcoming(self, count: int | None) -> list[RankingItem]:
        """The next items that nobody of this name has judged or skipped; fewer when few are left.

        None for as many as suit how the work is shared out.

        They stay this annotator's for a while, and again each time. The same in the same order
        until they are judged, so a reloaded widget resumes; one that was taken back comes first.
        """

    def submit(self, judgment: Judgment) -> bool:
        """Store a judgment or skip durably; returns once it is on disk.

        Returns:
            False if its id is stored already, whether that counts or was taken back since.
        """

    def demonstrate(self, demonstration: Demonstration) -> None:
        """Store an answer that was written or edited, durably. Same id twice is one."""

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip; its item, or None.

        Args:
            submission: Id of the act; the same twice is one undo.
            of: Id of the judgment it is meant for; if that is not the latest, nothing is done.
        """

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back the latest undo, unless something was judged since; its item, or None.

        Args:
            submission: Id of the act; the same twice is one redo.
            of: Id of the judgment it is to bring back, or of the undo it takes back; if that is
                another, nothing is done.
        """

    def known(self, ids: Iterable[str]) -> Set[str]:
        """Those of the ids under which a judgment, undo or redo of this annotator is stored."""

    def progress(self) -> Progress:
        """How many items are judged or skipped, of how many in the queue."""


class ComparisonSource(Protocol):
    """Where a comparing widget gets pairs and leaves its judgments; holds all the state."""

    annotator: str
    versions: tuple[str, str]

    @property
    def secret(self) -> str:
        """Always the same for one lab and never shown: what names of pairs on a page come from."""

    def waiting(self, count: int) -> list[RankingItem]:
        """The first so many pairs that are neither judged nor skipped.

        In an order that stays, each with its sides as they always are: a reloaded widget resumes.
        """

    def submit(self, judgment: Judgment) -> bool:
        """Store a judgment or skip durably; returns once it is on disk.

        Returns:
            False if its id is stored already, whether that counts or was taken back since.
        """

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip of these pairs; its pair, or None.

        Args:
            submission: Id of the act; the same twice is one undo.
            of: Id of the judgment it is meant for; if that is not the latest, nothing is done.
        """

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back the latest undo; its pair, or None when there is none.

        Args:
            submission: Id of the act; the same twice is one redo.
            of: Id of the judgment it is to bring back; if that is another, nothing is done.
        """

    def known(self, ids: Iterable[str]) -> Set[str]:
        """Those of the ids under which a judgment, undo or redo of this annotator is stored."""

    def report(self) -> ComparisonReport:
        """What was said so far, from what is stored."""

    def refresh(self) -> None:
        """Look again for responses."""


class Annotator(Protocol):
    """Something that ranks candidates: a rubric, a model, a person behind a queue."""

    name: str

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first."""
