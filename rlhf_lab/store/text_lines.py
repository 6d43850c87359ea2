"""Numbered lines of text files, plain or gzipped, and the JSON in them."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from rlhf_lab.errors import ImportFileError

_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path, seen: Callable[[int], object] | None = None) -> Iterator[Iterator[bytes]]:
    """The lines of a file as bytes, line ends kept, without byte order mark.

    Args:
        path: Gzipped if its name ends with .gz.
        seen: Called after each line with how many bytes of the file have been read.

    Raises:
        ImportFileError: it cannot be read to its end; names the line.
    """
    number = [0]

    def lines(raw: BinaryIO) -> Iterator[bytes]:
        zipped = path.name.endswith(".gz")
        for line in gzip.GzipFile(fileobj=raw) if zipped else raw:
            number[0] += 1
            if seen is not None:
                seen(raw.tell())
            yield line.removeprefix(_BOM) if number[0] == 1 else line

    try:
        with path.open("rb") as raw:
            yield lines(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFileError(
            f"{path}:{number[0] + 1}: cannot be read ({error}): check that the file is there and "
            "complete."
        ) from error


def numbered(lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Those that are not blank, counted from 1."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line


def parse(line: bytes, where: str) -> object:
    """The JSON value of a line.

    Raises:
        ImportFileError: not UTF-8, or not strict JSON.
    """
    prefix = f"{where}: " if where else ""
    try:
        return json.loads(
            line.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_refuse
        )
    except UnicodeDecodeError as error:
        raise ImportFileError(
            f"{prefix}not UTF-8 ({error.reason} at byte {error.start}). Save the file as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ImportFileError(
            f"{prefix}not JSON ({error}). Each line is one whole JSON value; repair or remove it."
        ) from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.80} stands there twice: which one counts?")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
