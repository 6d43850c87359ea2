"""Rows of JSON: one in each line, a list of them, or a single one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from rlhf_lab.errors import ImportFileError
from rlhf_lab.store.exchange import formats
from rlhf_lab.store.exchange.plain_rows import as_row, renamed
from rlhf_lab.store.exchange.record import Numbered, Row, RowProblem, Seen
from rlhf_lab.store.text_lines import numbered, opened, parse


def line_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    """One in each line that is not blank."""
    with opened(path, seen) as lines:
        for number, line in numbered(lines):
            try:
                yield number, as_row(parse(line, ""))
            except ImportFileError as error:
                yield number, RowProblem("", str(error))


def json_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    """A list in one file, read as a whole; or JSON lines under another name."""
    with opened(path) as lines:
        start = [line.strip() for _, line in islice(numbered(lines), 2)]
    if start and start[0].startswith(b"["):
        found = _whole(path, seen)
        for number, row in enumerate(found if isinstance(found, list) else [], start=1):
            yield number, as_row(row)
    elif start and start[0].startswith(b"{") and not (len(start) == 2 and _is_json(start[0])):
        yield from _one_object(path, columns, seen)
    else:
        yield from line_rows(path, columns, seen)


def _one_object(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    """A file with a single object: a row, or around the rows."""
    try:
        found = _whole(path, seen)
    except ImportFileError:
        yield from line_rows(path, columns, seen)
        return
    if isinstance(found, dict) and not _is_row(found, columns):
        lists = [name for name, x in found.items() if x and isinstance(x, list)]
        hint = f" Its rows may be in {lists[0]!r:.80}: pass that list alone." if lists else ""
        raise ImportFileError(
            f"{path} holds one object with {sorted(found)!r:.200}, which is no row of a known "
            f"format: a list of rows is expected, [{{...}}, ...], or one row in each line.{hint}"
        )
    yield 1, as_row(found)


def _is_row(found: Row, columns: Mapping[str, str]) -> bool:
    row = renamed(found, columns)
    return isinstance(row, RowProblem) or formats.detect(row) is not None


def _whole(path: Path, seen: Seen) -> object:
    with opened(path, seen) as lines:
        return parse(b"".join(lines), str(path))


def _is_json(line: bytes) -> bool:
    try:
        parse(line, "")
    except ImportFileError:
        return False
    return True
