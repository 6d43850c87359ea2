"""Where the present round of a lab stands: a few counts, cheap enough to ask every second."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.store.tables import (
    ActiveRow,
    ItemRow,
    JudgmentRow,
    MetricsTable,
    PromptRow,
    ResponseRow,
    SettingRow,
    VersionRow,
)
from rlhf_lab.types import START

# Shown to learn something about whoever judges, or to teach them: these never train.
_ABOUT_PEOPLE = ("gold", "repeat", "calibration")
_HEADS = tuple(
    select(SettingRow.value).where(SettingRow.key == f"head.{role}")
    for role in ("policy", "reward")
)
# So many ids in one query; SQLite takes no more than 999 in some builds.
_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What there is to go on with.

    Attributes:
        policy: The present one.
        reward: The present one; None before the first reward update.
        prompts: Of both splits.
        responses: Candidates that the present policy wrote.
        items: Prompts with candidates of the present policy that are to be ranked.
        ranked: Those of them that at least one person has ranked.
        rankings: On training prompts, that the present reward model has not learned from.
        trained_with: What the present policy was trained with, as in ("reward@0",).
        is_evaluated: Whether the present policy was compared with any other.
    """

    policy: str
    reward: str | None
    prompts: int
    responses: int
    items: int
    ranked: int
    rankings: int
    trained_with: tuple[str, ...]
    is_evaluated: bool


class StandingReader:
    """Reads where the round stands, and only when something has changed since the last time."""

    def __init__(self, store: PreferenceStore, path: Path) -> None:
        """Look at nothing yet.

        Args:
            store: The lab's.
            path: Its directory, which versions' paths begin at.
        """
        self._store = store
        self._path = path
        self._mark: tuple[Any, ...] | None = None
        self._standing: Standing | None = None

    def read(self) -> Standing:
        """As it is now; the same object as before if nothing has changed."""
        with self._store.database.read() as session:
            mark = _mark(session)
            if self._standing is None or mark != self._mark:
                self._standing = _standing(session, self._path)
                self._mark = mark
        return self._standing


def tree_mark(store: PreferenceStore) -> tuple[Any, ...]:
    """Changes whenever a version is made, evaluated or made the present one."""
    evaluated = select(func.max(MetricsTable.seq)).where(
        MetricsTable.kind.in_(("evaluation", "reward"))
    )
    newest = select(func.max(VersionRow.seq))
    with store.database.read() as session:
        return _values(session, newest, evaluated, *_HEADS)


def _mark(session: Session) -> tuple[Any, ...]:
    """Changes whenever the standing may have; each part is read off the end of an index."""
    tables = (PromptRow, ResponseRow, ItemRow, JudgmentRow, VersionRow, MetricsTable)
    return _values(session, *(select(func.max(table.seq)) for table in tables), *_HEADS)


def _values(session: Session, *queries: Any) -> tuple[Any, ...]:  # noqa: ANN401 - SQLAlchemy's
    """What several queries for one value find, all at once."""
    return tuple(session.execute(select(*(query.scalar_subquery() for query in queries))).one())


def _standing(session: Session, path: Path) -> Standing:
    policy, reward = _head(session, "policy") or START, _head(session, "reward")
    trained_with = session.scalar(select(VersionRow.trained_with).where(VersionRow.name == policy))
    evaluations = select(func.count(MetricsTable.seq)).where(
        MetricsTable.kind == "evaluation", MetricsTable.version == policy
    )
    candidates = select(func.count(ResponseRow.seq)).where(
        ResponseRow.version == policy, ResponseRow.purpose == "candidate"
    )
    items = select(func.count(ItemRow.seq)).where(
        ItemRow.version == policy, ItemRow.state != "retired"
    )
    return Standing(
        policy=policy,
        reward=reward,
        prompts=_count(session, select(func.count(PromptRow.seq))),
        responses=_count(session, candidates),
        items=_count(session, items),
        ranked=_count(session, items.where(ItemRow.done > 0)),
        rankings=_new_rankings(session, reward, path),
        trained_with=tuple(trained_with or ()),
        is_evaluated=_count(session, evaluations) > 0,
    )


def _new_rankings(session: Session, reward: str | None, path: Path) -> int:
    new = (
        select(func.count(ActiveRow.seq))
        .join(PromptRow, PromptRow.id == ActiveRow.prompt_id)
        .where(
            ActiveRow.kind == "ranking",
            ActiveRow.occasion.not_in(_ABOUT_PEOPLE),
            PromptRow.split == "train",
            ActiveRow.seq > _last_learned(session, reward, path),
        )
    )
    return _count(session, new)


def _last_learned(session: Session, reward: str | None, path: Path) -> int:
    """Number of the last judgment that a reward version learned from; 0 without a version.

    Rankings come in while an update runs, so what it learned from says more than when it was made.
    """
    version = session.scalar(select(VersionRow).where(VersionRow.name == reward))
    if version is None:
        return 0
    learned = _learned(path / version.path / "state.json")
    if learned is None:  # the checkpoint is gone: what the version was made after is near enough
        return int((version.judged or "0").partition(":")[0])
    chunks = [learned[at : at + _CHUNK] for at in range(0, len(learned), _CHUNK)]
    return max((_last_of(session, ids) for ids in chunks), default=0)


def _last_of(session: Session, ids: Sequence[str]) -> int:
    return _count(session, select(func.max(JudgmentRow.seq)).where(JudgmentRow.id.in_(ids)))


@lru_cache(maxsize=4)
def _learned(file: Path) -> tuple[str, ...] | None:
    """Judgments that a version has learned from, as its checkpoint says; those never change."""
    try:
        return tuple(json.loads(file.read_text("utf-8"))["learned"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _head(session: Session, role: str) -> str | None:
    row = session.get(SettingRow, f"head.{role}")
    return None if row is None else str(row.value)


def _count(session: Session, query: Any) -> int:  # noqa: ANN401 - SQLAlchemy's Select of a number
    return session.scalar(query) or 0
