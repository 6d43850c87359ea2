"""A lab's real store with something to rank, for notebooks in browser tests; runs in the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, RankingSource
from tests.browser.sample_items import response
from tests.widgets.xss_corpus import PAYLOADS

ANNOTATOR = "tester"
HOSTILE_ANNOTATOR = "<img src=x: onerror=HIT()>"
ITEMS, MANY = 4, 24
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> $\\text{<script>alert(1)</script>}$"
MOST_CANDIDATES = 9
IN_ONE = 4
"""So many hostile texts are in one response: a test need not turn so many pages."""

DATABASE = "lab.db"


def fill(database: Path, *, items: int = ITEMS, candidates: int = 4) -> None:
    """Make a store with so many prompts of so many answers each."""
    texts = [
        [f"Question {n}? {HOSTILE}"]
        + [f"Answer {k} to question {n}. {HOSTILE}" for k in range(candidates)]
        for n in range(items)
    ]
    fill_with(database, texts)


def fill_with(database: Path, rows: Sequence[Sequence[str]]) -> None:
    """Make a store of these texts, the first of each row a prompt, the rest answers to it."""
    with PreferenceStore(database) as store:
        _add(store, rows)


def fill_with_hostile_texts(database: Path) -> None:
    """Make a store whose every text is hostile, and take back a judgment of such a person."""
    lists = hostile_texts(-(-len(PAYLOADS) // IN_ONE))
    size = 1 + MOST_CANDIDATES
    rows = [lists[at : at + size] for at in range(0, len(lists), size)]
    rows[-1] += lists[: max(0, 3 - len(rows[-1]))]
    with PreferenceStore(database) as store:
        _add(store, rows)
        queue = RankingQueue(store, annotator=HOSTILE_ANNOTATOR, seed=5)
        item = queue.next_item()
        assert item is not None
        shown = tuple(candidate.id for candidate in item.candidates)
        queue.submit(
            Judgment(
                id="hostile-judgment",
                prompt_id=item.prompt.id,
                annotator=HOSTILE_ANNOTATOR,
                shown_order=shown,
                ranking=Ranking(tiers=(shown,)),
                comment="\n".join(_storable(text) for text in PAYLOADS),
                flags=(_storable(PAYLOADS[0]),),
            )
        )
        queue.undo()


def hostile_texts(count: int) -> list[str]:
    """All payloads, shared out among so many texts, or fewer where that is enough."""
    in_one = -(-len(PAYLOADS) // count)
    texts = [_storable(text) for text in PAYLOADS]
    return [_as_list(texts[at : at + in_one]) for at in range(0, len(texts), in_one)]


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _as_list(texts: Sequence[str]) -> str:
    """Several texts in one, none of which can swallow the next."""
    return "\n".join("- " + text.replace("\n", "\n  ") for text in texts)


def _add(store: PreferenceStore, rows: Sequence[Sequence[str]]) -> None:
    prompts = [Prompt(messages=(Message(role="user", content=row[0]),)) for row in rows]
    store.add_prompts(prompts)
    store.add_responses(
        response(prompt, k, text)
        for prompt, row in zip(prompts, rows, strict=True)
        for k, text in enumerate(row[1:])
    )


def source(database: str, annotator: str = ANNOTATOR) -> RankingSource:
    """The queue of a store, as a notebook has it."""
    return RankingQueue(PreferenceStore(Path(database)), annotator=annotator, seed=5)


def shown(folder: str, *, hostile: bool = False) -> RankingSource:
    """The queue of the store in a folder, which is filled if it is not there."""
    database = Path(folder) / DATABASE
    if not database.exists():
        if hostile:
            fill_with_hostile_texts(database)
        else:
            fill(database, items=MANY)
    return source(str(database), HOSTILE_ANNOTATOR if hostile else ANNOTATOR)


def stored(database: Path, kinds: Sequence[str] = ("ranking", "skip", "undo")) -> list[Judgment]:
    """Every event in the database, in the order in which they came."""
    with PreferenceStore(database) as store:
        events = store.judgments(
            kinds=("ranking", "skip", "undo"), annotator=ANNOTATOR, include_superseded=True
        )
    return [event for event in events if event.kind in kinds]


def questions(database: Path) -> dict[str, str]:
    """The text of every prompt by its id."""
    with PreferenceStore(database) as store:
        return {prompt.id: prompt.messages[-1].content for prompt in store.prompts()}
