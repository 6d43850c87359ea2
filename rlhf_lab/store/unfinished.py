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
from rlhf_lab.store.sealing import is_sealed, is_sealed_file
from rlhf_lab.store.showing import printable
from rlhf_lab.store.tables import (
    ActiveRow,
    AssignmentRow,
    Base,
    FailedSignInRow,
    JobEventRow,
    SettingRow,
)

SETTING = "unfinished_move"
_OURS = frozenset(Base.metadata.tables)
_OF_LIBRARIES = {"alembic_version", "sqlite_sequence"}
# Rows that go again while people work: what these say is in the record, was only a lease, or how
# it stood with a job or with somebody's password for a while.
_COME_AND_GO = {
    row.__tablename__ for row in (ActiveRow, AssignmentRow, JobEventRow, FailedSignInRow)
}
# Columns that tell a row from another with its number, and that nothing changes.
_LASTING = {"seq", "id", "name", "hash", "kind", "version", "step", "created_at"}


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


def is_copy_of(copy: Session, mark: Mark, source_url: str) -> bool:
    """Whether a marked copy is of this source, and has not been moved on from."""
    return mark.source == source_url and not is_sealed(copy)


def added_since(copy: Session, source: Session) -> str:
    """The first thing that a marked copy holds and its source does not; nothing if there is none.

    The mark alone should say that nobody uses the copy. But it can be opened by its own name, and
    a crash may leave the mark on a copy that the lab uses; what is replaced is gone. Both number
    their rows alike, and what is added comes last.
    """
    for table in Base.metadata.sorted_tables:
        if "seq" not in table.c or table.name in _COME_AND_GO:
            continue
        columns = [column for column in table.c if column.name in _LASTING]
        last = copy.execute(select(*columns).order_by(table.c.seq.desc()).limit(1)).first()
        if last is None:
            continue
        same = source.execute(select(*columns).where(table.c.seq == last.seq)).first()
        if same is None or tuple(same) != tuple(last):
            name = getattr(last, "id", None) or getattr(last, "name", None)
            known = f" ({printable(repr(name), 60)})" if name else ""
            return f"number {last.seq} of its {table.name}{known}"
    return ""


def is_left_in(file: Path, source_url: str) -> bool:
    """Whether an SQLite file is a marked copy of this source; looked at without upgrading it."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            query = "SELECT value FROM settings WHERE key = ?"
            found = connection.execute(query, (SETTING,)).fetchone()
        return found is not None and Mark(**json.loads(found[0])).source == source_url
    except (sqlite3.Error, ValueError, TypeError):  # something else
        return False


def holds_nothing(file: Path) -> bool:
    """Whether an SQLite file is new, or has a lab's tables without a row; not upgraded either.

    A lab that was moved away is something, whatever it held.
    """
    try:
        with closing(sqlite3.connect(file)) as connection:
            if is_sealed_file(connection):
                return False
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            tables = {name for (name,) in connection.execute(query)} - _OF_LIBRARIES
            # A new database has the head of an empty chain.
            counted = {name: f"SELECT 1 FROM {name}" for name in tables & _OURS}
            if SettingRow.__tablename__ in counted:
                counted[SettingRow.__tablename__] += f" WHERE key != '{chain.SETTING}'"
            return tables <= _OURS and not any(
                connection.execute(f"{query} LIMIT 1").fetchone() for query in counted.values()
            )
    except sqlite3.Error:  # something else, or in use
        return False
