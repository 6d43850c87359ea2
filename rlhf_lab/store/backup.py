"""One file with everything of a lab, written while people go on judging, and back again.

A plain tar: the database as it was at one moment, the checkpoints that its versions name, and last
a manifest with the SHA-256 of each file. It is written aside and renamed when it is whole.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from rlhf_lab.errors import StoreError
from rlhf_lab.store import chain, unfinished
from rlhf_lab.store.copying import copy_rows
from rlhf_lab.store.database import Database
from rlhf_lab.store.paths import as_file, as_folder, flush
from rlhf_lab.store.place import DEFAULT
from rlhf_lab.store.sealing import unseal_file
from rlhf_lab.types import utc_now

if TYPE_CHECKING:
    from rlhf_lab.store.preference_store import PreferenceStore

MANIFEST = "manifest.json"
FORMAT = 1
# Of a checkpoint: which files it has, with their sums. Training may thin a checkpoint meanwhile.
_LISTING = "manifest.json"
_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class BackupReport:
    """What went into a backup.

    Attributes:
        file: Where it is.
        judgments: How many events its record has.
        head: Where their chain ends, as "NUMBER:HASH"; noted elsewhere, it proves later that
            neither lab nor backup was rewritten.
        versions: How many have their checkpoint in it.
        bytes: Size of the file.
        warnings: Versions whose checkpoint was not there or not as it was written.
    """

    file: Path
    judgments: int
    head: str
    versions: int
    bytes: int
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line, and one for each warning."""
        line = (
            f"{self.file}: {self.judgments:,} judgments, {self.versions} versions, "
            f"{self.bytes / 1e6:,.1f} MB; head {self.head}"
        )
        return "\n".join([line, *(f"  warning: {warning}" for warning in self.warnings)])

    __repr__ = __str__


def backup_lab(
    store: PreferenceStore, directory: str | Path, file: str | Path, *, progress: bool = False
) -> BackupReport:
    """Write a backup; nobody has to stop for it.

    What was acknowledged before it began is in it, whatever the database. Not in it: the base
    model, which the lab knows by its name and fingerprint, and training steps without a version.

    Args:
        store: The lab's.
        directory: The lab's.
        file: Must not exist; its folder is made.
        progress: Show bars.

    Raises:
        StoreError: the file exists or cannot be written; nothing is left behind.
        ConfigError: one of the two is no path, or a file where a folder is needed.
    """
    folder, file = as_folder(directory), as_file(file)
    _refuse_existing(file)
    with _errors_of(file), ExitStack() as stack:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Beside the file: it is the place that has to have the room anyway. Not named after it:
        # a name may be as long as the system takes.
        aside = Path(tempfile.mkdtemp(prefix=".rlhf-lab-backup.", dir=file.parent))
        stack.callback(shutil.rmtree, aside, ignore_errors=True)
        snapshot = aside / DEFAULT
        _snapshot(store.database, snapshot, progress)
        contents = _Contents(folder, snapshot)
        _write(aside / "backup.tar", contents, progress)
        _refuse_existing(file)  # again: somebody may have been faster
        os.replace(aside / "backup.tar", file)
        flush(file.parent)
    return BackupReport(
        file=file,
        judgments=contents.head.length,
        head=str(contents.head),
        versions=len(contents.saved),
        bytes=file.stat().st_size,
        warnings=tuple(contents.warnings),
    )


class _Contents:
    """What a snapshot says that belongs to its backup."""

    def __init__(self, folder: Path, snapshot: Path) -> None:
        self.folder = folder
        self.snapshot = snapshot
        self.warnings: list[str] = []
        self.saved: list[str] = []
        with closing(sqlite3.connect(snapshot)) as connection:
            self.versions = connection.execute("SELECT name, path FROM versions").fetchall()
            query = "SELECT value FROM settings WHERE key = ?"
            found = connection.execute(query, (chain.SETTING,)).fetchone()
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        self.schema = str(revision[0])
        noted: dict[str, Any] = json.loads(found[0]) if found else {}
        self.head = chain.Head(**noted)

    def checkpoints(self) -> Iterator[tuple[str, IO[bytes], str | None]]:
        """Name in the backup, content and expected sum of each file of each version."""
        for name, path in self.versions:
            place = self.folder / path
            if not is_inside(path) or not place.is_dir():
                self.warnings.append(f"{name} has no checkpoint at {place}: its figures are kept")
                continue
            with ExitStack() as stack:
                try:
                    opened = _open_checkpoint(place, stack)
                except (OSError, ValueError) as error:
                    self.warnings.append(f"{name} is left out, its checkpoint is broken: {error}")
                    continue
                for part, (content, expected) in opened.items():
                    yield str(PurePosixPath(path) / part), content, expected
            self.saved.append(name)


def _open_checkpoint(place: Path, stack: ExitStack) -> dict[str, tuple[IO[bytes], str | None]]:
    """The files that its listing names, all open before any is read.

    Training drops optimizer states of old versions: first from the listing, then the files. What
    is open stays readable; what was gone before is looked up again.
    """
    for attempt in range(_ATTEMPTS):
        with ExitStack() as tried:
            listing = tried.enter_context((place / _LISTING).open("rb"))
            sums = json.load(listing)
            listing.seek(0)
            if not isinstance(sums, dict) or not all(map(is_inside, sums)):
                raise ValueError(f"{place / _LISTING} names files elsewhere")
            opened: dict[str, tuple[IO[bytes], str | None]] = {_LISTING: (listing, None)}
            try:
                for part, expected in sums.items():
                    opened[part] = (tried.enter_context((place / part).open("rb")), expected)
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            stack.push(tried.pop_all())
            return opened
    raise AssertionError("unreachable")


def _snapshot(database: Database, snapshot: Path, progress: bool) -> None:
    if database.is_sqlite:
        # One reading transaction: in WAL mode, writers do not wait for it nor it for them.
        with closing(sqlite3.connect(str(database.url.database), timeout=10)) as connection:
            connection.execute("VACUUM INTO ?", (str(snapshot),))
    else:
        target = Database(snapshot)
        try:
            with database.read() as from_, target.write() as to:
                copy_rows(from_, to, where=str(snapshot), progress=progress)
        finally:
            target.close()
    # A move may have been stopped midway, or not have removed its mark: whoever restores goes on.
    with closing(sqlite3.connect(snapshot)) as connection, connection:
        unseal_file(connection)
        connection.execute("DELETE FROM settings WHERE key = ?", (unfinished.SETTING,))


def _write(tar_file: Path, contents: _Contents, progress: bool) -> None:
    from tqdm.auto import tqdm

    sums: dict[str, dict[str, Any]] = {}
    with (
        tar_file.open("wb") as raw,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar,
        tqdm(desc="Backup", unit="B", unit_scale=True, disable=not progress, leave=False) as bar,
    ):
        with contents.snapshot.open("rb") as database:
            sums[DEFAULT] = _add(tar, DEFAULT, database, bar)
        contents.snapshot.unlink()
        for name, content, expected in contents.checkpoints():
            sums[name] = _add(tar, name, content, bar)
            if expected not in (None, sums[name]["sha256"]):
                contents.warnings.append(f"{name} is not what was written (SHA-256 differs)")
        _add_manifest(tar, contents, sums)
        tar.close()
        raw.flush()
        os.fsync(raw.fileno())


class _Summing:
    """A file that is summed while it is read."""

    def __init__(self, file: IO[bytes], bar: Any) -> None:  # noqa: ANN401 - a tqdm
        self._file = file
        self._bar = bar
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        self._bar.update(len(data))
        return data


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes], bar: Any) -> dict[str, Any]:  # noqa: ANN401
    member = tarfile.TarInfo(name)
    member.size = os.fstat(file.fileno()).st_size
    member.mtime = int(utc_now().timestamp())
    member.mode = 0o600
    summing = _Summing(file, bar)
    tar.addfile(member, summing)
    return {"sha256": summing.sum.hexdigest(), "bytes": member.size}


def _add_manifest(tar: tarfile.TarFile, contents: _Contents, sums: dict[str, Any]) -> None:
    said = {
        "format": FORMAT,
        "created_at": utc_now().isoformat(),
        "schema": contents.schema,
        "head": str(contents.head),
        "versions": contents.saved,
        "warnings": contents.warnings,
        "files": sums,
    }
    data = json.dumps(said, indent=1, sort_keys=True).encode()
    member = tarfile.TarInfo(MANIFEST)
    member.size = len(data)
    member.mode = 0o600
    tar.addfile(member, io.BytesIO(data))


def is_inside(path: object) -> bool:
    """Whether a relative path, with forward slashes, stays where it is put."""
    if not isinstance(path, str) or not path or "\\" in path or "\0" in path or ":" in path[1:2]:
        return False
    return not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise StoreError(f"{file} exists, and a backup replaces nothing: choose another name.")


@contextmanager
def _errors_of(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or "full" in str(error)
        step = (
            "free some disk space (it takes the size of the database twice)"
            if full
            else "choose a folder you may write to"
        )
        raise StoreError(
            f"{file} cannot be written ({error}): {step}, and retry. Nothing was left behind."
        ) from error
