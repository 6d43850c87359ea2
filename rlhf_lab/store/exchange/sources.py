"""Rows of files, folders, datasets and lists, one at a time, each with where it stands."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhf_lab.errors import ConfigError, ImportFileError
from rlhf_lab.store.exchange.cells import from_cell, from_table
from rlhf_lab.store.exchange.record import Row, RowProblem
from rlhf_lab.store.text_lines import numbered, opened, parse
from rlhf_lab.types import Message, Prompt, Split

# A row, or why there is none, after the number of its line.
Numbered = tuple[int, Row | RowProblem]
Seen = Callable[[int], object]
_TEXT = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz")
KNOWN_FILES = (*_TEXT, ".parquet")
_BATCH = 1000
_NO_TEXT = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One table of a source.

    Attributes:
        name: What ids of judgments and the sources of prompts come from.
        place: For people.
        split: Where all of its prompts go; None where the source does not say.
        size: In what its reader counts: bytes or rows.
    """

    name: str
    place: str
    split: Split | None
    size: int
    unit: str
    read: Callable[[Seen], Iterator[Numbered]]

    def rows(self, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
        """All rows, with columns renamed.

        Args:
            columns: What a column is called in the source, by the name that formats know.
            seen: Called with how much of `size` has been read.
        """
        for number, row in self.read(seen):
            yield number, row if isinstance(row, RowProblem) else _renamed(row, columns)


def parts(source: object, columns: Mapping[str, str]) -> list[Part]:
    """The tables of a source.

    Raises:
        ImportFileError: a file that is not there, or of an unknown kind.
        ConfigError: not a source at all.
    """
    if isinstance(source, (str, Path)):
        return _of_path(Path(source).expanduser(), columns)
    names = getattr(source, "column_names", None)
    if isinstance(names, Mapping) and isinstance(source, Mapping):
        return [_of_rows(table, f"dataset[{n!r}]", split_named(n)) for n, table in source.items()]
    if hasattr(source, "iterrows"):
        raise ConfigError(
            f"a {type(source).__name__}: pass datasets.Dataset.from_pandas(frame), or its rows, "
            "frame.to_dict('records')."
        )
    if isinstance(source, (Mapping, bytes)) or not isinstance(source, Iterable):
        raise ConfigError(
            f"{source!r:.80} ({type(source).__name__}) cannot be imported: pass the path of a "
            f"file ({', '.join(KNOWN_FILES)}), a datasets.Dataset, or a list of rows."
        )
    return [_of_rows(source, "dataset" if names is not None else "list", None)]


def split_named(name: str) -> Split | None:
    """The split that a part of a dataset is, by its name."""
    if name.startswith("train"):
        return "train"
    return "heldout" if name.startswith(("test", "val", "eval", "dev", "heldout")) else None


def _of_path(path: Path, columns: Mapping[str, str]) -> list[Part]:
    if path.is_dir():
        tables = sorted((path / "data").glob("*.parquet")) or sorted(path.glob("*.parquet"))
        if not tables:
            raise ImportFileError(
                f"{path} is a folder without Parquet files, there or in its data/: pass a file "
                f"({', '.join(KNOWN_FILES)})."
            )
        return [_of_file(t, split_named(t.name), columns, path.name) for t in tables]
    return [_of_file(path, None, columns, "")]


def _of_file(path: Path, split: Split | None, columns: Mapping[str, str], folder: str) -> Part:
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if not path.name.endswith(KNOWN_FILES):
        raise ImportFileError(
            f"{path}: only {', '.join(KNOWN_FILES)} and folders of Parquet files can be read."
        )
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ImportFileError(
            f"{path}: cannot be read ({error}): check that the file is there and complete."
        ) from error
    reader = {"csv": _csv_rows, "parquet": _parquet_rows, "json": _json_rows}.get(kind, _line_rows)
    return Part(
        name=f"{folder}/{path.name}" if folder else path.name,
        place=str(path),
        split=split,
        size=size,
        unit="B",
        read=lambda seen: reader(path, columns, seen),
    )


def _of_rows(table: Iterable[Any], name: str, split: Split | None) -> Part:
    is_table = hasattr(table, "column_names")

    def read(seen: Seen) -> Iterator[Numbered]:
        for number, row in enumerate(table, start=1):
            seen(number)
            plain = _as_row(row)
            if is_table and not isinstance(plain, RowProblem):
                plain = {c: from_table(c, x) for c, x in plain.items()}
            yield number, plain

    size = len(table) if isinstance(table, Sized) else 0
    return Part(name=name, place=name, split=split, size=size, unit="rows", read=read)


def _as_row(row: object) -> Row | RowProblem:
    if isinstance(row, Mapping):
        return row
    if isinstance(row, Prompt):
        return {
            "prompt": list(row.messages),
            "split": row.split,
            "source": row.source,
            "tags": list(row.tags),
        }
    if isinstance(row, (str, list, tuple)) and row:
        return {"prompt": [_as_message(m) for m in row] if not isinstance(row, str) else row}
    return RowProblem("", f"{row!r:.80}: a row is an object with fields")


def _as_message(value: object) -> object:
    if isinstance(value, Message):
        return {"role": value.role, "content": value.content}
    return value


def _renamed(row: Row, columns: Mapping[str, str]) -> Row | RowProblem:
    if not columns:
        return row
    for name, column in columns.items():
        if column not in row:
            return RowProblem(
                column,
                f"is missing: columns={{{name!r}: {column!r}}}, but there are {list(row)!r:.200}",
            )
    taken = set(columns.values())
    kept = {c: x for c, x in row.items() if c not in taken and c not in columns}
    return {**kept, **{name: row[column] for name, column in columns.items()}}


def _line_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    with opened(path, seen) as lines:
        for number, line in numbered(lines):
            yield number, _parsed(line)


def _parsed(line: bytes) -> Row | RowProblem:
    try:
        return _as_row(parse(line, ""))
    except ImportFileError as error:
        return RowProblem("", str(error))


def _json_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    """A list in one file, read as a whole; or JSON lines under another name."""
    with opened(path) as lines:
        first = next((line.lstrip()[:1] for line in lines if line.strip()), b"")
    if first != b"[":
        yield from _line_rows(path, columns, seen)
        return
    with opened(path, seen) as lines:
        whole = b"".join(lines)
    found = parse(whole, str(path))
    for number, row in enumerate(found if isinstance(found, list) else [], start=1):
        yield number, _as_row(row)


def _csv_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
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
                yield line, RowProblem("", f"not CSV ({error}): quote cells that hold quotes")
                continue
            if cells is None:
                return
            if not cells:
                continue
            if header is None:
                header = _header(cells, path)
                continue
            yield line, _csv_row(header, names, cells)


def _decoded(lines: Iterator[bytes]) -> Generator[str, None, None]:
    for line in lines:
        yield line.decode("utf-8", "surrogateescape")


def _header(cells: list[str], path: Path) -> list[str]:
    twice = sorted({c for c in cells if cells.count(c) > 1})
    if twice or _NO_TEXT.search("".join(cells)):
        raise ImportFileError(
            f"{path}:1: the header {cells!r:.200} names {twice} twice: name each column once."
            if twice
            else f"{path}:1: the header is not UTF-8. Save the file as UTF-8."
        )
    return cells


def _csv_row(header: list[str], names: Mapping[str, str], cells: list[str]) -> Row | RowProblem:
    if len(cells) != len(header):
        return RowProblem("", f"{len(cells)} cells under {len(header)} columns: one for each")
    for column, cell in zip(header, cells, strict=True):
        if _NO_TEXT.search(cell):
            return RowProblem(column, f"{cell!r:.80}: not UTF-8. Save the file as UTF-8")
    return {c: from_cell(names.get(c, c), x) for c, x in zip(header, cells, strict=True)}


@contextmanager
def _no_cell_too_long() -> Iterator[None]:
    """The csv module refuses long cells unless told otherwise, for the whole process."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parquet_rows(path: Path, columns: Mapping[str, str], seen: Seen) -> Iterator[Numbered]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            size, total = path.stat().st_size, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    seen(size * number // total)
                    yield number, {c: from_table(c, x) for c, x in row.items()}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ImportFileError(
            f"{path}: row {number + 1} cannot be read as Parquet ({error!s:.200}): check that the "
            "file is there and complete."
        ) from error
