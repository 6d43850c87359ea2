"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store.paths import flush


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A place to write beside the path; it takes the path's name once it is complete, on disk.

    Raises:
        ConfigError: the path exists and is not to be overwritten.
        StoreError: it cannot be written.
    """
    if os.path.isdir(path) or (os.path.exists(path) and not overwrite):
        raise ConfigError(
            f"{path} exists: choose another name, or pass overwrite=True (--overwrite)."
        )
    aside = path.parent / _part(path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        flush(aside)
        os.replace(aside, path)
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
    killed writers left there is removed.

    Raises:
        ConfigError: the path exists and is not an empty folder.
        StoreError: it cannot be written.
    """
    path = Path(os.path.realpath(path))
    inside = os.path.isdir(path)
    home = path if inside else path.parent
    aside = home / _part(path.name)
    try:
        if os.path.lexists(path) and not (inside and all(map(_is_part, os.listdir(path)))):
            raise ConfigError(f"{path} exists and is not empty: choose a new folder.")
        _remove_parts(home, path.name)
        aside.mkdir(parents=True)
        yield aside
        for folder, _, files in os.walk(aside):
            for name in (*files, "."):
                flush(Path(folder) / name)
        if inside:
            # The card after the data: a folder with one is complete.
            for name in sorted(os.listdir(aside), reverse=True):
                os.replace(aside / name, path / name)
        else:
            os.rename(aside, path)
        flush(home)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _part(name: str) -> str:
    """A name of its own for each writer: two at once do not write into one another's."""
    return f".{name[:40]}.{uuid4().hex[:8]}.part"


def _is_part(name: str) -> bool:
    return re.fullmatch(r"\..*\.[0-9a-f]{8}\.part", name, re.DOTALL) is not None


def _remove_parts(home: Path, name: str) -> None:
    start = f".{name[:40]}."
    for found in os.listdir(home) if os.path.isdir(home) else []:
        if found.startswith(start) and len(found) == len(_part(name)) and _is_part(found):
            shutil.rmtree(home / found, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot be written ({error.strerror or error}): free some space, or choose "
        "another place. Nothing is left there."
    )
