"""What each person has done: how much they judged, how fast, and when they were last there."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rlhf_lab.store.database import Database
from rlhf_lab.store.tables import ActiveRow, JudgmentRow, SignInRow

_LATEST = 50


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one person.

    Attributes:
        judgments: Rankings and skips that count.
        pace: Median seconds of their latest rankings; None without any.
        seen_at: The last sign of life in the dashboard, as far as it is kept.
    """

    judgments: int = 0
    pace: float | None = None
    seen_at: datetime | None = None


def read_figures(database: Database, names: Iterable[str]) -> dict[str, Figures]:
    """Of these people, as of one moment; reads counts and their latest judgments, not all."""
    with database.read() as session:
        counts = dict(
            session.execute(
                select(ActiveRow.annotator, func.count())
                .where(ActiveRow.kind != "undo")
                .group_by(ActiveRow.annotator)
            ).all()
        )
        seen = dict(
            session.execute(
                select(SignInRow.name, func.max(SignInRow.seen_at)).group_by(SignInRow.name)
            ).all()
        )
        return {
            name: Figures(
                judgments=counts.get(name, 0),
                pace=_pace(session, name) if name in counts else None,
                seen_at=seen.get(name),
            )
            for name in names
        }


def _pace(session: Session, name: str) -> float | None:
    latest = (
        select(JudgmentRow.seconds)
        .join(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
        .where(ActiveRow.annotator == name, ActiveRow.kind == "ranking")
        .order_by(ActiveRow.seq.desc())
        .limit(_LATEST)
    )
    # Without a time of its own a judgment was imported, or made by a program.
    seconds = [each for each in session.scalars(latest) if each > 0]
    return statistics.median(seconds) if seconds else None
