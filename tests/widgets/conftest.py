"""Sources over real stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.comparison_state import ComparisonState
from tests.browser import compare_source
from tests.widgets.comparing import Failing


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def compared(tmp_path: Path) -> Path:
    path = tmp_path / "lab.db"
    with PreferenceStore(path) as store:
        compare_source.fill(store, 8)
    return path


@pytest.fixture
def comparisons(compared: Path) -> Iterator[Failing]:
    queue = compare_source.queue(compared)
    yield Failing(queue)
    queue._store.close()


@pytest.fixture
def comparing(comparisons: Failing) -> ComparisonState:
    return ComparisonState(comparisons)
