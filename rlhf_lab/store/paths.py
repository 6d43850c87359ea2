"""Paths as people give them, checked before anything is done with them."""

from __future__ import annotations

import os
from pathlib import Path

from rlhf_lab.errors import ConfigError
from rlhf_lab.types import as_path


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
