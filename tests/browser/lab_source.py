"""A lab's real store with something to rank, for notebooks in browser tests; runs in the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Message, Progress, Prompt, RankingItem, RankingSource
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
    store = PreferenceStore(Path(database))
    try:
        from rlhf_lab.annotators.queue import RankingQueue
    except ImportError:
        return _PlainQueue(store)
    return RankingQueue(store, annotator=ANNOTATOR, seed=5)


class _PlainQueue:
    """Stands in where the library's queue is not there yet: prompts in order, answers reversed."""

    def __init__(self, store: PreferenceStore) -> None:
        self.annotator = ANNOTATOR
        self._store = store

    def next_item(self) -> RankingItem | None:
        judged = {event.prompt_id for event in self._active()}
        left = [prompt for prompt in self._store.prompts() if prompt.id not in judged]
        return self._item(left[0]) if left else None

    def submit(self, judgment: Judgment) -> None:
        self._store.submit(judgment)

    def undo(self) -> RankingItem | None:
        last = self._store.latest_active(ANNOTATOR)
        if last is None:
            return None
        self._store.submit(
            Judgment(
                id=uuid4().hex,
                prompt_id=last.prompt_id,
                annotator=ANNOTATOR,
                kind="undo",
                supersedes=last.id,
            )
        )
        return self._item(self._store.prompt(last.prompt_id))

    def progress(self) -> Progress:
        return Progress(done=len(self._active()), total=len(self._store.prompts()))

    def _active(self) -> list[Judgment]:
        return self._store.judgments(annotator=ANNOTATOR, kinds=("ranking", "skip"))

    def _item(self, prompt: Prompt) -> RankingItem:
        return RankingItem(
            prompt=prompt, candidates=tuple(reversed(self._store.responses(prompt.id)))
        )


def stored(database: Path, kinds: Sequence[str] = ("ranking", "skip", "undo")) -> list[Judgment]:
    """Every event in the database, in the order in which they came."""
    with PreferenceStore(database) as store:
        events = store.judgments(
            kinds=("ranking", "skip", "undo"), annotator=ANNOTATOR, include_superseded=True
        )
    return [event for event in events if event.kind in kinds]
