"""A source that can fail, items in a real store, and events as a page sends them."""

from __future__ import annotations

from collections.abc import Iterable

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Demonstration, Judgment, Message, Prompt, RankingItem, Response
from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser.sample_items import ListSource, item

KINDS = ("ranking", "skip")


class Source(ListSource):
    """A source that can be told to fail, and notes what happened in which order."""

    def __init__(self, items: list[RankingItem]):
        super().__init__(items)
        self.failures: dict[str, Exception] = {}
        self.fails_after_writing = False
        self.calls: list[str] = []

    def _call(self, name: str):
        self.calls.append(name)
        if name in self.failures:
            raise self.failures[name]

    def upcoming(self, count: int | None):
        self._call("upcoming")
        return super().upcoming(count)

    def submit(self, judgment: Judgment):
        if self.fails_after_writing:
            super().submit(judgment)
        self._call("submit")
        return super().submit(judgment)

    def demonstrate(self, demonstration: Demonstration):
        self._call("demonstrate")
        super().demonstrate(demonstration)

    def undo(self, submission: str | None = None, of: str | None = None):
        if self.fails_after_writing:
            super().undo(submission, of)
        self._call("undo")
        return super().undo(submission, of)

    def redo(self, submission: str | None = None, of: str | None = None):
        self._call("redo")
        return super().redo(submission, of)

    def known(self, ids: Iterable[str]):
        self._call("known")
        return super().known(ids)

    def progress(self):
        self._call("progress")
        return super().progress()


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def numbered(count: int, answers: int = 2) -> list[RankingItem]:
    """Items that ask "Question 0?", "Question 1?" ..."""
    texts = [f"answer {n}" for n in range(answers)]
    return [item(f"Question {n}?", *texts) for n in range(count)]


def three_items() -> list[RankingItem]:
    """Items of four, two and three answers."""
    return [
        item("First?", "one", "two", "three", "four"),
        item("Second?", "five", "six"),
        item("Third?", "seven", "eight", "nine"),
    ]


def fill(store: PreferenceStore, name: str, items: int, answers: int = 3) -> None:
    """Prompts "Question 0 of NAME?" ... with answers of the version NAME."""
    prompts = [
        Prompt(messages=(Message(role="user", content=f"Question {n} of {name}?"),))
        for n in range(items)
    ]
    store.add_prompts(prompts)
    store.add_responses(
        Response(id=f"{name}-{n}-{k}", prompt_id=p.id, text=f"answer {k}", version=name)
        for n, p in enumerate(prompts)
        for k in range(answers)
    )
    store.assignments.offer(name)


def state_of(store: PreferenceStore, name: str = "v", **options) -> RankingState:
    return RankingState(RankingQueue(store, annotator="ann", version=name), **options)


def ids(store: PreferenceStore) -> list[str]:
    return [judgment.id for judgment in store.judgments(kinds=KINDS)]


def event(
    state: RankingState, kind: str = "submit", *, seq: int = 0, on: str | None = None, **fields
) -> dict:
    """An event for the first item, or the one with this key, numbered after the latest."""
    seq = seq or state.acked_seq + 1
    base = {"seq": seq, "id": f"event-{kind}-{seq}", "type": kind, "seconds": 2.5}
    key = state.view["current"] if on is None else on
    return {**base, "item": key, **fields}


def submit(state: RankingState, *ranks: int, **fields) -> None:
    state.apply([event(state, ranks=list(ranks), **fields)])


def act(state: RankingState, *kinds: str) -> None:
    for kind in kinds:
        state.apply([event(state, kind)])


def keys(state: RankingState) -> list[str]:
    """Of the items on the page, in their order."""
    return [shown["key"] for shown in state.content["items"]]


def left(state: RankingState) -> list[str]:
    """Of those that are to be ranked."""
    return [key for key in keys(state) if key not in state.view["answered"]]


def shown_item(state: RankingState, key: str | None = None) -> dict | None:
    """The first item to rank, or the one with this key."""
    wanted = state.view["current"] if key is None else key
    found = [shown for shown in state.content["items"] if shown["key"] == wanted]
    return found[0] if found else None


def draft(state: RankingState) -> dict | None:
    first = shown_item(state)
    assert first is not None
    return first["draft"]


def prompt_shown(state: RankingState) -> str:
    first = shown_item(state)
    return first["turns"][-1]["html"] if first else ""


def told(state: RankingState) -> str:
    return state.notice["text"] if state.notice else ""
