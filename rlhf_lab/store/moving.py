"""Moving a lab's data from SQLite to PostgreSQL or back."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store import unfinished
from rlhf_lab.store.audit import AuditReport, audit_session
from rlhf_lab.store.copying import clear_rows, copy_rows, count_rows, what_is_in
from rlhf_lab.store.database import Database
from rlhf_lab.store.engine import parse_location
from rlhf_lab.store.lock import TrainingLock
from rlhf_lab.store.paths import as_folder
from rlhf_lab.store.place import (
    DEFAULT,
    NOTE,
    database_of,
    is_sqlite,
    note_place,
    open_store,
    url_text,
    without_password,
)
from rlhf_lab.store.sealing import is_sealed, moved_to, seal, unseal

_ALREADY = (
    "{} was moved to {} already. If that move was stopped, give it again with the same target; if "
    "it was made from another directory, write the new place into {}."
)


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
    that nobody who still has it open says something there that is lost. A move that was killed can
    be given again.

    Args:
        directory: The lab's.
        target: URL of an empty database, or "sqlite" for a new file in the lab directory.
        progress: Show bars.

    Raises:
        StoreError: the target cannot be used or is not empty, or the copy does not pass an audit;
            the lab is then where it was, and the target empty.
        LabInUse: a process trains in the lab.
        ConfigError: the directory or target is no path.
    """
    folder = as_folder(directory)
    if target != "sqlite" and "://" not in target and os.sep not in target:
        raise StoreError(
            f"{target!r} is neither 'sqlite' nor the URL of a database: write it as in "
            "postgresql+psycopg://USER@HOST/NAME."
        )
    with open_store(folder) as source, TrainingLock(folder, purpose="moving its data"):
        here = source.database
        url = parse_location(_free_file(folder, _name(here.url)) if target == "sqlite" else target)
        if without_password(url) == without_password(here.url):
            raise StoreError(f"{here.where} is where the lab is: name another database.")
        is_new = is_sqlite(url) and not Path(str(url.database)).exists()
        try:
            return _move(folder, here, url, progress)
        except BaseException:
            if is_new and not _is_used(folder, url):
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{url.database}{suffix}").unlink(missing_ok=True)
            raise


def _move(folder: Path, source: Database, url: URL, progress: bool) -> MoveReport:
    """Copy, seal, note: whenever it is killed, at most one database takes writes.

    Before the seal that is the old one, and the copy is made anew by the next move. After it
    nobody can write until a move has noted the new place; the copy is whole, so that this is all
    that is left to do. The mark on the copy and the seal, which names it, tell the two apart.
    """
    target = Database(url_text(url))
    token = ""
    try:
        with source.write() as from_:
            with target.write() as to:
                token, rows = _copied(from_, to, source, target, folder, progress)
                report = audit_session(to, progress=progress)
                if not report.ok:
                    raise StoreError(
                        f"the data does not pass an audit, so the lab stays in {source.where}:\n"
                        f"{report}"
                    )
            if not is_sealed(from_, token):
                seal(from_, target.where, token)
        note_place(folder, url)
        _finish(target)
    except BaseException:
        if not _is_used(folder, url):
            _take_back(source, target, token)
        raise
    finally:
        target.close()
    return MoveReport(source=source.where, target=target.where, rows=rows, audit=report)


def _copied(
    from_: Session, to: Session, source: Database, target: Database, folder: Path, progress: bool
) -> tuple[str, int]:
    """See to it that the target is a marked copy; returns its token and how many rows it has."""
    name, mark = _name(source.url), unfinished.read(to)
    if mark is not None and is_sealed(from_, mark.token):
        return mark.token, count_rows(from_)  # killed when nothing was left to copy
    if mark is not None and unfinished.may_be_replaced(to, mark, from_, name):
        clear_rows(to)
    # Whoever lost or removed the copy before the lab used it may make another in its place.
    if is_sealed(from_) and (moved_to(from_) != target.where or what_is_in(to)):
        raise StoreError(_ALREADY.format(source.where, moved_to(from_), folder / NOTE))
    rows = copy_rows(from_, to, where=target.where, progress=progress)
    token = uuid.uuid4().hex
    unfinished.write(to, unfinished.Mark(token, name))
    return token, rows


def _finish(target: Database) -> None:
    # The move is done: a mark that cannot be removed is in nobody's way, see `may_be_replaced`.
    with suppress(StoreError), target.write() as to:
        unfinished.remove(to)


def _take_back(source: Database, target: Database, token: str) -> None:
    """Make the lab usable where it was, and the target empty.

    What fails here, as on a server that is gone, is left to the next move: it can begin with
    whatever a killed one left.
    """
    if not token:
        return  # nothing was copied; a seal is somebody else's
    with suppress(StoreError), source.write() as from_:
        if is_sealed(from_, token):
            unseal(from_)
    with suppress(StoreError), target.write() as to:
        mark = unfinished.read(to)
        if mark is not None and mark.token == token:
            clear_rows(to)


def _is_used(folder: Path, url: URL) -> bool:
    """Whether the lab's note names this place."""
    return without_password(parse_location(database_of(folder))) == without_password(url)


def _name(url: URL) -> str:
    return url_text(without_password(url))


def _free_file(folder: Path, source: str) -> Path:
    """The usual name, or the next one that is free: what was moved away is kept.

    What a killed move left is free.
    """
    files = (folder / name for name in (DEFAULT, *(f"lab-{n}.sqlite" for n in range(2, 10_000))))
    return next(f for f in files if not f.exists() or unfinished.is_left_in(f, source))
