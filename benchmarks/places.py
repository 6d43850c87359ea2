"""Databases to fill and throw away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def place(database: str) -> Iterator[Path | str]:
    """Where a lab can be made; gone afterwards if it was made for this.

    Args:
        database: "sqlite" for a file, "postgres" for a server of its own, or a file or URL to use.
    """
    if database == "sqlite":
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            yield Path(folder) / "lab.db"
    elif database == "postgres":
        from tests.postgres import new_database, running_server

        with running_server() as server:
            yield new_database(server)
    elif "://" in database:
        yield database
    else:
        yield Path(database)
