from __future__ import annotations

import sqlite3

import pytest
from typer.testing import CliRunner

from rlhf_lab.errors import LabInUse, StoreError
from rlhf_lab.store import PreferenceStore, TrainingLock, audit, move_lab, moving, open_store
from rlhf_lab.store.place import NOTE
from rlhf_lab.types import Judgment
from tests.store.everything import all_rows, as_multiset, fill_with_everything
from tests.store.helpers import NOON, fill, ranking

pytestmark = pytest.mark.postgres


@pytest.fixture
def directory(tmp_path):
    with PreferenceStore(tmp_path / "lab" / "lab.sqlite") as store:
        fill_with_everything(store)
    return tmp_path / "lab"


def test_a_lab_moves_to_postgresql_and_back_row_by_row(directory, postgres_url):
    with open_store(directory) as store:
        before, head = as_multiset(all_rows(store)), store.chain_head()
    assert all(before.values())  # every table has rows

    report = move_lab(directory, postgres_url, progress=True)
    assert report.audit.ok
    assert report.rows == sum(map(len, before.values()))
    assert "lab.sqlite is as it was, for reading only" in str(report)
    with open_store(directory) as store:
        assert not store.database.is_sqlite
        assert as_multiset(all_rows(store)) == before
        # Numbers go on behind those that were copied.
        store.submit(ranking("r9", store.prompts()[1], annotator="dee"))
        assert store.chain_head().startswith("7:")
        assert audit(store, expected=head).ok
        moved = as_multiset(all_rows(store))

    report = move_lab(directory, "sqlite")
    assert report.target == str(directory / "lab-2.sqlite")
    assert (directory / NOTE).read_text() == "lab-2.sqlite\n"
    with open_store(directory) as store:
        assert store.database.is_sqlite
        assert as_multiset(all_rows(store)) == moved
        store.submit(ranking("r10", store.prompts()[1], annotator="eli"))
        assert audit(store, expected=head).ok


def test_the_old_database_is_kept_and_takes_no_more_writes(directory, postgres_url):
    with open_store(directory) as still_open:
        before = all_rows(still_open)
        move_lab(directory, postgres_url)
        assert all_rows(still_open) == before
        one = still_open.prompts()[0]
        late = ranking("late", one, annotator="dee")
        with pytest.raises(StoreError, match=r"has moved, its data is now in .*Close this lab and"):
            still_open.submit(late)
        with pytest.raises(StoreError, match="has moved"):
            still_open.assignments.next_item("dee")
        with pytest.raises(StoreError, match="has moved"):
            still_open.set_setting("head.policy", "policy@0")
        assert all_rows(still_open) == before
    with open_store(directory) as store:
        assert store.submit(late)
        move_lab(directory, "sqlite")
        with pytest.raises(StoreError, match="has moved"):
            store.submit(ranking("later", one, annotator="eli"))


def test_a_database_that_holds_something_is_refused(directory, postgres_url):
    with PreferenceStore(postgres_url) as other:
        fill(other, "theirs")
    with pytest.raises(StoreError, match=r"holds 1 prompts already.*Name a new one"):
        move_lab(directory, postgres_url)
    with open_store(directory) as store:
        assert store.database.is_sqlite
        assert store.submit(ranking("r9", store.prompts()[1], annotator="dee"))
    with PreferenceStore(postgres_url) as other:
        assert len(other.prompts()) == 1


def test_a_lab_that_does_not_pass_an_audit_stays_where_it_is(directory, postgres_url):
    raw = sqlite3.connect(directory / "lab.sqlite", isolation_level=None)
    raw.execute("DROP TRIGGER judgments_no_update")
    raw.execute("UPDATE judgments SET comment = 'x' WHERE id = 's1'")
    raw.close()
    with pytest.raises(StoreError, match=r"(?s)stays in .*lab.sqlite.*id 's1'.*does not follow"):
        move_lab(directory, postgres_url)
    with PreferenceStore(postgres_url) as target:
        assert target.prompts() == []
    with open_store(directory) as store:
        assert store.database.is_sqlite


def test_a_move_that_fails_leaves_nothing_new_and_the_lab_usable(
    directory, postgres_url, monkeypatch
):
    move_lab(directory, postgres_url)

    def full(*rest):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(moving, "note_place", full)
    with pytest.raises(OSError, match="No space"):
        move_lab(directory, "sqlite")
    monkeypatch.undo()
    assert not list(directory.glob("lab-2*"))
    with open_store(directory) as store:
        assert not store.database.is_sqlite
        assert store.submit(ranking("r9", store.prompts()[1], annotator="dee"))


def test_a_lab_does_not_move_while_something_trains_in_it(directory, postgres_url):
    with TrainingLock(directory, purpose="PPO"), pytest.raises(LabInUse, match="for PPO"):
        move_lab(directory, postgres_url)


def test_a_lab_does_not_move_to_where_it_is(directory):
    with pytest.raises(StoreError, match="is where the lab is: name another database"):
        move_lab(directory, f"sqlite:///{directory / 'lab.sqlite'}")


def test_what_is_said_while_it_moves_waits_and_is_refused_or_kept(directory, postgres_url):
    """Nobody is told that something was stored which the lab then does not have."""
    from threading import Event, Thread

    done, kept = Event(), []

    def judge():
        with open_store(directory) as store:
            for n, one in enumerate(store.prompts() * 50):
                if done.is_set():
                    return
                judgment = Judgment(
                    id=f"live{n}", prompt_id=one.id, annotator=f"a{n}", kind="skip", created_at=NOON
                )
                try:
                    store.submit(judgment)
                except StoreError:
                    return
                kept.append(judgment.id)

    thread = Thread(target=judge)
    thread.start()
    while not kept:
        thread.join(0.01)
    move_lab(directory, postgres_url)
    done.set()
    thread.join()
    with open_store(directory) as store:
        everything = store.judgments(kinds=("skip",), include_superseded=True)
        assert {judgment.id for judgment in everything} >= set(kept)
        assert audit(store).ok


def test_the_command_line_moves_a_lab(directory, postgres_url):
    from rlhf_lab.cli import app

    done = CliRunner().invoke(app, ["move", str(directory), postgres_url])
    assert done.exit_code == 0, done.output
    assert "rows are now in" in done.output
    again = CliRunner().invoke(app, ["move", str(directory), postgres_url])
    assert again.exit_code == 1
    assert "is where the lab is" in " ".join(again.output.split())
