"""A lab's real store with something to rank, for notebooks in browser tests; runs in the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Message, Prompt, RankingSource
from tests.browser.sample_items import response

ANNOTATOR = "tester"
ITEMS = 4
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> $\\text{<script>alert(1)</script>}$"


def fill(database: Path) -> None:
    """Make a store with `ITEMS` prompts of four answers each."""
    with PreferenceStore(database) as store:
        prompts = [
            Prompt(messages=(Message(role="user", content=f"Question {n}? {HOSTILE}"),))
            for n in range(ITEMS)
        ]
        store.add_prompts(prompts)
        store.add_responses(
            response(prompt, k, f"Answer {k} to question {n}. {HOSTILE}")
            for n, prompt in enumerate(prompts)
            for k in range(4)
        )


def source(database: str) -> RankingSource:
    """The queue of a store, as a notebook has it."""
    return RankingQueue(PreferenceStore(Path(database)), annotator=ANNOTATOR, seed=5)


def stored(database: Path, kinds: Sequence[str] = ("ranking", "skip", "undo")) -> list[Judgment]:
    """Every event in the database, in the order in which they came."""
    with PreferenceStore(database) as store:
        events = store.judgments(
            kinds=("ranking", "skip", "undo"), annotator=ANNOTATOR, include_superseded=True
        )
    return [event for event in events if event.kind in kinds]
