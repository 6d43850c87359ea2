"""A lab directory out of a backup; the file may come from anybody, so nothing in it is trusted."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import select, update

from rlhf_lab.errors import StoreError
from rlhf_lab.store.audit import AuditReport, audit
from rlhf_lab.store.backup import FORMAT, MANIFEST, is_inside
from rlhf_lab.store.database import Database
from rlhf_lab.store.jobs import cancel_open
from rlhf_lab.store.paths import as_file, as_folder, flush
from rlhf_lab.store.place import DEFAULT
from rlhf_lab.store.showing import printable
from rlhf_lab.store.tables import SignInRow, TicketRow, VersionRow
from rlhf_lab.types import utc_now

_CHUNK = 1 << 20
_LONGEST_MANIFEST = 64 << 20
_NOT_DONE = "Cancelled: it was not done when the backup was made that this lab comes from."


@dataclass(frozen=True, kw_only=True)
class RestoreReport:
    """What a backup was made into.

    Attributes:
        directory: The lab's.
        files: How many files it has.
        warnings: What was missing when the backup was made.
        audit: Of the restored record.
    """

    directory: Path
    files: int
    warnings: tuple[str, ...]
    audit: AuditReport

    def __str__(self) -> str:
        """Where it is, and the verdict of the audit."""
        lines = [f"{self.directory}: {self.files} files, every sum is right"]
        lines += [f"  warning when it was made: {printable(warning)}" for warning in self.warnings]
        return "\n".join([*lines, str(self.audit)])

    __repr__ = __str__


def restore_lab(
    file: str | Path, directory: str | Path, *, progress: bool = False
) -> RestoreReport:
    """Make a lab directory out of a backup; its data is then in that directory.

    Jobs that were waiting or running are cancelled, everybody is signed out, and links that
    nobody had used have expired: all of them may have been used since, in the lab that was saved.

    Args:
        file: As `backup_lab` wrote it.
        directory: Absent or empty.
        progress: Show bars.

    Raises:
        StoreError: the directory holds something; the file is no backup, was cut short or altered,
            or would write outside the directory. Nothing is left behind.
        ConfigError: one of the two is no path, or a file where a folder is needed.
    """
    file, folder = as_file(file), as_folder(directory)
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not empty: restore into a new directory.")
    with _errors_of(file, folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = folder.with_name(f".{uuid.uuid4().hex[:8]}.restoring")
        aside.mkdir()
        try:
            with closing(tarfile.open(file, mode="r:")) as tar:
                members = _members(tar, file)
                manifest = _manifest(tar, members, file)
                _extract(tar, members, manifest["files"], aside, file, progress)
            report = _audit(aside / DEFAULT, manifest["files"], file, progress)
            _end_what_went_on(aside / DEFAULT)
            _flush_all(aside)
            if folder.exists():
                folder.rmdir()
            os.rename(aside, folder)
            flush(folder.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return RestoreReport(
        directory=folder,
        files=len(manifest["files"]),
        warnings=tuple(manifest["warnings"]),
        audit=report,
    )


def _members(tar: tarfile.TarFile, file: Path) -> dict[str, tarfile.TarInfo]:
    """All of them by name, each a plain file inside the directory."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        name = printable(repr(member.name), 80)
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise _refused(file, f"{name} in it is no plain file")
        if not is_inside(member.name):
            raise _refused(file, f"{name} in it would be written outside the lab")
        if member.name in members:
            raise _refused(file, f"{name} is in it twice")
        members[member.name] = member
    return members


def _manifest(
    tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], file: Path
) -> dict[str, Any]:
    member = members.pop(MANIFEST, None)
    if member is None:
        raise StoreError(
            f"{file} has no {MANIFEST} at its end: it is no backup of a lab, or was cut short. Use "
            "another copy."
        )
    if member.size > _LONGEST_MANIFEST:
        raise _refused(file, f"its {MANIFEST} has {member.size} bytes")
    source = tar.extractfile(member)
    try:
        found: dict[str, Any] = json.loads(source.read() if source else b"")
        files = {
            str(name): (str(of["sha256"]), int(of["bytes"])) for name, of in found["files"].items()
        }
        made_as = found["format"]
        warnings = list(map(str, found.get("warnings", ())))
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise _refused(file, f"its {MANIFEST} cannot be read ({error})") from error
    if made_as != FORMAT:
        raise StoreError(
            f"{file} has format {printable(repr(made_as), 20)}, this RLHF Lab knows {FORMAT}: "
            "update with: pip install -U rlhf-lab"
        )
    # Beside the database a file could pass for its journal, or for the note of where it is.
    beside = sorted(name for name in files if "/" not in name and name != DEFAULT)
    if beside:
        raise _refused(file, f"{printable(repr(beside[0]), 80)} in it is no part of a lab")
    different = sorted(set(files) ^ set(members))
    if different or DEFAULT not in files:
        names = printable(", ".join(different[:3] or [DEFAULT]), 200)
        raise _refused(file, f"its {MANIFEST} and its files differ in {names}")
    return {"files": files, "warnings": warnings}


def _extract(
    tar: tarfile.TarFile,
    members: dict[str, tarfile.TarInfo],
    sums: dict[str, tuple[str, int]],
    aside: Path,
    file: Path,
    progress: bool,
) -> None:
    from tqdm.auto import tqdm

    total = sum(member.size for member in members.values())
    with tqdm(
        total=total, desc="Restore", unit="B", unit_scale=True, disable=not progress, leave=False
    ) as bar:
        for name, member in members.items():
            place = aside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            found = hashlib.sha256()
            source = tar.extractfile(member)
            with place.open("xb") as written:
                while source and (data := source.read(_CHUNK)):
                    written.write(data)
                    found.update(data)
                    bar.update(len(data))
            if (found.hexdigest(), place.stat().st_size) != sums[name]:
                raise _refused(file, f"{printable(name, 80)} in it is not what was written")


def _audit(database: Path, files: Iterable[str], file: Path, progress: bool) -> AuditReport:
    opened = Database(database)
    try:
        with opened.read() as session:
            kept = session.execute(select(VersionRow.name, VersionRow.path)).all()
        for name, path in kept:
            if not is_inside(path):
                raise _refused(file, f"version {printable(name, 40)} in it is kept elsewhere")
        folders = [PurePosixPath(path) for _, path in kept]
        for name in files:
            place = PurePosixPath(name)
            if name != DEFAULT and not any(place.is_relative_to(folder) for folder in folders):
                raise _refused(file, f"{printable(repr(name), 80)} in it belongs to no version")
        return audit(opened, progress=progress)
    finally:
        opened.close()


def _end_what_went_on(database: Path) -> None:
    opened, now = Database(database), utc_now()
    try:
        with opened.write() as session:
            cancel_open(session, _NOT_DONE, now)
            signed_in = SignInRow.ended_at.is_(None)
            session.execute(update(SignInRow).where(signed_in).values(ended_at=now))
            unused = (TicketRow.used_at.is_(None), TicketRow.expires_at > now)
            session.execute(update(TicketRow).where(*unused).values(expires_at=now))
    finally:
        opened.close()


def _flush_all(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        flush(path)
    flush(folder)


def _refused(file: Path, why: str) -> StoreError:
    return StoreError(f"{file}: {why}, so nothing was restored. Use another copy of the backup.")


@contextmanager
def _errors_of(file: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise StoreError(
            f"{file} is no backup of a lab, or was cut short or altered ({error}): use another "
            "copy."
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreError(
                f"no room left for {folder}: free some disk space and retry. Nothing was left "
                "behind."
            ) from error
        raise StoreError(
            f"{file} cannot be restored into {folder} ({error}). Nothing was left behind."
        ) from error
