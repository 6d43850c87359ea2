"""A copy that a move left and somebody used since: nothing in it is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rlhf_lab.errors import StoreError
from rlhf_lab.store import AssignmentPlan, PreferenceStore, move_lab, moving, open_store
from rlhf_lab.types import Version
from tests.store.everything import all_rows, fill_with_everything
from tests.store.helpers import NOON, fill, prompt, ranking, response, undo
from tests.store.killed_moves import a_demonstration, judge, kill, read


@pytest.fixture
def directory(tmp_path):
    with PreferenceStore(tmp_path / "lab" / "lab.sqlite") as store:
        fill_with_everything(store)
    return tmp_path / "lab"


@pytest.mark.parametrize(
    ("add", "holds"),
    [
        (lambda s: s.submit(ranking("theirs", s.prompts()[1], annotator="dee")),
         r"number 7 of its judgments \('theirs'\)"),
        (lambda s: s.add_demonstration(a_demonstration(s)),
         r"number 3 of its demonstrations \('theirs'\)"),
        (lambda s: s.add_prompts([prompt("theirs")]), r"number 5 of its prompts \('[0-9a-f]+'\)"),
        (lambda s: s.add_responses([response(s.prompts()[0], 9)]),
         r"number 10 of its responses \('one-9'\)"),
        (lambda s: s.add_version(Version(name="reward@1", parent=None, path="checkpoints/r")),
         r"number 4 of its versions \('reward@1'\)"),
        (lambda s: s.log_metrics("ppo", "policy@1", 4, {"kl": 0.1}), "number 2 of its metrics"),
    ],
    ids=["judgment", "demonstration", "prompt", "response", "version", "figures"],
)  # fmt: skip
def test_a_copy_that_was_used_since_is_not_replaced(directory, tmp_path, add, holds):
    """Although a mark was left on it: what was added would be gone."""
    place = tmp_path / "other.sqlite"
    kill(directory, f"sqlite:///{place}", before="seal")
    with PreferenceStore(place) as store:
        add(store)
        kept = all_rows(store)
    with pytest.raises(
        StoreError,
        match=rf"was used since: it holds {holds}, which .*lab\.sqlite does not\. .*Name",
    ):
        move_lab(directory, f"sqlite:///{place}")
    with PreferenceStore(place) as store:
        assert all_rows(store) == kept
    judge(directory, "since")


@pytest.mark.postgres
def test_a_copy_in_postgresql_that_was_used_since_is_not_replaced(directory, postgres_url):
    kill(directory, postgres_url, before="seal")
    with PreferenceStore(postgres_url) as store:
        store.add_demonstration(a_demonstration(store))
        kept = all_rows(store)
    with pytest.raises(StoreError, match="it holds number 3 of its demonstrations"):
        move_lab(directory, postgres_url)
    with PreferenceStore(postgres_url) as store:
        assert all_rows(store) == kept


def test_the_same_number_with_something_else_is_not_replaced(directory, tmp_path):
    """Both go on counting from where the copy was made."""
    place = tmp_path / "other.sqlite"
    kill(directory, f"sqlite:///{place}", before="seal")
    with PreferenceStore(place) as store:
        store.add_demonstration(a_demonstration(store))
    with open_store(directory) as store:
        for name in ("mine", "mine too"):
            store.add_demonstration(a_demonstration(store, name))
    with pytest.raises(StoreError, match="it holds number 3 of its demonstrations"):
        move_lab(directory, f"sqlite:///{place}")


def test_leases_and_corrections_in_the_lab_do_not_make_its_copy_one_that_was_used(tmp_path):
    """Rows of both go again: the last of the copy's is not in the lab then."""
    directory, now = tmp_path / "lab", [NOON]
    with PreferenceStore(directory / "lab.sqlite", clock=lambda: now[0]) as store:
        one, two = fill(store, "one", "two")
        store.assignments.offer()
        store.assignments.plan = AssignmentPlan(overlap=1, lease_seconds=60)
        said = ranking("r1", one, annotator="bob")
        store.submit(said)
        assert store.assignments.next_item("ann").prompt == two
    kill(directory, "sqlite", before="seal")
    with PreferenceStore(directory / "lab.sqlite", clock=lambda: now[0]) as store:
        now[0] += timedelta(seconds=61)
        store.submit(ranking("r2", two, annotator="dee"))
        store.submit(undo("u1", said, annotator="bob"))
        store.assignments.next_item("ann")
        lab = all_rows(store)
    with PreferenceStore(directory / "lab-2.sqlite") as store:
        copy = all_rows(store)
    for table in ("assignments", "active_judgments"):
        assert copy[table][-1][0] not in [row[0] for row in lab[table]]
    before = read(directory)
    move_lab(directory, "sqlite")
    assert read(directory) == before


def test_a_move_that_fails_keeps_a_copy_that_somebody_used_meanwhile(directory, monkeypatch):
    place = directory / "lab-2.sqlite"

    def used_and_full(*rest):
        with PreferenceStore(place) as store:
            store.add_demonstration(a_demonstration(store))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(moving, "note_place", used_and_full)
    with pytest.raises(OSError, match="No space"):
        move_lab(directory, "sqlite")
    monkeypatch.undo()
    judge(directory, "since")
    with PreferenceStore(place) as store:
        assert [one.id for one in store.demonstrations()][-1] == "theirs"
