"""Where a lab keeps its database: in its directory, unless a small file there names another place.

The file holds a database URL without its password. Passwords belong where PostgreSQL's own
programs look for them: `~/.pgpass`, a service file (PGSERVICE), or PGPASSWORD.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from rlhf_lab.errors import LabMismatch, StoreError
from rlhf_lab.store.engine import parse_location
from rlhf_lab.store.paths import as_folder, flush
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import as_path, utc_now

DEFAULT = "lab.sqlite"
NOTE = "database.url"


def open_store(
    directory: str | Path, *, clock: Callable[[], datetime] = utc_now
) -> PreferenceStore:
    """The store of a lab that exists; loads no model.

    Raises:
        StoreError: the directory is no lab, or its database cannot be used.
        ConfigError: it is no path, or a file.
    """
    folder = as_folder(directory)
    if not is_lab(folder):
        raise StoreError(
            f"{folder} is no lab (it holds neither {DEFAULT} nor {NOTE}): name the directory of "
            f"one, or make one with rlhf_lab.Lab({str(directory)!r})."
        )
    return PreferenceStore(database_of(folder), clock=clock)


def open_or_make_store(directory: Path, database: str | Path | None = None) -> PreferenceStore:
    """The store of a lab, made if it is not there.

    Args:
        directory: The lab's, absolute.
        database: Where a new lab is to keep its data, as a URL or a path; None for `lab.sqlite` in
            the directory. An existing lab has its place, and this may only repeat it.

    Raises:
        LabMismatch: the lab keeps its data elsewhere.
        StoreError: the place cannot be used.
    """
    if database is None:
        return PreferenceStore(database_of(directory))
    asked = parse_location(_absolute(database))
    if is_lab(directory):
        _require_same(directory, parse_location(database_of(directory)), asked)
    store = PreferenceStore(url_text(asked))
    try:
        note_place(directory, asked)
    except BaseException:
        store.close()
        raise
    return store


def is_lab(directory: Path) -> bool:
    """Whether there is a database, or a note of where it is."""
    return (directory / NOTE).is_file() or (directory / DEFAULT).is_file()


def database_of(directory: Path) -> Path | str:
    """Where a lab's database is: a path, or a URL without a password.

    Raises:
        StoreError: the note cannot be read.
    """
    note = directory / NOTE
    try:
        noted = note.read_text("utf-8").strip()
    except FileNotFoundError:
        return directory / DEFAULT
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{note} cannot be read ({error}): {_NOTE_HELP}") from error
    if not noted or "\n" in noted:
        raise StoreError(f"{note} holds {noted!r:.80}, which is no place: {_NOTE_HELP}")
    place = noted if "://" in noted else directory / noted
    _require_file(note, place)
    return place


def _require_file(note: Path, place: Path | str) -> None:
    """An empty database in the place of one that is gone would look like a lab that lost all."""
    url = parse_location(place)
    if is_sqlite(url) and not Path(str(url.database)).is_file():
        raise StoreError(f"{note} names {url.database}, and there is no such file: {_NOTE_HELP}")


def note_place(directory: Path, url: URL) -> None:
    """Make this the place of the lab's database, without its password; readable by its owner.

    Raises:
        StoreError: the directory cannot be written to.
    """
    note, aside = directory / NOTE, directory / f".{NOTE}.writing"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if is_sqlite(url) and Path(str(url.database)) == directory / DEFAULT:
            note.unlink(missing_ok=True)
            flush(directory)
            return
        aside.unlink(missing_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_as_noted(directory, url) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, note)
        flush(directory)  # the name as well: who moved here must not wake up at the old place
    except OSError as error:
        raise StoreError(
            f"{note} cannot be written ({error.strerror}): make the lab directory writable for "
            "you, or free some disk space."
        ) from error


def is_sqlite(url: URL) -> bool:
    """Whether it is a file."""
    return url.get_backend_name() == "sqlite"


def url_text(url: URL) -> str:
    """The whole URL, password included: for opening it, never for showing it."""
    return url.render_as_string(hide_password=False)


def without_password(url: URL) -> URL:
    """The same place, wherever the password stood."""
    # Not `url.set(password=None)`: None means "as it is" there.
    return URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    ).difference_update_query(["password"])


_NOTE_HELP = (
    "write the URL of the lab's database into it, as in postgresql+psycopg://USER@HOST/NAME, or "
    f"remove it if the data is in {DEFAULT} beside it."
)


def _as_noted(directory: Path, url: URL) -> str:
    if not is_sqlite(url):
        return url_text(without_password(url))
    path = Path(str(url.database))
    # Relative where it can be, so that the lab directory may be moved as a whole.
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def _absolute(database: str | Path) -> str | Path:
    if isinstance(database, str) and "://" in database:
        return database
    return as_path(database).absolute()


def _require_same(directory: Path, noted: URL, asked: URL) -> None:
    here, there = without_password(noted), without_password(asked)
    if here != there:
        raise LabMismatch(
            f"{directory} keeps its data in {_shown(here)}, not in {_shown(there)}: leave "
            f"database= out to go on there, or move it with: rlhf-lab move {directory} "
            f"{'sqlite' if is_sqlite(there) else _shown(there)}"
        )


def _shown(url: URL) -> str:
    return str(url.database) if is_sqlite(url) else repr(url)
