"""Two versions' answers in a real store, for tests, pictures, and a notebook's kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from rlhf_lab.annotators import ComparisonQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, RankingItem, Response, Sampling
from tests.browser.lab_source import hostile_texts
from tests.browser.sample_items import MERGE_ANSWERS, MERGE_PROMPT

NEW, OLD = "policy@1", "policy@0"
ANNOTATOR = "tester"


def response(prompt: Prompt, version: str, text: str) -> Response:
    """A response with an id that must never reach the page."""
    return Response(
        id=f"secret-{prompt.id}-{version}",
        prompt_id=prompt.id,
        text=text,
        version=version,
        sampling=Sampling(),
        purpose="evaluation",
    )


def fill(store: PreferenceStore, pairs: int, *, hostile: bool = False) -> None:
    """So many held-out prompts, each answered by both versions."""
    more = (f"\n\n{text}" for text in cycle(hostile_texts(3 * pairs) if hostile else [""]))
    for number in range(pairs):
        message = Message(role="user", content=f"Question {number}?{next(more)}")
        prompt = Prompt(messages=(message,), split="heldout")
        store.add_prompts([prompt])
        store.add_responses(
            response(prompt, version, f"The {name} answer to question {number}.{next(more)}")
            for version, name in ((NEW, "short"), (OLD, "long and winding"))
        )


def queue(database: Path | str, annotator: str = ANNOTATOR) -> ComparisonQueue:
    """The queue of a store, as a notebook has it."""
    return ComparisonQueue(PreferenceStore(Path(database)), (NEW, OLD), annotator=annotator, seed=5)


def stored(database: Path, kinds: Sequence[str] = ("ranking", "skip", "undo")) -> list[Judgment]:
    """Every event in the database, in the order in which they came."""
    with PreferenceStore(database) as store:
        events = store.judgments(
            kinds=("ranking", "skip", "undo"), annotator=ANNOTATOR, include_superseded=True
        )
    return [event for event in events if event.kind in kinds]


def winner(judgment: Judgment) -> str:
    """Which version a judgment prefers, or "tie"."""
    assert judgment.ranking is not None
    best = judgment.ranking.tiers[0]
    return "tie" if len(best) == 2 else best[0].rpartition("-")[2]


def shown(folder: Path | str, *, hostile: bool = False) -> ComparisonQueue:
    """A queue over the store in a folder: the same store when it is asked for again."""
    path = Path(folder) / "compared.db"
    if not path.exists():
        with PreferenceStore(path) as store:
            fill(store, 4, hostile=hostile)
    return queue(path)


def picture(outcomes: str = "nnotnnno") -> ComparisonQueue:
    """What the pictures show: a pair of real answers, after others that were judged before.

    Args:
        outcomes: Of those: "n" where the new version won, "o" the old one, "t" for a tie.
    """
    store = PreferenceStore(Path(tempfile.mkdtemp()) / "picture.db")
    fill(store, 24)
    ours = ComparisonQueue(store, (NEW, OLD), annotator=ANNOTATOR, seed=5)
    for number, outcome in enumerate(outcomes):
        (pair,) = ours.waiting(1)
        wins = {"n": (NEW,), "o": (OLD,), "t": (NEW, OLD)}[outcome]
        ranks = {c.id: 1 if c.version in wins else 2 for c in pair.candidates}
        ours.submit(
            Judgment(
                id=f"picture-{number}",
                prompt_id=pair.prompt.id,
                annotator=ANNOTATOR,
                shown_order=tuple(ranks),
                ranking=Ranking.from_ranks(ranks),
            )
        )
    if len(outcomes) == 24:
        return ours
    message = Message(role="user", content=MERGE_PROMPT)
    real = Prompt(messages=(message,), split="heldout")
    store.add_prompts([real])
    store.add_responses([response(real, v, t) for v, t in zip((NEW, OLD), _REAL, strict=True)])
    return RealFirst(store, (NEW, OLD), annotator=ANNOTATOR, seed=5, real=real)


_REAL = (MERGE_ANSWERS[0], MERGE_ANSWERS[3])


class RealFirst(ComparisonQueue):
    """A queue that shows one prompt before the others."""

    def __init__(self, *arguments: Any, real: Prompt, **options: Any) -> None:
        self._real = real
        super().__init__(*arguments, **options)

    def waiting(self, count: int) -> list[RankingItem]:
        """As always, but for the order."""
        every = super().waiting(1000)
        return sorted(every, key=lambda pair: pair.prompt.id != self._real.id)[:count]
