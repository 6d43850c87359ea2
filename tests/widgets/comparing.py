"""What the tests of comparing do on a page, and a source that fails when it is told to."""

from __future__ import annotations

from rlhf_lab.annotators import ComparisonQueue
from rlhf_lab.widgets.comparison_state import ComparisonState

WRITING = ("submit", "undo", "redo")


class Failing:
    """A source that can be told to fail, before or after it has written."""

    def __init__(self, source: ComparisonQueue) -> None:
        self.annotator = source.annotator
        self.versions = source.versions
        self.secret = source.secret
        self.source = source
        self.failures: dict[str, Exception] = {}
        self.fails_after_writing = False
        self.calls: list[str] = []

    def __getattr__(self, name: str):
        def call(*arguments):
            self.calls.append(name)
            if name in WRITING and name in self.failures and self.fails_after_writing:
                getattr(self.source, name)(*arguments)
            if name in self.failures:
                raise self.failures[name]
            return getattr(self.source, name)(*arguments)

        return call


def open_keys(state: ComparisonState) -> list[str]:
    answered = set(state.view["answered"])
    return [i["key"] for i in state.content["items"] if i["key"] not in answered]


def event(state: ComparisonState, kind: str, *, seq: int = 0, **fields) -> dict:
    """An event for the first open pair, numbered after the latest."""
    seq = seq or state.acked_seq + 1
    key = next(iter(open_keys(state)), "")
    base = {"seq": seq, "id": f"event-{kind}-{seq}", "type": kind, "seconds": 2.5}
    extra = {"choice": "A", "strength": None} if kind == "submit" else {}
    return {**base, "item": key, **extra, **fields}


def do(state: ComparisonState, kind: str, **fields) -> dict:
    sent = event(state, kind, **fields)
    state.apply([sent])
    return sent


def side_of(state: ComparisonState, key: str, version: str) -> str:
    """The side on which a version stands, which only a test may know."""
    pair = state._pairs[key]
    return "AB"[[c.version for c in pair.candidates].index(version)]


def prefer(state: ComparisonState, *versions: str | None) -> None:
    for version in versions:
        key = open_keys(state)[0]
        do(state, "submit", choice=side_of(state, key, version) if version else "tie")
