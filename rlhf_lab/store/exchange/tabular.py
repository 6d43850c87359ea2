"""Rows of tables: CSV and Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rlhf_lab.errors import ImportFileError
from rlhf_lab.store.exchange.cells import from_cell, from_table
from rlhf_lab.store.exchange.record import Numbered, Row, RowProblem, Seen
from rlhf_lab.store.text_lines import opened

_BATCH = 1000
_NO_TEXT = re.compile("[\udc80-\udcff]")
_QUOTES = "quote cells that hold quotes, and double the quotes in them"


def csv_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    """Rows under a header; cells that are not UTF-8 are noticed where they stand."""
    names = {column: name for name, column in columns.items()}
    with (
        opened(path, seen) as lines,
        _no_cell_too_long(),
        closing(_decoded(lines)) as decoded,
    ):
        table = csv.reader(decoded, strict=True)
        header: list[str] | None = None
        while True:
            line = table.line_num + 1
            try:
                cells = next(table, None)
            except csv.Error as error:
                what = f"not CSV ({error}{_up_to(table.line_num, line)})"
                if header is None or "unexpected end" in str(error):
                    raise ImportFileError(f"{path}: line {line}: {what}: {_QUOTES}") from error
                yield line, RowProblem("", f"{what}: {_QUOTES}")
                continue
            if cells is None:
                return
            if not cells:
                continue
            if header is None:
                header = _header(cells, path)
                continue
            yield line, _csv_row(header, names, cells)


def _up_to(last: int, line: int) -> str:
    """What a quote that is open has swallowed."""
    return f", read up to line {last}" if last > line else ""


def _decoded(lines: Iterator[bytes]) -> Generator[str, None, None]:
    for line in lines:
        yield line.decode("utf-8", "surrogateescape")


def _header(cells: list[str], path: Path) -> list[str]:
    if _NO_TEXT.search("".join(cells)):
        raise ImportFileError(f"{path}:1: the header is not UTF-8. Save the file as UTF-8.")
    if not any(cells):
        raise ImportFileError(
            f"{path}:1: the header {cells!r:.200} names no column: the first row has the names."
        )
    refuse_twice([c for c in cells if c], f"{path}:1: the header")
    return cells


def refuse_twice(names: Sequence[str], what: str) -> None:
    """Refuse a table with two columns of one name: nobody can tell which one counts."""
    twice = sorted({c for c in names if names.count(c) > 1})
    if twice:
        raise ImportFileError(f"{what} names {twice!r:.200} twice: name each column once.")


def _csv_row(header: list[str], names: Mapping[str, str], cells: list[str]) -> Row | RowProblem:
    if len(cells) != len(header):
        return RowProblem("", f"{len(cells)} cells under {len(header)} columns: one for each")
    for column, cell in zip(header, cells, strict=True):
        if _NO_TEXT.search(cell):
            return RowProblem(column, f"{cell!r:.80}: not UTF-8. Save the file as UTF-8")
    # Columns without a name are what spreadsheets leave at the edge.
    named = ((c, x) for c, x in zip(header, cells, strict=True) if c)
    return {c: from_cell(names.get(c, c), x) for c, x in named}


@contextmanager
def _no_cell_too_long() -> Iterator[None]:
    """The csv module refuses long cells unless told otherwise, for the whole process."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def parquet_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    """Rows of a file; values that Python has no form for are noticed where they stand."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            refuse_twice(file.schema_arrow.names, f"{path}: the table")
            size, total = path.stat().st_size, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in _rows_of(batch):
                    number += 1
                    seen(size * number // total)
                    yield number, row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ImportFileError(
            f"{path}: row {number + 1} cannot be read as Parquet ({error!s:.200}): check that the "
            "file is there and complete."
        ) from error


def _rows_of(batch: Any) -> Iterator[Row | RowProblem]:  # noqa: ANN401  (a RecordBatch)
    try:
        found = batch.to_pylist()
    except (ValueError, OverflowError):
        yield from (_row_of(batch, n) for n in range(batch.num_rows))
        return
    yield from ({c: from_table(c, x) for c, x in row.items()} for row in found)


def _row_of(batch: Any, number: int) -> Row | RowProblem:  # noqa: ANN401  (a RecordBatch)
    row = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = from_table(name, column[number].as_py())
        except (ValueError, OverflowError) as error:
            reason = f"cannot be read ({error!s:.200}): correct it, or leave the column out"
            return RowProblem(name, reason)
    return row
