from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "lab.db"


@pytest.fixture
def store(database: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(database) as opened:
        yield opened
