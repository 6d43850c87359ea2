from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from tests.evaluation.agreement.saying import Team


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with PreferenceStore(tmp_path / "lab.db") as store:
        yield Team(store)
