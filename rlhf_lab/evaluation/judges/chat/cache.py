"""What an endpoint answered, kept so that it is asked and paid once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from rlhf_lab.errors import StoreError
from rlhf_lab.evaluation.judges.chat.endpoint import Reply

_TABLE = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    is_cut INTEGER NOT NULL,
    is_estimated INTEGER NOT NULL
)
"""
# How long another process may be writing.
_PATIENCE = 30.0


class Replies(Protocol):
    """Where replies are kept."""

    def get(self, key: str) -> Reply | None:
        """The reply under a key; None where there is none."""

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; the first one under a key stays."""


def reply_key(*parts: object) -> str:
    """A name for everything that a reply depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class MemoryReplies:
    """Replies of this process."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}

    def get(self, key: str) -> Reply | None:
        """The reply under a key; None where there is none."""
        return self._replies.get(key)

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; the first one under a key stays."""
        self._replies.setdefault(key, reply)


class StoredReplies:
    """Replies in an SQLite file, each on disk when `put` returns.

    A reply is written whole or not at all, so a process may be killed at any moment; any number of
    threads and processes may use the same file. It holds what the judge said, which may quote the
    texts, and digests in the place of what it was asked.

    Raises:
        StoreError: the file cannot be read or written, or is something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        with self._connected() as database:
            database.execute(_TABLE)

    def get(self, key: str) -> Reply | None:
        """The reply under a key; None where there is none."""
        columns = "text, input_tokens, output_tokens, is_cut, is_estimated"
        with self._connected() as database:
            row = database.execute(f"SELECT {columns} FROM replies WHERE key = ?", [key]).fetchone()
        return row and Reply(row[0], row[1], row[2], bool(row[3]), bool(row[4]))

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; the first one under a key stays."""
        with self._connected() as database:
            database.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?)", [key, *reply]
            )

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one statement: threads and processes then need nothing of each other."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE)) as database, database:
                yield database
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(
            f"{self._path} cannot be used to keep a judge's answers ({error}): name another file "
            "with cache=, or remove this one."
        )
