"""Writing rows to files, a batch at a time."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from rlhf_lab.errors import ConfigError
from rlhf_lab.store.exchange.cells import dump, to_cell, to_table

FILES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz", ".parquet")
_BATCH = 1000
Write = Callable[[Mapping[str, Any]], None]


def is_folder(path: Path) -> bool:
    """Whether the name asks for a folder rather than a file.

    Raises:
        ConfigError: the name of a file of an unknown kind.
    """
    if path.name.endswith(FILES):
        return False
    if path.suffix and not os.path.isdir(path):
        raise ConfigError(
            f"{path}: files are written as {', '.join(FILES)}, and a name without an ending is a "
            "folder that load_dataset reads."
        )
    return True


@contextmanager
def writer(path: Path, name: str, columns: Mapping[str, str]) -> Iterator[Write]:
    """Writes rows to a file of the kind that its name says.

    Args:
        path: Where to.
        name: What the file will be called.
        columns: Names and kinds, as formats have them.
    """
    kind = name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        with _parquet(path, columns) as write:
            yield write
        return
    with ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(path.open("wb"))
        if name.endswith(".gz"):
            # Neither name nor time: the same data gives the same file.
            raw = stack.enter_context(
                gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)  # type: ignore[arg-type]
            )
        text = stack.enter_context(io.TextIOWrapper(raw, "utf-8", newline="", write_through=False))
        yield stack.enter_context({"csv": _csv, "json": _json}.get(kind, _lines)(text, columns))


@contextmanager
def _lines(file: IO[str], columns: Mapping[str, str]) -> Iterator[Write]:
    def write(row: Mapping[str, Any]) -> None:
        try:
            file.write(_encode(row) + "\n")
        except UnicodeEncodeError:
            file.write(dump(row) + "\n")

    yield write


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


@contextmanager
def _json(file: IO[str], columns: Mapping[str, str]) -> Iterator[Write]:
    start = "["

    def write(row: Mapping[str, Any]) -> None:
        nonlocal start
        file.write(f"{start}\n{dump(row)}")
        start = ","

    yield write
    file.write("\n]\n" if start == "," else "[]\n")


@contextmanager
def _csv(file: IO[str], columns: Mapping[str, str]) -> Iterator[Write]:
    table = csv.writer(file, lineterminator="\r\n")
    table.writerow(columns)

    def write(row: Mapping[str, Any]) -> None:
        table.writerow([to_cell(kind, row[name]) for name, kind in columns.items()])

    yield write


@contextmanager
def _parquet(path: Path, columns: Mapping[str, str]) -> Iterator[Write]:
    import pyarrow.parquet as pq

    held: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, arrow_schema(columns)) as file:

        def write(row: Mapping[str, Any]) -> None:
            held.append(table_row(row, columns))
            if len(held) == _BATCH:
                flush()

        def flush() -> None:
            file.write_table(arrow_table(held, columns))
            held.clear()

        yield write
        flush()


def table_row(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """A row as Arrow columns hold it."""
    return {name: to_table(kind, row[name]) for name, kind in columns.items()}


def arrow_table(held: list[dict[str, Any]], columns: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Rows as a `pyarrow.Table`; the same columns whatever is null in them."""
    import pyarrow as pa

    return pa.Table.from_pylist(held, schema=arrow_schema(columns))


def arrow_schema(columns: Mapping[str, str]) -> Any:  # noqa: ANN401
    """The `pyarrow.Schema` of columns."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    kinds = {
        "text": text,
        "json": text,
        "int": number,
        "float": pa.float64(),
        "bool": pa.bool_(),
        "texts": pa.list_(text),
        "tiers": pa.list_(pa.list_(number)),
        "messages": pa.list_(pa.struct([("role", text), ("content", text)])),
        "responses": pa.list_(
            pa.struct([("text", text), ("source", text), ("id", text), ("ratings", text)])
        ),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
