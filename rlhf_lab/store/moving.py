"""Moving a lab's data from SQLite to PostgreSQL or back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store.audit import AuditReport, audit_session
from rlhf_lab.store.copying import copy_rows
from rlhf_lab.store.database import Database
from rlhf_lab.store.engine import MOVED, parse_location
from rlhf_lab.store.lock import TrainingLock
from rlhf_lab.store.place import (
    DEFAULT,
    database_of,
    is_sqlite,
    note_place,
    open_store,
    url_text,
    without_password,
)
from rlhf_lab.store.tables import Base


@dataclass(frozen=True, kw_only=True)
class MoveReport:
    """What a move did.

    Attributes:
        source: Where the data was. It is still there, and takes no more writes.
        target: Where it is now.
        rows: How many, of all tables.
        audit: Of the target.
    """

    source: str
    target: str
    rows: int
    audit: AuditReport

    def __str__(self) -> str:
        """What was done, and where the old data is."""
        return (
            f"{self.rows:,} rows are now in {self.target}, and the lab uses them there. "
            f"{self.source} is as it was, for reading only: remove it when you like.\n{self.audit}"
        )


def move_lab(directory: str | Path, target: str, *, progress: bool = False) -> MoveReport:
    """Copy a lab's data into another database and let the lab use that.

    While it runs, others can read and not write. Afterwards the old database refuses writes, so
    that nobody who still has it open says something there that is lost.

    Args:
        directory: The lab's.
        target: URL of an empty database, or "sqlite" for a new file in the lab directory.
        progress: Show bars.

    Raises:
        StoreError: the target cannot be used or is not empty, or the copy does not pass an audit;
            the lab is then where it was, and the target empty.
        LabInUse: a process trains in the lab.
    """
    folder = Path(directory).expanduser().absolute()
    with open_store(folder) as source, TrainingLock(folder, purpose="moving its data"):
        url = parse_location(_free_file(folder) if target == "sqlite" else target)
        if without_password(url) == without_password(source.database.url):
            raise StoreError(f"{source.database.where} is where the lab is: name another database.")
        is_new = is_sqlite(url) and not Path(str(url.database)).exists()
        try:
            return _move(folder, source.database, url, progress)
        except BaseException:
            if is_new:
                _remove(url, folder)
            raise


def _move(folder: Path, source: Database, url: URL, progress: bool) -> MoveReport:
    target = Database(url_text(url))
    try:
        with source.write() as from_:
            with target.write() as to:
                rows = copy_rows(from_, to, where=target.where, progress=progress)
                report = audit_session(to, progress=progress)
                if not report.ok:
                    raise StoreError(
                        f"the data does not pass an audit, so the lab stays in {source.where}:\n"
                        f"{report}"
                    )
            note_place(folder, url)
            _seal(from_, target.where)
    finally:
        target.close()
    return MoveReport(source=source.where, target=target.where, rows=rows, audit=report)


def _seal(session: Session, now_in: str) -> None:
    """Refuse what processes would write that still have the old database open."""
    message = f"{MOVED} {now_in}".replace("'", "''")
    if session.get_bind().dialect.name == "sqlite":
        for table in Base.metadata.sorted_tables:
            for action in ("INSERT", "UPDATE"):
                _run(
                    session,
                    f"CREATE TRIGGER {table.name}_moved_{action.lower()} BEFORE {action} ON "
                    f"{table.name} BEGIN SELECT RAISE(ABORT, '{message}'); END",
                )
        return
    _run(
        session,
        "CREATE FUNCTION lab_has_moved() RETURNS trigger LANGUAGE plpgsql AS "
        f"$moved$ BEGIN RAISE EXCEPTION USING MESSAGE = '{message}'; END $moved$",
    )
    for table in Base.metadata.sorted_tables:
        _run(
            session,
            f"CREATE TRIGGER {table.name}_moved BEFORE INSERT OR UPDATE ON {table.name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION lab_has_moved()",
        )


def _run(session: Session, statement: str) -> None:
    session.execute(text(statement.replace(":", "\\:")))


def _free_file(folder: Path) -> Path:
    """The usual name, or the next one that is free: what was moved away is kept."""
    names = (DEFAULT, *(f"lab-{n}.sqlite" for n in range(2, 10_000)))
    return next(folder / name for name in names if not (folder / name).exists())


def _remove(url: URL, folder: Path) -> None:
    """What a failed move made, unless the lab is there already."""
    if parse_location(database_of(folder)) != url:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{url.database}{suffix}").unlink(missing_ok=True)
