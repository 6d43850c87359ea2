"""What widgets of the dashboard work on: the lab's own sources, each call checked for its person.

The annotator is always the actor, whose name the server knows; a page cannot say it. What is
refused raises `SignedOut` or `NotAllowed` in the place of the call, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Generic, Protocol, TypeVar

from rlhf_lab.dashboard.access import Action, Actor
from rlhf_lab.dashboard.context import Context
from rlhf_lab.errors import NotAllowed
from rlhf_lab.types import (
    START,
    ComparisonReport,
    ComparisonSource,
    Demonstration,
    Judgment,
    Progress,
    RankingItem,
    RankingSource,
    Split,
    TableColumn,
    TableDetail,
    TablePage,
    TableQuery,
    TableSource,
)


class _JudgingSource(Protocol):
    """What sources that people judge from have in common."""

    annotator: str

    @property
    def secret(self) -> str: ...
    def submit(self, judgment: Judgment) -> bool: ...
    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None: ...
    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None: ...
    def known(self, ids: Iterable[str]) -> Set[str]: ...


S = TypeVar("S", bound=_JudgingSource)


class _Guarded(Generic[S]):
    """One person's source; whoever is signed out or may not do this any more gets no further."""

    def __init__(self, source: S, actor: Actor, action: Action) -> None:
        if source.annotator != actor.name:
            raise NotAllowed(f"these items are {source.annotator}'s: {actor.name} has their own.")
        self.annotator = actor.name
        self._wrapped = source
        self._actor = actor
        self._action = action

    @property
    def _source(self) -> S:
        """The source, if it may be used now."""
        self._actor.require(self._action)
        return self._wrapped

    @property
    def secret(self) -> str:
        """The lab's; it never reaches a page."""
        return self._wrapped.secret

    def submit(self, judgment: Judgment) -> bool:
        """Store a judgment or skip of this person."""
        if judgment.annotator != self.annotator:
            raise NotAllowed(f"{self.annotator} judges as {self.annotator} alone.")
        return self._source.submit(judgment)

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back this person's latest judgment or skip."""
        return self._source.undo(submission, of)

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back the latest undo."""
        return self._source.redo(submission, of)

    def known(self, ids: Iterable[str]) -> Set[str]:
        """Those of the ids under which an act of this person is stored."""
        return self._source.known(ids)


class GuardedRanking(_Guarded[RankingSource]):
    """A `RankingSource` of whoever is signed in."""

    def __init__(self, source: RankingSource, actor: Actor, action: Action = "rank") -> None:
        """Guard a source of the actor's."""
        super().__init__(source, actor, action)
        self.version = source.version

    @property
    def lease_seconds(self) -> float:
        """How long what was handed out stays theirs."""
        return self._wrapped.lease_seconds

    def upcoming(self, count: int | None) -> list[RankingItem]:
        """The next items that this person has not judged, which are theirs for a while."""
        return self._source.upcoming(count)

    def demonstrate(self, demonstration: Demonstration) -> None:
        """Store an answer that this person wrote or edited."""
        if demonstration.annotator != self.annotator:
            raise NotAllowed(f"{self.annotator} writes as {self.annotator} alone.")
        self._source.demonstrate(demonstration)

    def progress(self) -> Progress:
        """How many items are judged or skipped, of how many."""
        return self._source.progress()


class GuardedComparison(_Guarded[ComparisonSource]):
    """A `ComparisonSource` of whoever is signed in."""

    def __init__(self, source: ComparisonSource, actor: Actor) -> None:
        """Guard a source of the actor's."""
        super().__init__(source, actor, "compare")
        self.versions = source.versions

    def waiting(self, count: int) -> list[RankingItem]:
        """The first so many pairs that are neither judged nor skipped."""
        return self._source.waiting(count)

    def report(self) -> ComparisonReport:
        """What was said so far, which names the versions."""
        return self._source.report()

    def refresh(self) -> None:
        """Look again for responses."""
        self._source.refresh()


class GuardedTable:
    """A `TableSource` for those who may see the data."""

    def __init__(self, source: TableSource, actor: Actor) -> None:
        """Guard any table."""
        self._wrapped = source
        self._actor = actor

    @property
    def _source(self) -> TableSource:
        """The source, if it may be looked at now."""
        self._actor.require("see_data")
        return self._wrapped

    @property
    def name(self) -> str:
        """What its rows are, plural."""
        return self._wrapped.name

    @property
    def searches(self) -> str:
        """What a search looks at."""
        return self._wrapped.searches

    def columns(self) -> Sequence[TableColumn]:
        """Its columns, in order."""
        return self._source.columns()

    def page(self, query: TableQuery, offset: int, limit: int) -> TablePage:
        """Rows of a query from a place on."""
        return self._source.page(query, offset, limit)

    def detail(self, row_id: str) -> TableDetail:
        """One row, whole."""
        return self._source.detail(row_id)


def ranking_source(context: Context, version: str | None = None) -> GuardedRanking:
    """This person's items of a version, handed out as the lab's plan says.

    Args:
        context: Of the page.
        version: Default: the present policy.

    Raises:
        SignedOut, NotAllowed: they may not rank.
    """
    context.actor.require("rank")
    queue = context.lab.queue(context.actor.name, version=version)
    return GuardedRanking(queue, context.actor)


def comparison_source(
    context: Context,
    first: str,
    second: str = START,
    *,
    prompts: int | None = None,
    split: Split | None = "heldout",
) -> GuardedComparison:
    """This person's pairs of two versions; arguments and errors are those of `lab.comparison`.

    Raises:
        SignedOut, NotAllowed: they may not compare.
    """
    context.actor.require("compare")
    pairs = context.lab.comparison(
        first, second, annotator=context.actor.name, prompts=prompts, split=split
    )
    return GuardedComparison(pairs, context.actor)


def table_source(context: Context, source: TableSource) -> GuardedTable:
    """A table of the lab, for those who may see the data.

    Raises:
        SignedOut, NotAllowed: they may not.
    """
    context.actor.require("see_data")
    return GuardedTable(source, context.actor)
