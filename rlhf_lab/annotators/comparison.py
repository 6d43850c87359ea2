"""Pairs of two versions' responses to the same prompts, for people who compare them blind."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import islice, product
from typing import Protocol

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.types import (
    IMPORTED,
    ComparisonReport,
    Judgment,
    Prompt,
    RankingItem,
    Response,
    Split,
    Version,
)


class SaidStore(Protocol):
    """What was said about given candidates: the part of the store's assignments that is needed."""

    @property
    def secret(self) -> str:
        """A random text that the lab keeps."""

    def said(self, annotator: str, among: Iterable[RankingItem]) -> list[Judgment]:
        """Rankings and skips that count, in order."""

    def undo(
        self,
        annotator: str,
        *,
        submission: str | None,
        of: str | None,
        among: Iterable[RankingItem] | None,
    ) -> RankingItem | None:
        """Take back the latest one."""

    def redo(
        self,
        annotator: str,
        *,
        submission: str | None,
        of: str | None,
        among: Iterable[RankingItem] | None,
    ) -> RankingItem | None:
        """Take back the latest undo."""

    def known(self, annotator: str, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which an act of theirs is stored."""


class ComparisonStore(Protocol):
    """The part of the preference store that comparing needs."""

    @property
    def assignments(self) -> SaidStore:
        """What was said."""

    def prompts(self, split: Split | None = None) -> list[Prompt]:
        """Prompts in the order they were added."""

    def responses(self, prompt_id: str | None = None, version: str | None = None) -> list[Response]:
        """Responses in the order they were added."""

    def version(self, name: str) -> Version:
        """A version; an error that names similar ones where there is none."""

    def submit(self, judgment: Judgment) -> bool:
        """Store one event durably."""


class ComparisonQueue:
    """One annotator's pairs: one response of each of two versions to every prompt both answered.

    Holds no truth: what is done is read from the store each time, so a queue made again after a
    reload or a crash goes on where the last one was. A comparison is a ranking of two candidates
    like any other. Which response stands for a version, the order of the pairs and their sides
    follow from the seed alone; a pair that was judged stays the pair of its prompt when more
    responses come. Responses drawn with the same settings go together where there are such.
    """

    def __init__(
        self,
        store: ComparisonStore,
        versions: tuple[str, str],
        *,
        annotator: str,
        seed: int = 0,
        prompts: int | None = None,
        split: Split | None = "heldout",
    ) -> None:
        """Make a queue.

        Args:
            store: Where responses come from and judgments go.
            versions: The two to compare, policies or `import:SOURCE`; the win rate is that of the
                first.
            annotator: Who compares.
            seed: Of the choice of responses, the order of the pairs, and their sides.
            prompts: At most so many, in the order they were added; None for all.
            split: Of the prompts; None for both.

        Raises:
            ConfigError: a version against itself, or prompts below 1.
            UnknownVersion: there is no such version.
            NotEnoughData: no prompt of this split was answered by both.
        """
        if versions[0] == versions[1]:
            raise ConfigError(
                f"{versions[0]!r} against itself: give two versions, as in 'policy@1', 'policy@0'."
            )
        if prompts is not None and prompts < 1:
            raise ConfigError(f"prompts={prompts}: at least 1, or None for all of them.")
        self.annotator = annotator
        self.versions = versions
        self._store = store
        self._seed = seed
        self._most = prompts
        self._split: Split | None = split
        self._pairs: list[RankingItem] = []
        self.refresh()

    def refresh(self) -> None:
        """Look again for responses.

        Raises:
            UnknownVersion, NotEnoughData: as when it was made.
        """
        written = [self._by_prompt(version) for version in self.versions]
        asked = self._store.prompts(split=self._split)
        shared = [p for p in asked if all(p.id in of for of in written)][: self._most]
        if not shared:
            raise NotEnoughData(self._nothing(written))
        choices = {p.id: _as_pairs(p, *(of[p.id] for of in written)) for p in shared}
        said = self._store.assignments.said(
            self.annotator, (pair for pairs in choices.values() for pair in pairs)
        )
        judged = {frozenset(judgment.shown_order) for judgment in said}
        chosen = [self._choose(pairs, judged) for pairs in choices.values()]
        self._pairs = sorted(chosen, key=lambda pair: self._draw("order", pair.prompt.id))

    def waiting(self, count: int) -> list[RankingItem]:
        """The first so many pairs that are neither judged nor skipped, each with its sides."""
        judged = {frozenset(judgment.shown_order) for judgment in self._said()}
        left = (pair for pair in self._pairs if _ids(pair) not in judged)
        return [self._blind(pair) for pair in islice(left, count)]

    @property
    def secret(self) -> str:
        """A random text that the lab keeps; see `ComparisonSource`."""
        return self._store.assignments.secret

    def submit(self, judgment: Judgment) -> bool:
        """Store a judgment or skip; on disk when this returns. False if its id was there."""
        return self._store.submit(judgment)

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip of these pairs and return its pair."""
        return self._store.assignments.undo(
            self.annotator, submission=submission, of=of, among=self._pairs
        )

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        """Take back the latest undo and return its pair; None after a new judgment."""
        return self._store.assignments.redo(
            self.annotator, submission=submission, of=of, among=self._pairs
        )

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which a judgment, undo or redo of this annotator is stored."""
        return self._store.assignments.known(self.annotator, ids)

    def report(self) -> ComparisonReport:
        """What was said so far. It names the versions: do not look while comparing."""
        by_ids = {_ids(pair): pair for pair in self._pairs}
        outcomes: dict[str, int] = {"first": 0, "second": 0, "tie": 0, "skip": 0}
        unlike = 0
        for judgment in self._said():
            pair = by_ids[frozenset(judgment.shown_order)]
            outcome = _outcome(judgment, pair)
            outcomes[outcome] += 1
            unlike += outcome != "skip" and _differ(pair)
        return ComparisonReport(
            first=self.versions[0],
            second=self.versions[1],
            annotator=self.annotator,
            wins=outcomes["first"],
            losses=outcomes["second"],
            ties=outcomes["tie"],
            skipped=outcomes["skip"],
            total=len(self._pairs),
            unlike=unlike,
        )

    # -- which pairs, and how they are shown

    def _said(self) -> list[Judgment]:
        """One judgment or skip for each pair that has any."""
        said = self._store.assignments.said(self.annotator, self._pairs)
        # Imported judgments may say several things about one pair: the last one counts.
        return list({frozenset(judgment.shown_order): judgment for judgment in said}.values())

    def _by_prompt(self, version: str) -> dict[str, list[Response]]:
        found: dict[str, list[Response]] = defaultdict(list)
        for response in self._store.responses(version=version):
            found[response.prompt_id].append(response)
        if not found and not version.startswith(IMPORTED):
            self._store.version(version)  # a name that is none says so, with similar ones
        return found

    def _choose(self, pairs: Sequence[RankingItem], judged: set[frozenset[str]]) -> RankingItem:
        """The pair of a prompt: the one judged already, else like with like, else by the seed."""

        def place(pair: RankingItem) -> tuple[bool, bool, bool, str]:
            one, other = pair.candidates
            drawn = self._draw("pair", one.id, other.id)
            return _ids(pair) not in judged, _differ(pair), one.purpose != other.purpose, drawn

        return min(pairs, key=place)

    def _blind(self, pair: RankingItem) -> RankingItem:
        # From the names' own order, so that comparing B with A shows what comparing A with B does.
        sides = sorted(pair.candidates, key=lambda response: response.version)
        if int(self._draw("sides", self.annotator, pair.prompt.id)[:8], 16) % 2:
            sides.reverse()
        return RankingItem(prompt=pair.prompt, candidates=tuple(sides))

    def _draw(self, *parts: str) -> str:
        """Hex digits that are the same for the same seed and parts, and uniform otherwise."""
        key = "\0".join([str(self._seed), *parts])
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

    def _nothing(self, written: Sequence[Mapping[str, object]]) -> str:
        first, second = self.versions
        counts = f"{first} has answered {len(written[0])} prompts, {second} {len(written[1])}"
        shared = len(written[0].keys() & written[1].keys())
        if shared:
            return (
                f"{counts}, and {shared} of them both, but no {self._split} prompt: pass "
                f"split={'train' if self._split == 'heldout' else 'heldout'!r}, or answer the "
                f"same held-out prompts with both: {_how(first, second)}."
            )
        return (
            f"{counts}, and none of them both: answer the same held-out prompts with both, "
            f"{_how(first, second)}."
        )


def comparison_reports(
    store: ComparisonStore,
    versions: tuple[str, str],
    annotators: Iterable[str],
    *,
    seed: int = 0,
    split: Split | None = "heldout",
) -> list[ComparisonReport]:
    """What each of these people said of two versions so far, without those who said nothing.

    Raises:
        ConfigError, UnknownVersion, NotEnoughData: as for a `ComparisonQueue` of each.
    """
    once = _ReadOnce(store)
    reports = (
        ComparisonQueue(once, versions, annotator=name, seed=seed, split=split).report()
        for name in annotators
    )
    return [report for report in reports if report.done]


class _ReadOnce:
    """A store for several queues at one moment: what they all read, it reads once."""

    def __init__(self, store: ComparisonStore) -> None:
        self.assignments = store.assignments
        self.version = store.version
        self.submit = store.submit
        self.prompts = cache(store.prompts)
        self.responses = cache(store.responses)


def _how(first: str, second: str) -> str:
    if IMPORTED in (first[: len(IMPORTED)], second[: len(IMPORTED)]):
        return "by importing answers to prompts that the other one answered"
    return f"`lab.checkout({first!r})` and then `lab.evaluate(baseline={second!r})`"


def _as_pairs(
    prompt: Prompt, first: Sequence[Response], second: Sequence[Response]
) -> list[RankingItem]:
    return [RankingItem(prompt=prompt, candidates=pair) for pair in product(first, second)]


def _ids(pair: RankingItem) -> frozenset[str]:
    return frozenset(response.id for response in pair.candidates)


def _differ(pair: RankingItem) -> bool:
    """Whether the two were drawn with different settings."""
    one, other = pair.candidates
    return one.sampling != other.sampling


def _outcome(judgment: Judgment, pair: RankingItem) -> str:
    if judgment.ranking is None:
        return "skip"
    ranks = judgment.ranking.ranks()
    first, second = (ranks[response.id] for response in pair.candidates)
    return "tie" if first == second else "first" if first < second else "second"
