"""A real store with a tree of versions, for tests and pictures; it needs no model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.store import PreferenceStore, log_evaluation, version_records
from rlhf_lab.types import Evaluation, Interval, Version, VersionRecord
from tests.browser.lab_source import hostile_texts

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def interval(estimate: float, half: float, n: int = 64) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, n=n)


def add(
    store: PreferenceStore,
    name: str,
    parent: str | None = None,
    *,
    with_: Sequence[str] = (),
    hours: float = 0,
    **metrics: float,
) -> None:
    """A version, as a lab would have stored it."""
    store.add_version(
        Version(
            name=name,
            parent=parent,
            path=f"checkpoints/{name}",
            trained_with=tuple(with_),
            metrics=metrics,
            created_at=NOON + timedelta(hours=hours),
        )
    )


def evaluate(
    store: PreferenceStore, name: str, baseline: str, win_rate: Interval, kl: float = 1.0
) -> None:
    log_evaluation(
        store, name, Evaluation(baseline=baseline, win_rate=win_rate, kl=kl, judge="rubric")
    )


def set_heads(store: PreferenceStore, *names: str) -> None:
    for name in names:
        store.set_setting(f"head.{name.partition('@')[0]}", name)


def reward(store: PreferenceStore, number: int, rankings: int, accuracy: Interval) -> None:
    """A reward version that has learned from so many rankings."""
    figures: dict[str, Any] = {"rankings": rankings, "loss": 0.69 - 0.05 * number}
    parent = f"reward@{number - 1}" if number else None
    add(store, f"reward@{number}", parent, hours=24 * number + 1, **figures,
        heldout_accuracy=accuracy.estimate)  # fmt: skip
    store.log_metrics("reward", f"reward@{number}", 0, accuracy.figures("heldout_accuracy"))


def fill(store: PreferenceStore) -> None:
    """Four rounds, one of which went wrong and was left, and one that tried something else."""
    add(store, "policy@0")
    reward(store, 0, 24, interval(0.61, 0.11, 14))
    add(store, "policy@1", "policy@0", with_=["reward@0"], hours=3, steps=8, score=0.21, kl=1.9)
    evaluate(store, "policy@1", "policy@0", interval(0.56, 0.09), 1.9)
    reward(store, 1, 58, interval(0.67, 0.08, 30))
    add(store, "policy@2", "policy@1", with_=["reward@1"], hours=27, steps=8, score=0.48, kl=4.2)
    evaluate(store, "policy@2", "policy@0", interval(0.64, 0.08), 4.2)
    add(store, "policy@3", "policy@2", with_=["reward@1"], hours=30, steps=24, score=1.61, kl=21.7)
    evaluate(store, "policy@3", "policy@2", interval(0.41, 0.08), 21.7)
    add(store, "policy@4", "policy@2", with_=["reward@1"], hours=32, steps=4, score=0.55, kl=4.9)
    reward(store, 2, 96, interval(0.71, 0.07, 46))
    add(store, "policy@5", "policy@4", with_=["reward@2"], hours=51, steps=8, score=0.83, kl=6.1)
    evaluate(store, "policy@5", "policy@2", interval(0.58, 0.08), 6.1)
    evaluate(store, "policy@5", "policy@0", interval(0.71, 0.07), 6.1)
    add(store, "policy@6", "policy@1", with_=["reward@2"], hours=54, steps=8, score=0.39, kl=3.0)
    set_heads(store, "policy@5", "reward@2")


HOSTILE_VERSIONS = 30


class StoreVersions:
    """A `VersionSource` over a store alone: what a lab does, without weights."""

    def __init__(self, store: PreferenceStore) -> None:
        self.store = store
        self.failure: Exception | None = None

    def versions(self) -> list[VersionRecord]:
        return version_records(self.store)

    def checkout(self, name: str) -> Version:
        if self.failure:
            raise self.failure
        version = self.store.version(name)
        set_heads(self.store, *version.trained_with, name)
        return version

    def undo(self) -> Version:
        present = self.store.version(self.store.get_setting("head.policy"))
        if present.parent is None:
            raise NotEnoughData(f"{present.name} is the start: there is nothing to undo.")
        if self.failure:
            raise self.failure
        set_heads(self.store, present.parent)
        return self.store.version(present.parent)


def source(database: str | Path) -> StoreVersions:
    """The source of a notebook or a page; filled if the database is new."""
    is_new = not Path(database).exists()
    store = PreferenceStore(Path(database))
    if is_new:
        fill(store)
    return StoreVersions(store)


def shown(folder: str, *, hostile: bool = False) -> StoreVersions:
    """The tree in a folder; with `hostile`, versions and their figures have such names."""
    tree = source(Path(folder) / "versions.db")
    if hostile and len(tree.versions()) < HOSTILE_VERSIONS:
        for number, text in enumerate(hostile_texts(HOSTILE_VERSIONS)):
            add(tree.store, f"policy@{100 + number}", "policy@5", **{text: 1.0})
    return tree


def picture() -> StoreVersions:
    """What the pictures show."""
    return source(Path(tempfile.mkdtemp()) / "picture.db")


def start(database: str | Path) -> StoreVersions:
    """A lab before its first update."""
    store = PreferenceStore(Path(database))
    add(store, "policy@0")
    set_heads(store, "policy@0")
    return StoreVersions(store)


def large(database: str | Path, size: int = 500) -> StoreVersions:
    """A tree of so many policies, with a branch at every seventh."""
    store = PreferenceStore(Path(database))
    add(store, "policy@0")
    for number in range(1, size):
        parent = number - 7 if number % 7 == 0 else number - 1
        score: Mapping[str, Any] = {"score": number / size, "kl": number / 20, "steps": 8}
        add(store, f"policy@{number}", f"policy@{parent}", hours=number, **score)
    set_heads(store, f"policy@{size - 1}")
    return StoreVersions(store)


_ids = count(1)


def event(kind: str, **fields: object) -> dict[str, object]:
    """An event as a page sends it."""
    number = next(_ids)
    return {"seq": number, "id": f"event-{number:06}", "type": kind, **fields}
