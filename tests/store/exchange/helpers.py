"""A lab with something of everything, and what two labs have to agree in."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.exchange import import_data
from rlhf_lab.types import Judgment

SHARED = Path(__file__).parents[4] / "shared" / "data"
USER = {"role": "user", "content": "Sky?"}


@cache
def _template() -> bytes:
    """Of an empty lab: making its tables takes longer than most of these tests."""
    with TemporaryDirectory() as folder:
        PreferenceStore(Path(folder) / "lab.sqlite").close()
        return (Path(folder) / "lab.sqlite").read_bytes()


def empty(path: Path) -> PreferenceStore:
    """A new lab at a path."""
    path.write_bytes(_template())
    return PreferenceStore(path)


def says(text: str) -> dict:
    """A turn of the assistant."""
    return {"role": "assistant", "content": text}


def read(store: PreferenceStore, *rows: object, **options):
    return import_data(store, list(rows), progress=False, **options)


def only(store: PreferenceStore) -> Judgment:
    (judgment,) = store.judgments(kinds=("ranking", "skip"))
    return judgment


def tiers(store: PreferenceStore, judgment: Judgment | None = None) -> list[list[str]]:
    """The ranking as texts."""
    judgment = judgment or only(store)
    text = {r.id: r.text for r in store.responses()}
    return [[text[i] for i in tier] for tier in judgment.ranking.tiers]


def content(store: PreferenceStore, kinds=("ranking", "skip")) -> Counter:
    """Everything that was said, whatever its ids and order are."""
    responses = {r.id: r for r in store.responses()}
    prompts = {p.id: p for p in store.prompts()}

    def answer(i: str) -> tuple[str, str]:
        return responses[i].text, responses[i].version.removeprefix("import:")

    return Counter(
        (
            j.id,
            prompts[j.prompt_id],
            j.annotator,
            tuple(answer(i) for i in j.shown_order),
            j.ranking and j.ranking.tiers,
            j.strength,
            str({i: dict(sorted(r.items())) for i, r in sorted(j.criteria.items()) if r}),
            j.comment,
            j.flags,
            j.seconds,
            j.created_at,
            j.occasion,
        )
        for j in store.judgments(kinds=kinds)
    )


def state(store: PreferenceStore) -> tuple:
    """What may not change when an import is refused."""
    return store.counts(), store.chain_head(), len(store.demonstrations())
