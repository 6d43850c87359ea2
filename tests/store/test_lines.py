"""Where versions come from, and what they are measured from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.errors import UnknownVersion
from rlhf_lab.store import PreferenceStore, baseline_of, line_of, start_of
from rlhf_lab.types import Version


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        yield store


@pytest.fixture
def store(empty: PreferenceStore) -> PreferenceStore:
    """0 - 1 (fine-tuned) - 2 - 3 (fine-tuned) - 4, and 5 beside from 0."""
    parents = {0: None, 1: 0, 2: 1, 3: 2, 4: 3, 5: 0}
    for number, parent in parents.items():
        empty.add_version(
            Version(
                name=f"policy@{number}",
                parent=None if parent is None else f"policy@{parent}",
                path=f"p{number}",
                metrics={"demonstrations": 8.0} if number in (1, 3) else {"rankings": 4.0},
            )
        )
    empty.add_version(Version(name="reward@0", parent=None, path="r0"))
    return empty


def test_a_line_goes_up_to_the_root(store: PreferenceStore):
    assert [v.name for v in line_of(store, "policy@4")] == [f"policy@{n}" for n in (4, 3, 2, 1, 0)]
    assert [v.name for v in line_of(store, "policy@5")] == ["policy@5", "policy@0"]


@pytest.mark.parametrize(
    ("name", "start", "baseline"),
    [(0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 3, 1), (4, 3, 3), (5, 0, 0)],
)
def test_a_start_is_the_first_policy_or_a_fine_tuned_one(
    store: PreferenceStore, name: int, start: int, baseline: int
):
    assert start_of(store, f"policy@{name}").name == f"policy@{start}"
    assert baseline_of(store, f"policy@{name}") == f"policy@{baseline}"


def test_a_reward_is_no_start(store: PreferenceStore):
    assert not store.version("reward@0").is_start


def test_versions_that_are_not_there(store: PreferenceStore):
    with pytest.raises(UnknownVersion, match="policy@9"):
        start_of(store, "policy@9")


def test_a_new_lab_is_measured_from_what_its_model_will_be(empty: PreferenceStore):
    assert baseline_of(empty, "policy@0") == "policy@0"
