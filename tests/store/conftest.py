from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore


@pytest.fixture
def store(database: Path | str) -> Iterator[PreferenceStore]:
    with PreferenceStore(database) as opened:
        yield opened


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """For tests about SQLite itself."""
    return tmp_path / "lab.db"


@pytest.fixture
def sqlite_store(sqlite_file: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(sqlite_file) as opened:
        yield opened
