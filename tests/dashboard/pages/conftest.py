"""A lab with accounts and jobs, and the page of somebody in it; no server and no model."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rlhf_lab.dashboard.access import Actor, Role
from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.dashboard.accounts.passwords import Passwords
from rlhf_lab.dashboard.context import Context
from rlhf_lab.lab import Lab
from rlhf_lab.store.jobs import Jobs

PASSWORD = "nine blue herons wade"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab", progress=False) as opened:
        yield opened


@pytest.fixture
def jobs(lab: Lab) -> Jobs:
    return lab.store.jobs


@pytest.fixture
def accounts(lab: Lab) -> Accounts:
    quick = Passwords(time_cost=1, memory_cost=64)
    made = Accounts(lab.store.database, passwords=quick)
    made.redeem(made.invite_admin(), PASSWORD, name="root")
    return made


@pytest.fixture
def context_of(lab: Lab, jobs: Jobs, accounts: Accounts) -> Callable[[str, Role], Context]:
    """Signs somebody in whose account is made; their page's context."""

    def sign_in(name: str, role: Role) -> Context:
        accounts.redeem(accounts.invite(name, role, "root"), PASSWORD)
        secret = accounts.sign_in(name, PASSWORD, "127.0.0.1")
        sign_in = accounts.signed_in(secret)
        assert sign_in is not None
        actor = Actor(accounts, sign_in.id)
        return Context(
            lab=lab, actor=actor, jobs=jobs, accounts=accounts, base_url="http://lab.example"
        )

    return sign_in


@pytest.fixture
def context(context_of: Callable[[str, Role], Context]) -> Context:
    return context_of("ada", "researcher")
