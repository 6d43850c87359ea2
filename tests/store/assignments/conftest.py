from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from tests.store.assignments.sharing import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Path | str, clock: Clock) -> Iterator[PreferenceStore]:
    with PreferenceStore(database, clock=clock) as opened:
        yield opened
