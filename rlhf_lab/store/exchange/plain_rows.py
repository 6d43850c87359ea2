"""Rows under the names that formats know, whatever they came as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlhf_lab.store.exchange.record import Row, RowProblem
from rlhf_lab.types import Message, Prompt


def as_row(row: object) -> Row | RowProblem:
    """A row as formats take it: an object whose fields have names."""
    if isinstance(row, Mapping):
        for name in row:
            if not isinstance(name, str):
                kind = type(name).__name__
                return RowProblem("", f"{name!r:.80} ({kind}): the name of a field is text")
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


def unboxed(value: Any) -> Any:  # noqa: ANN401
    """What a data frame holds as arrays and numbers of NumPy, as lists and numbers of Python."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [unboxed(x) for x in value]
    if isinstance(value, dict):
        return {k: unboxed(x) for k, x in value.items()}
    return value


def _as_message(value: object) -> object:
    if isinstance(value, Message):
        return {"role": value.role, "content": value.content}
    return value


def renamed(row: Row, columns: Mapping[str, str]) -> Row | RowProblem:
    """The row with columns under the names that formats know."""
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
