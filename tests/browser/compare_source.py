"""Two versions' answers in a real store, for tests, pictures, and a notebook's kernel."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rlhf_lab.annotators import ComparisonQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, Response, Sampling
from tests.browser.sample_items import MERGE_ANSWERS, MERGE_PROMPT

NEW, OLD = "policy@1", "policy@0"
ANNOTATOR = "tester"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> $\\text{<script>alert(1)</script>}$"


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
    more = f" {HOSTILE}" if hostile else ""
    for number in range(pairs):
        message = Message(role="user", content=f"Question {number}?{more}")
        prompt = Prompt(messages=(message,), split="heldout")
        store.add_prompts([prompt])
        store.add_responses(
            response(prompt, version, f"The {name} answer to question {number}.{more}")
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


def picture(database: Path | str, outcomes: str = "") -> ComparisonQueue:
    """What the pictures show: a prompt with two long answers last, the others judged before it.

    Args:
        database: Where; made anew.
        outcomes: Of the others: "n" for the new version, "o" for the old one, "t" for a tie.
    """
    store = PreferenceStore(Path(database))
    last = Prompt(messages=(Message(role="user", content=MERGE_PROMPT),), split="heldout")
    fill(store, 24)
    ours = queue_of(store)
    for number, outcome in enumerate(outcomes):
        (pair,) = ours.waiting(1)
        by = {c.version: c.id for c in pair.candidates}
        tiers = {
            "n": ((by[NEW],), (by[OLD],)),
            "o": ((by[OLD],), (by[NEW],)),
            "t": ((by[NEW], by[OLD]),),
        }[outcome]
        ours.submit(
            Judgment(
                id=f"picture-{number}",
                prompt_id=pair.prompt.id,
                annotator=ANNOTATOR,
                shown_order=tuple(c.id for c in pair.candidates),
                ranking=Ranking(tiers=tiers),
            )
        )
    if len(outcomes) < 24:
        store.add_prompts([last])
        store.add_responses(
            [response(last, NEW, MERGE_ANSWERS[0]), response(last, OLD, MERGE_ANSWERS[3])]
        )
    return queue_of(store, only=None if len(outcomes) < 24 else 24)


def queue_of(store: PreferenceStore, only: int | None = None) -> ComparisonQueue:
    """The queue of an open store."""
    return ComparisonQueue(store, (NEW, OLD), annotator=ANNOTATOR, seed=5, prompts=only)


if __name__ == "__main__":
    fill(PreferenceStore(Path(sys.argv[1])), int(sys.argv[2]))
