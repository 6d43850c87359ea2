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
_USED = (
    "{} is a copy that a stopped move left, and was used since: it holds {}, which {} does not. A "
    "copy that is made anew would lose it. Name another database by its URL, or remove this copy "
    "if nothing in it is wanted."
)
_STAYS = "the data does not pass an audit, so the lab stays in {}:\n{}"
_BROKEN = (
    "the copy in {} does not pass an audit, and {} takes no more writes since it was made: remove "
    "that copy and give the same move again, which makes another.\n{}"
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
            the lab is then where it was, and the target empty. If a killed move is given again,
            all is as that one left it.
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
        url = parse_location(_free_file(folder, here.url) if target == "sqlite" else target)
        if without_password(url) == without_password(here.url):
            raise StoreError(f"{here.where} is where the lab is: name another database.")
        file = Path(str(url.database))
        is_new = is_sqlite(url) and not file.exists()
        try:
            return _move(folder, here, url, progress)
        except BaseException:
            if is_new and not _is_used(folder, url) and unfinished.holds_nothing(file):
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
    place = _place(target)
    copy: _Copy | None = None
    try:
        with source.write() as from_:
            with target.write() as to:
                copy = _copied(from_, to, source, target, folder, progress)
                report = audit_session(to, progress=progress)
                if not report.ok:
                    raise StoreError(
                        _STAYS.format(source.where, report)
                        if copy.is_new
                        else _BROKEN.format(target.where, source.where, report)
                    )
            if copy.is_new:
                seal(from_, place, copy.token)
        note_place(folder, url)
        _finish(target)
    except BaseException:
        # Only what this call did. A copy that was found may have been in use for days.
        if copy is not None and copy.is_new and not _is_used(folder, url):
            _take_back(source, target, copy.token)
        raise
    finally:
        target.close()
    return MoveReport(source=_place(source), target=place, rows=copy.rows, audit=report)


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """What the target holds: its mark's token, how many rows, and whether this call copied them."""

    token: str
    rows: int
    is_new: bool


def _copied(
    from_: Session, to: Session, source: Database, target: Database, folder: Path, progress: bool
) -> _Copy:
    """See to it that the target is a marked copy."""
    name, mark = _name(source.url), unfinished.read(to)
    if mark is not None and is_sealed(from_, mark.token):
        # Killed when nothing was left to copy.
        return _Copy(token=mark.token, rows=count_rows(from_), is_new=False)
    if mark is not None and unfinished.is_copy_of(to, mark, name):
        if added := unfinished.added_since(to, from_):
            raise StoreError(_USED.format(target.where, added, source.where))
        clear_rows(to)
    # Whoever lost or removed the copy before the lab used it may make another in its place.
    if is_sealed(from_) and (moved_to(from_) != _place(target) or what_is_in(to)):
        raise StoreError(_ALREADY.format(source.where, moved_to(from_), folder / NOTE))
    rows = copy_rows(from_, to, where=target.where, progress=progress)
    token = uuid.uuid4().hex
    unfinished.write(to, unfinished.Mark(token, name))
    return _Copy(token=token, rows=rows, is_new=True)


def _finish(target: Database) -> None:
    # The move is done: a mark that cannot be removed is in nobody's way, see `added_since`.
    with suppress(StoreError), target.write() as to:
        unfinished.remove(to)


def _take_back(source: Database, target: Database, token: str) -> None:
    """Make the lab usable where it was, and the target empty, unless somebody has added to it.

    What fails here, as on a server that is gone, is left to the next move: it can begin with
    whatever a killed one left.
    """
    with suppress(StoreError), source.write() as from_:
        if is_sealed(from_, token):
            unseal(from_)
    with suppress(StoreError), source.read() as from_, target.write() as to:
        mark = unfinished.read(to)
        if mark is not None and mark.token == token and not unfinished.added_since(to, from_):
            clear_rows(to)


def _is_used(folder: Path, url: URL) -> bool:
    """Whether the lab's note names this place."""
    return without_password(parse_location(database_of(folder))) == without_password(url)


def _name(url: URL) -> str:
    return url_text(without_password(url))


def _place(database: Database) -> str:
    """For people, and for the next move to know it by, whether or not it is given a password."""
    return str(database.url.database) if database.is_sqlite else _name(database.url)


def _free_file(folder: Path, source: URL) -> Path:
    """The usual name, or the next one that is free: what was moved away is kept.

    What a killed move left is free, whether it had begun to copy or not.
    """
    files = (folder / name for name in (DEFAULT, *(f"lab-{n}.sqlite" for n in range(2, 10_000))))
    return next(f for f in files if not f.exists() or _is_left_over(f, source))


def _is_left_over(file: Path, source: URL) -> bool:
    if is_sqlite(source) and file.samefile(str(source.database)):
        return False  # a lab in which there is nothing yet
    return unfinished.is_left_in(file, _name(source)) or unfinished.holds_nothing(file)
