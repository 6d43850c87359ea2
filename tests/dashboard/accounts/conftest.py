from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.database import Database
from tests.dashboard.helpers import PASSWORD, QUICK
from tests.store.helpers import NOON


class Clock:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def team(tmp_path_factory) -> Path:
    """A lab in which ada is admin, rosa and ron are researchers, and ann annotates."""
    file = tmp_path_factory.mktemp("team") / "lab.db"
    with PreferenceStore(file) as store:
        made = Accounts(store.database, Clock(), passwords=QUICK)
        made.redeem(made.invite_admin(), PASSWORD, name="ada")
        for name, role in (("rosa", "researcher"), ("ron", "researcher"), ("ann", "annotator")):
            made.redeem(made.invite(name, role, "ada"), PASSWORD)
    return file


@pytest.fixture
def accounts(team, tmp_path, clock) -> Iterator[Accounts]:
    """A copy of that lab's accounts."""
    database = Database(shutil.copy(team, tmp_path / "lab.db"))
    yield Accounts(database, clock, passwords=QUICK)
    database.close()
