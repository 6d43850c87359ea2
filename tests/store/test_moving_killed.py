"""A move that is killed, at each of its steps, and given again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from rlhf_lab.errors import StoreError
from rlhf_lab.store import (
    PreferenceStore,
    audit,
    backup_lab,
    move_lab,
    moving,
    open_store,
    restore_lab,
    unfinished,
)
from rlhf_lab.store.copying import clear_rows
from rlhf_lab.store.place import NOTE
from tests.store.everything import all_rows, as_multiset, fill_with_everything
from tests.store.killed_moves import a_demonstration, judge, kill, read, refuses_writes, unmarked

# Steps of the move, by what they call, before which the old database still takes writes.
BEFORE_SEAL = ["audit_session", "seal"]


@pytest.fixture
def directory(tmp_path):
    with PreferenceStore(tmp_path / "lab" / "lab.sqlite") as store:
        fill_with_everything(store)
    return tmp_path / "lab"


@pytest.fixture(params=["sqlite", "url", pytest.param("postgresql", marks=pytest.mark.postgres)])
def target(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return "sqlite" if request.param == "sqlite" else f"sqlite:///{tmp_path / 'other.sqlite'}"


@pytest.mark.parametrize("step", BEFORE_SEAL)
def test_before_the_seal_the_lab_goes_on_where_it_was_and_moves_with_what_came_since(
    directory, target, step
):
    kill(directory, target, before=step)
    assert not (directory / NOTE).exists()
    judge(directory, "since")
    before = read(directory)

    report = move_lab(directory, target)
    assert report.audit.ok
    assert report.rows == sum(map(len, before.values()))
    assert (directory / NOTE).exists()
    assert read(directory) == before
    refuses_writes(directory, directory / "lab.sqlite")
    judge(directory, "afterwards")  # as numbered on from the copy
    with open_store(directory) as store:
        assert audit(store).ok


def test_after_the_seal_nobody_writes_until_the_move_given_again_has_noted_the_place(
    directory, target
):
    before = read(directory)
    kill(directory, target, before="note_place")
    assert not (directory / NOTE).exists()
    with pytest.raises(StoreError, match=r"has moved.* give the same rlhf-lab move again"):
        judge(directory, "between")
    assert read(directory) == before

    report = move_lab(directory, target)
    assert report.rows == sum(map(len, before.values()))
    assert read(directory) == before
    refuses_writes(directory, directory / "lab.sqlite")
    judge(directory, "afterwards")


def test_a_copy_that_is_lost_before_the_lab_used_it_is_made_again(directory, tmp_path):
    before = read(directory)
    place = tmp_path / "other.sqlite"
    kill(directory, f"sqlite:///{place}", before="note_place")
    place.unlink()
    for step in ("seal", "note_place"):
        kill(directory, f"sqlite:///{place}", before=step)
    with pytest.raises(StoreError, match="has moved"):
        judge(directory, "between")
    with pytest.raises(StoreError, match=r"was moved to .*other\.sqlite already"):
        move_lab(directory, "sqlite")
    move_lab(directory, f"sqlite:///{place}")
    assert read(directory) == before
    judge(directory, "afterwards")


def test_a_backup_made_in_between_is_restored_to_go_on_with(directory, tmp_path):
    before = read(directory)
    kill(directory, "sqlite", before="note_place")
    with open_store(directory) as store:
        backup_lab(store, directory, tmp_path / "lab.tar")
    assert restore_lab(tmp_path / "lab.tar", tmp_path / "again").audit.ok
    assert read(tmp_path / "again") == before
    judge(tmp_path / "again", "afterwards")


def test_a_mark_that_was_left_is_in_no_backup(directory, target, tmp_path):
    before = read(directory)
    kill(directory, target, before="_finish")
    with open_store(directory) as store:
        assert unfinished.SETTING in [row[0] for row in all_rows(store)["settings"]]
        backup_lab(store, directory, tmp_path / "lab.tar")
    restore_lab(tmp_path / "lab.tar", tmp_path / "again")
    assert read(tmp_path / "again") == before


@pytest.mark.postgres
def test_a_move_to_a_server_is_given_again_without_the_password(directory, postgres_url):
    """A URL that had one named the same place."""
    before = read(directory)
    server, _, name = postgres_url.rpartition("@")
    for with_password in (f"{server}:secret@{name}", f"{postgres_url}?password=secret"):
        kill(directory, with_password, before="note_place")
        with pytest.raises(StoreError, match="has moved, its data is now in") as refused:
            judge(directory, "between")
        assert f"{postgres_url}." in str(refused.value)
        with PreferenceStore(with_password) as store:
            assert "secret" not in store.database.where
        with PreferenceStore(postgres_url) as store, store.database.write() as copy:
            clear_rows(copy)  # lost before the lab used it
    assert move_lab(directory, postgres_url).target == postgres_url
    assert read(directory) == before


def test_after_the_note_the_move_is_done(directory, target):
    before = read(directory)
    kill(directory, target, before="_finish")
    assert unmarked(read(directory)) == before
    refuses_writes(directory, directory / "lab.sqlite")
    judge(directory, "afterwards")
    with open_store(directory) as store:
        assert audit(store).ok


def test_two_files_are_enough_for_a_move_that_was_killed(directory):
    for step in ("seal", "seal", "note_place"):
        kill(directory, "sqlite", before=step)
    move_lab(directory, "sqlite")
    assert sorted(f.name for f in directory.glob("*.sqlite")) == ["lab-2.sqlite", "lab.sqlite"]


@pytest.mark.parametrize("step", ["_move", "_copied", "copy_rows"])
def test_a_file_in_which_nothing_was_copied_yet_is_taken_by_the_next_move(directory, step):
    if step == "_move":  # killed while the file was made
        (directory / "lab-2.sqlite").touch()
    else:
        kill(directory, "sqlite", before=step)
    assert (directory / "lab-2.sqlite").exists()
    move_lab(directory, "sqlite")
    assert (directory / NOTE).read_text() == "lab-2.sqlite\n"
    assert sorted(f.name for f in directory.glob("*.sqlite")) == ["lab-2.sqlite", "lab.sqlite"]


def test_a_lab_in_which_there_is_nothing_moves_and_is_kept(tmp_path):
    directory = tmp_path / "lab"
    PreferenceStore(directory / "lab.sqlite").close()
    for name in ("lab-2.sqlite", "lab-3.sqlite"):  # neither itself nor what it was moved out of
        move_lab(directory, "sqlite")
        assert (directory / NOTE).read_text() == f"{name}\n"
    refuses = pytest.raises(StoreError, match="has moved")
    for name in ("lab.sqlite", "lab-2.sqlite"):
        with PreferenceStore(directory / name) as old, refuses:
            old.set_setting("a", 1)


def test_a_file_with_a_row_or_of_another_program_is_not_free(tmp_path):
    place = tmp_path / "lab-2.sqlite"
    with PreferenceStore(place) as store:
        assert unfinished.holds_nothing(place)
        store.set_setting("a", 1)
    assert not unfinished.holds_nothing(place)
    place.unlink()
    with closing(sqlite3.connect(place)) as connection:
        assert unfinished.holds_nothing(place)
        connection.execute("CREATE TABLE theirs (key TEXT)")
    assert not unfinished.holds_nothing(place)
    place.write_text("notes" * 100)
    assert not unfinished.holds_nothing(place)


def test_a_copy_of_another_lab_is_not_replaced(directory, tmp_path):
    place = tmp_path / "other.sqlite"
    kill(directory, f"sqlite:///{place}", before="seal")
    shutil.copytree(directory, tmp_path / "twin")
    with pytest.raises(StoreError, match="already: data is copied into an empty database only"):
        move_lab(tmp_path / "twin", f"sqlite:///{place}")


def test_a_lab_that_was_moved_from_another_directory_is_not_moved_again(directory, tmp_path):
    """Two directories, as of two machines, may name one database."""
    other = tmp_path / "other"
    other.mkdir()
    (other / NOTE).write_text(f"{directory / 'lab.sqlite'}\n")
    move_lab(directory, "sqlite")
    for target in ("sqlite", f"sqlite:///{directory / 'lab-2.sqlite'}"):
        with pytest.raises(
            StoreError, match=rf"was moved to .*lab-2\.sqlite already.* place into {other / NOTE}"
        ):
            move_lab(other, target)
    refuses_writes(other, directory / "lab.sqlite")
    assert [f.name for f in other.glob("*.sqlite")] == []


@pytest.mark.parametrize("step", ["audit_session", "note_place"])
def test_a_move_given_again_that_is_interrupted_leaves_all_as_it_was_found(
    directory, target, monkeypatch, step
):
    """Its copy may have been used: whoever opened it by its name has had no error."""
    kill(directory, target, before="note_place")
    place = directory / "lab-2.sqlite" if target == "sqlite" else target
    with PreferenceStore(place) as store:
        store.add_demonstration(a_demonstration(store))
        kept = as_multiset(all_rows(store))

    def interrupted(*rest, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(moving, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        move_lab(directory, target)
    monkeypatch.undo()
    refuses_writes(directory, directory / "lab.sqlite")
    with PreferenceStore(place) as store:
        assert as_multiset(all_rows(store)) == kept

    move_lab(directory, target)
    assert unmarked(kept) == read(directory)
    judge(directory, "afterwards")


def test_a_move_given_again_whose_copy_is_damaged_says_how_to_make_another(directory, tmp_path):
    before = read(directory)
    place = tmp_path / "other.sqlite"
    kill(directory, f"sqlite:///{place}", before="note_place")
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("DROP TRIGGER judgments_no_update")
        connection.execute("UPDATE judgments SET comment = 'x' WHERE id = 's1'")
        connection.commit()
    with pytest.raises(StoreError, match=r"(?s)remove that copy and give the same move .*id 's1'"):
        move_lab(directory, f"sqlite:///{place}")
    refuses_writes(directory, directory / "lab.sqlite")
    place.unlink()
    move_lab(directory, f"sqlite:///{place}")
    assert read(directory) == before


@pytest.mark.postgres
def test_a_lab_in_postgresql_that_was_moved_from_another_directory_is_not_moved_again(
    directory, postgres_url, tmp_path
):
    move_lab(directory, postgres_url)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(directory / NOTE, other / NOTE)
    move_lab(directory, "sqlite")
    with pytest.raises(StoreError, match=r"was moved to .*lab/lab-2\.sqlite already"):
        move_lab(other, "sqlite")
    assert [f.name for f in other.glob("*.sqlite")] == []


@pytest.mark.postgres
def test_a_killed_move_back_from_postgresql_is_finished(directory, postgres_url):
    move_lab(directory, postgres_url)
    before = read(directory)
    for step in ("seal", "note_place"):
        kill(directory, "sqlite", before=step)
    with pytest.raises(StoreError, match="has moved"):
        judge(directory, "between")
    move_lab(directory, "sqlite")
    assert (directory / NOTE).read_text() == "lab-2.sqlite\n"
    assert read(directory) == before
    judge(directory, "afterwards")
    with PreferenceStore(postgres_url) as old, pytest.raises(StoreError, match="has moved"):
        old.set_setting("a", 1)


def test_a_file_that_is_something_else_is_no_copy_left_by_a_move(tmp_path):
    place = tmp_path / "lab-2.sqlite"
    place.write_text("notes" * 100)
    assert not unfinished.is_left_in(place, "sqlite:///x")
    place.unlink()
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("CREATE TABLE settings (key TEXT, value TEXT)")
        values = [unfinished.SETTING, json.dumps(["x"])]
        connection.execute("INSERT INTO settings VALUES (?, ?)", values)
        connection.commit()
    assert not unfinished.is_left_in(place, "sqlite:///x")
