"""Rows of files, folders, datasets and lists, one at a time, each with where it stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhf_lab.errors import ConfigError, ImportFileError
from rlhf_lab.store.exchange.cells import from_table
from rlhf_lab.store.exchange.json_files import json_rows, line_rows
from rlhf_lab.store.exchange.plain_rows import as_row, renamed, unboxed
from rlhf_lab.store.exchange.record import Numbered, RowProblem, Seen
from rlhf_lab.store.exchange.tabular import csv_rows, parquet_rows
from rlhf_lab.types import Split, as_path

_TEXT = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz")
KNOWN_FILES = (*_TEXT, ".parquet")
_READERS = {"csv": csv_rows, "parquet": parquet_rows, "json": json_rows}


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
            yield number, row if isinstance(row, RowProblem) else renamed(row, columns)


def parts(source: object, columns: Mapping[str, str]) -> list[Part]:
    """The tables of a source.

    Raises:
        ImportFileError: a file that is not there, or of an unknown kind.
        ConfigError: not a source at all.
    """
    if isinstance(source, (str, os.PathLike)):
        return _of_path(as_path(source), columns)
    names = getattr(source, "column_names", None)
    if isinstance(names, Mapping) and isinstance(source, Mapping):
        if not source:
            raise ImportFileError("the dataset has no parts: there is nothing to import.")
        tables = {str(n): table for n, table in source.items()}
        return [_of_rows(table, f"dataset[{n!r}]", split_named(n)) for n, table in tables.items()]
    if hasattr(source, "iterrows"):
        raise ConfigError(
            f"a {type(source).__name__}: pass datasets.Dataset.from_pandas(frame), or its rows, "
            "frame.to_dict('records')."
        )
    if names is None and hasattr(source, "__array__"):
        raise ConfigError(f"a {type(source).__name__}: pass its rows as a list, array.tolist().")
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
    if os.path.isdir(path):
        tables = sorted((path / "data").glob("*.parquet")) or sorted(path.glob("*.parquet"))
        if not tables:
            raise ImportFileError(
                f"{path} is a folder without Parquet files, there or in its data/: pass a file "
                f"({', '.join(KNOWN_FILES)})."
            )
        return [_of_file(t, split_named(t.name), columns, path.name) for t in tables]
    return [_of_file(path, None, columns, "")]


def _of_file(path: Path, split: Split | None, columns: Mapping[str, str], folder: str) -> Part:
    if not os.path.lexists(path):
        raise ImportFileError(f"{path} is not there: check the path.")
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
    reader = _READERS.get(kind, line_rows)
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
        for number, row in enumerate(_readable(table) if is_table else table, start=1):
            seen(number)
            plain = as_row(row)
            if not isinstance(plain, RowProblem):
                plain = {c: from_table(c, x) if is_table else unboxed(x) for c, x in plain.items()}
            yield number, plain

    size = len(table) if isinstance(table, Sized) else 0
    return Part(name=name, place=name, split=split, size=size, unit="rows", read=read)


def _readable(table: Iterable[Any]) -> Iterator[Any]:
    """The rows of a dataset; columns of Arrow can hold times that Python cannot."""
    number = 0
    try:
        for number, row in enumerate(table, start=1):  # noqa: B007  (named below)
            yield row
    except (ValueError, OverflowError) as error:
        raise ImportFileError(
            f"the dataset cannot be read after row {number} ({error!s:.200}): correct that value, "
            "or remove the column, dataset.remove_columns(...)."
        ) from error
