"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store.paths import flush

# In a part of a folder: what its writer holds, and what is to get the folder's name.
_LOCK, _WHOLE = "lock", "whole"
# Seconds that others may look whether the writer of a part that was just made is alive.
_PATIENCE = 5


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A place to write beside the path; it takes the path's name once it is complete, on disk.

    Raises:
        ConfigError: the path exists, perhaps only by now, and is not to be overwritten.
        StoreError: it cannot be written.
    """
    if os.path.isdir(path):
        raise ConfigError(f"{path} is a folder, and a file is needed: name one in it.")
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(
            f"{path} exists: choose another name, or pass overwrite=True (--overwrite)."
        )
    aside = path.parent / _part(path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        flush(aside)
        if overwrite:
            os.replace(aside, path)
        else:
            _take_name(aside, path)
        flush(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; what is in it gets its place once all of it is complete, on disk.

    It stands beside the path and takes its name. Where the path is an empty folder, which may be
    another disk or one that others stand in, it stands inside, and its contents move up. What
    killed writers left there is removed; each holds a lock in its part as long as it lives.

    Raises:
        ConfigError: the path exists, perhaps only by now, and is not an empty folder.
        StoreError: it cannot be written.
    """
    path = Path(os.path.realpath(path))
    inside = os.path.isdir(path)
    home = path if inside else path.parent
    part: Path | None = None
    lock: FileLock | None = None
    try:
        if not is_free(path):
            raise ConfigError(f"{path} exists and is not empty: choose a new folder.")
        _remove_parts(home, path.name)
        part, lock = _new_part(home, path.name)
        aside = part / _WHOLE
        yield aside
        for folder, _, files in os.walk(aside):
            for name in (*files, "."):
                flush(Path(folder) / name)
        if inside:
            _move_up(aside, path)
        else:
            _take_name(aside, path)
        flush(home)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        if lock is not None:
            lock.release()


def is_free(path: Path) -> bool:
    """Whether nothing is there but, perhaps, a folder with no more in it than unfinished parts.

    Raises:
        StoreError: nobody may look into it.
    """
    if not os.path.isdir(path):
        return not os.path.lexists(path)
    try:
        return all(map(_is_part, os.listdir(path)))
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be looked into ({error.strerror or error}): make it readable for "
            "you, or choose another place."
        ) from error


def _take_name(made: Path, path: Path) -> None:
    """Rename, but never over what somebody else has put there by now.

    Raises:
        ConfigError: there is something.
    """
    try:
        if made.is_dir():
            os.rename(made, path)  # over nothing but an empty folder
            return
        try:
            os.link(made, path)
        except FileExistsError:
            raise
        except OSError as error:  # a disk without links
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
            os.replace(made, path)
        else:
            made.unlink()
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(path):
            raise ConfigError(
                f"{path} exists by now: it was made while this was being written. Choose another "
                "name, or look at what it is and try again."
            ) from error
        raise


def _move_up(aside: Path, path: Path) -> None:
    """Everything or nothing of a folder into another one."""
    moved = []
    try:
        # The card after the data: a folder with one is complete.
        for name in sorted(os.listdir(aside), reverse=True):
            _take_name(aside / name, path / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.rename(path / name, aside / name)
        raise


def _part(name: str) -> str:
    """A name of its own for each writer: two at once do not write into one another's."""
    return f"{_start(name)}{uuid4().hex[:8]}.part"


def _start(name: str) -> str:
    """Of all parts of what has this name: the whole name may be too long to be added to."""
    return f".{name[:31]}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}."


def _is_part(name: str) -> bool:
    return re.fullmatch(r"\..*\.[0-9a-f]{8}\.part", name, re.DOTALL) is not None


def _new_part(home: Path, name: str) -> tuple[Path, FileLock]:
    """A part with an empty folder for the whole, and the lock that keeps others from removing it.

    Before it is locked, others take it for that of a killed writer: then there is another one.
    """
    while True:
        part = home / _part(name)
        part.mkdir(parents=True)
        lock = FileLock(part / _LOCK, timeout=_PATIENCE, thread_local=False)
        # On a disk without locks nobody gets one, and nobody removes what others may be writing.
        with suppress(OSError, NotImplementedError):
            lock.acquire()
        try:
            (part / _WHOLE).mkdir()
        except FileNotFoundError:
            lock.release()
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            lock.release()
            raise
        else:
            return part, lock


def _remove_parts(home: Path, name: str) -> None:
    start = _start(name)
    for found in os.listdir(home) if os.path.isdir(home) else []:
        if found.startswith(start) and _is_part(found) and os.path.isdir(home / found):
            lock = FileLock(home / found / _LOCK, timeout=0, thread_local=False)
            with suppress(OSError, NotImplementedError), lock:
                shutil.rmtree(home / found, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot be written ({error.strerror or error}): free some space, make its folder "
        "writable for you, or choose another place."
    )
