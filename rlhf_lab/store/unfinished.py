"""The mark on a copy of a lab that the lab does not use yet.

It is written with the copy, in one transaction, and removed once the lab is there. A move that was
killed leaves it behind: by it the next one knows what it may replace, and what it has to finish.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from rlhf_lab.store import chain
from rlhf_lab.store.sealing import is_sealed
from rlhf_lab.store.tables import JudgmentRow, SettingRow

SETTING = "unfinished_move"


@dataclass(frozen=True)
class Mark:
    """Of one copy.

    Attributes:
        token: Its name; the database that was copied carries it once that is sealed.
        source: URL of that database, without a password.
    """

    token: str
    source: str


def read(session: Session) -> Mark | None:
    """The mark of this database; None if it is in use, or empty."""
    # Only the value: a row that the session remembers would outlive its deletion.
    found = session.scalar(select(SettingRow.value).where(SettingRow.key == SETTING))
    return None if found is None else Mark(**found)


def write(session: Session, mark: Mark) -> None:
    """Put a mark on this copy."""
    session.merge(SettingRow(key=SETTING, value=asdict(mark)))
    session.flush()


def remove(session: Session) -> None:
    """The lab uses this database now."""
    session.execute(delete(SettingRow).where(SettingRow.key == SETTING))


def may_be_replaced(copy: Session, mark: Mark, source: Session, source_url: str) -> bool:
    """Whether a marked copy is of this source, and holds no judgment that the source has not.

    The mark alone should do. But a crash may leave it on a copy that has been in use since, and
    what is replaced is gone.
    """
    if mark.source != source_url or is_sealed(copy):
        return False
    head = chain.read_head(copy)
    if not head.length:
        return True
    hashes = select(JudgmentRow.hash).order_by(JudgmentRow.seq)
    return source.scalar(hashes.offset(head.length - 1).limit(1)) == head.hash


def is_left_in(file: Path, source_url: str) -> bool:
    """Whether an SQLite file is a marked copy of this source; looked at without upgrading it."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            query = "SELECT value FROM settings WHERE key = ?"
            found = connection.execute(query, (SETTING,)).fetchone()
        return found is not None and Mark(**json.loads(found[0])).source == source_url
    except (sqlite3.Error, ValueError, TypeError):  # something else
        return False
