from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlhf_lab.store import PreferenceStore
from tests.store.exchange.helpers import empty


@pytest.fixture
def store(tmp_path) -> Iterator[PreferenceStore]:
    with empty(tmp_path / "lab.sqlite") as opened:
        yield opened
