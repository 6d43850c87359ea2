"""One server for all tests of it: a lab with something to rank, and people to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from rlhf_lab.dashboard.access import Role
from rlhf_lab.dashboard.accounts import Account
from rlhf_lab.lab import Lab
from tests.dashboard.helpers import PASSWORD, Client, Served, served
from tests.store.helpers import prompt, response

Person = Callable[[Role], Account]
_number = count(1)


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with three prompts, each with two answers to rank."""
    folder = tmp_path_factory.mktemp("dashboard") / "lab"
    with Lab(folder, progress=False) as lab:
        prompts = [prompt(text) for text in ("tea", "rain", "bread")]
        lab.store.add_prompts(prompts)
        lab.store.add_responses([response(one, number) for one in prompts for number in (0, 1)])
    return folder


@pytest.fixture(scope="session")
def server(lab_folder: Path) -> Iterator[Served]:
    """It runs without a worker: what needs a model has tests of its own."""
    with served(lab_folder, "--no-worker", "--trusted-proxy=127.0.0.1") as running:
        yield running


@pytest.fixture(scope="session")
def admin(server: Served) -> Account:
    """Who invites the others."""
    return server.accounts.redeem(server.accounts.invite_admin(), PASSWORD, name="Root")


@pytest.fixture
def person(server: Served, admin: Account) -> Person:
    """Makes accounts that no other test has."""

    def make(role: Role) -> Account:
        token = server.accounts.invite(f"{role} {next(_number)}", role, admin.name)
        return server.accounts.redeem(token, PASSWORD)

    return make


@pytest.fixture(scope="session")
def clients(server: Served, admin: Account) -> dict[Role, Client]:
    """A signed-in browser for each role; read with them, and let their accounts be."""
    found: dict[Role, Client] = {"admin": server.signed_in(admin)}
    for role in ("annotator", "researcher"):
        token = server.accounts.invite(f"some {role}", role, admin.name)
        found[role] = server.signed_in(server.accounts.redeem(token, PASSWORD))
    return found
