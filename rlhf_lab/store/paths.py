"""Paths as people give them, checked before anything is done with them."""

from __future__ import annotations

import os
from pathlib import Path

from rlhf_lab.errors import ConfigError

# Of one name, in bytes: what ext4, XFS, Btrfs, APFS and NTFS take at most.
_LONGEST_NAME = 255


def as_path(text: str | os.PathLike[str]) -> Path:
    """The path that somebody gave, with "~" resolved; whether anything is there is not looked at.

    Raises:
        ConfigError: no system has such a path, or nobody has that home folder.
    """
    try:
        path = Path(text)
        name = os.fsencode(path)
    except (TypeError, ValueError) as error:  # no text, or half a character in it
        raise ConfigError(f"{text!r:.80} is no path ({error}): give one as text.") from error
    if not os.fspath(text):
        raise ConfigError("'' is no path: name a file or folder; '.' is the one you are in.")
    if b"\0" in name:
        raise ConfigError(f"{str(text)!r:.80} holds a NUL character: no path does. Remove it.")
    for part in path.parts:
        if len(os.fsencode(part)) > _LONGEST_NAME:
            raise ConfigError(
                f"{part[:40]}… has {len(os.fsencode(part))} bytes, a name at most "
                f"{_LONGEST_NAME}: use a shorter one."
            )
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{path}: nobody here is called {path.parts[0][1:] or 'you'!r}. Write the path in "
            f"full, or as ./{path} if the name begins with '~'."
        ) from error


def as_folder(text: str | os.PathLike[str]) -> Path:
    """The absolute path of a folder that is there or may be made.

    Raises:
        ConfigError: as for `as_path`, or a file is where a folder is needed.
    """
    folder = as_path(text).absolute()
    refuse_file_among(folder, *folder.parents)
    return folder


def as_file(text: str | os.PathLike[str]) -> Path:
    """The absolute path of a file in a folder that is there or may be made.

    Raises:
        ConfigError: as for `as_path`, it is a folder, or a file is where its folder is needed.
    """
    file = as_path(text).absolute()
    refuse_file_among(*file.parents)
    if os.path.isdir(file):
        raise ConfigError(f"{file} is a folder, and a file is needed: name one in it.")
    return file


def refuse_file_among(*folders: Path) -> None:
    """Refuse what is there and no folder.

    Raises:
        ConfigError: one is a file.
    """
    for folder in folders:
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise ConfigError(f"{folder} is a file, and a folder is needed: name another place.")


def flush(path: Path) -> None:
    """Have the system write a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
