"""Disks that are full, read-only or on a network, and locks that others keep for long."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import dbapi2

import pytest
from sqlalchemy import create_engine, event, text

from rlhf_lab.errors import StoreError
from rlhf_lab.store import PreferenceStore, engine
from tests.store.helpers import fill, prompt, ranking

MIB = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where this may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "rlhf-lab-test", str(place)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk of its own")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def submit_until_refused(store: PreferenceStore) -> tuple[list[str], str]:
    """Long comments until there is no room; ids that were acknowledged, and the refused one."""
    [one] = fill(store, "one")
    stored: list[str] = []

    def submit_for_ever() -> None:
        while True:
            name = f"r{len(stored)}"
            store.submit(ranking(name, one, comment=uuid.uuid4().hex * 1000))
            stored.append(name)

    with pytest.raises(StoreError, match=r"full\. Free some disk space and retry\. This call stor"):
        submit_for_ever()
    return stored, f"r{len(stored)}"


def check_full_disk(store: PreferenceStore, place: Path, make_room: Callable[[], None]) -> None:
    stored, refused = submit_until_refused(store)
    assert len(stored) >= 3
    head = store.chain_head()
    assert [j.id for j in store.judgments(include_superseded=True)] == stored
    assert [j.id for j in store.judgments()] == stored[-1:]
    with pytest.raises(StoreError, match="Free some disk space"):
        store.submit(ranking("another", prompt("one"), comment=uuid.uuid4().hex * 1000))
    assert store.chain_head() == head
    make_room()
    assert store.submit(ranking(refused, prompt("one"), supersedes=stored[-1])) is True
    store.close()
    with PreferenceStore(place) as again:
        said = again.judgments(include_superseded=True)
        assert [j.id for j in said] == [*stored, refused]
        assert [j.id for j in again.judgments()] == [refused]
        assert again.chain_head().startswith(f"{len(stored) + 1}:")
    check = sqlite3.connect(place)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_a_full_disk_is_said_and_loses_nothing(small_disk):
    store = PreferenceStore(small_disk / "lab.db")
    check_full_disk(store, store.database.url.database, lambda: remount(small_disk, "size=20m"))


def test_a_database_that_may_not_grow_is_said_and_loses_nothing(sqlite_store, sqlite_file):
    def limit(connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    limits = [60 * 4]  # pages of 4 KiB, and the tables alone take some

    def on_checkout(connection, *rest) -> None:
        limit(connection, limits[0])

    event.listen(sqlite_store.database.engine, "checkout", on_checkout)
    check_full_disk(sqlite_store, sqlite_file, lambda: limits.__setitem__(0, 2**30))


def test_no_item_is_handed_out_on_a_full_disk_and_it_is_afterwards(small_disk):
    with PreferenceStore(small_disk / "lab.db") as store:
        fill(store, "one")
        store.assignments.offer()
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096):
                pass
        asks = (store.assignments.next_item("ann") for _ in range(200))
        with pytest.raises(StoreError, match=r"full\. Free some|disk is full or failing"):
            list(asks)  # until what the log has reserved is used up
        filler.unlink()
        assert store.assignments.next_item("ann").prompt.text == "one"


def test_a_disk_that_became_read_only_is_said_and_loses_nothing(small_disk):
    place = small_disk / "lab.db"
    with PreferenceStore(place) as store:
        [one] = fill(store, "one")
        store.submit(ranking("r1", one))
    remount(small_disk, "ro")
    with pytest.raises(StoreError, match=r"Make the file and its folder writable for you"):
        PreferenceStore(place).submit(ranking("r2", one))
    with pytest.raises(StoreError, match=r"Make the file .* writable|cannot be made"):
        PreferenceStore(small_disk / "new" / "lab.db")
    with pytest.raises(StoreError, match="Make the file and its folder writable"):
        PreferenceStore(small_disk / "other.db")
    remount(small_disk, "rw")
    with PreferenceStore(place) as store:
        assert [j.id for j in store.judgments()] == ["r1"]
        assert store.submit(ranking("r2", one)) is True


# -- a network share


@contextmanager
def network_share(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQLite as on a share: no memory that processes share, locks by files alone."""
    connect = dbapi2.connect

    def on_share(place: str, *arguments, **options):
        return connect(f"file:{place}?vfs=unix-dotfile", *arguments, **{**options, "uri": True})

    with monkeypatch.context() as patch:
        patch.setattr(dbapi2, "connect", on_share)
        yield


def test_a_disk_without_a_write_ahead_log_is_said_and_loses_nothing(sqlite_file, monkeypatch):
    with network_share(monkeypatch):
        with pytest.warns(UserWarning, match=r"'delete' but not 'wal' .* Keep the lab on a local"):
            store = PreferenceStore(sqlite_file)
        with store:
            [one] = fill(store, "one")
            store.assignments.offer()
            assert store.assignments.next_item("ann").prompt == one
            assert store.submit(ranking("r1", one)) is True
            assert [j.id for j in store.judgments()] == ["r1"]
    with PreferenceStore(sqlite_file) as local:
        assert [j.id for j in local.judgments()] == ["r1"]


def test_a_lab_moved_to_a_share_is_refused_with_what_to_do(sqlite_file, monkeypatch):
    with PreferenceStore(sqlite_file) as store:
        fill(store, "one")
    with (
        network_share(monkeypatch),
        pytest.raises(StoreError, match=r"unable to open.* from a network share to a local disk"),
    ):
        PreferenceStore(sqlite_file)
    with PreferenceStore(sqlite_file) as store:
        assert len(store.prompts()) == 1


def synchronous(session) -> int:
    return session.execute(text("PRAGMA synchronous")).scalar()


def test_only_leases_do_not_wait_for_the_disk(sqlite_store):
    database = sqlite_store.database
    found = []
    for transaction in (database.write, database.lend, database.write, database.read):
        with transaction() as session:
            found.append(synchronous(session))
    assert found == [2, 1, 2, 2]  # FULL, NORMAL, FULL, FULL


def test_without_a_write_ahead_log_leases_wait_for_the_disk_too(sqlite_file, monkeypatch):
    with network_share(monkeypatch):
        with pytest.warns(UserWarning, match="'delete' but not 'wal'"):
            store = PreferenceStore(sqlite_file)
        with store, store.database.lend() as session:
            assert synchronous(session) == 2


# -- locks


@contextmanager
def somebody_writing(store: PreferenceStore) -> Iterator[None]:
    """Another program that holds the write lock."""
    database = store.database
    other = create_engine(database.url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({engine._PG_WRITE_LOCK})")
        yield
        connection.exec_driver_sql("ROLLBACK" if database.is_sqlite else "SELECT 1")
    other.dispose()


def test_a_lock_held_for_long_is_said_and_nothing_is_lost(database, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.2)
    with PreferenceStore(database) as store:
        [one] = fill(store, "one")
        store.submit(ranking("r1", one))
        with somebody_writing(store):
            for write in (
                lambda: store.submit(ranking("r2", one)),
                lambda: store.assignments.next_item("ann"),
            ):
                with pytest.raises(StoreError, match=r"for 0\.2 s: wait for it and retry\. This c"):
                    write()
            assert [j.id for j in store.judgments()] == ["r1"]  # reading goes on
        assert store.submit(ranking("r2", one)) is True


def test_a_lock_that_is_given_back_in_time_is_waited_for(store):
    [one] = fill(store, "one")
    done: list[bool] = []
    with somebody_writing(store):
        writer = threading.Thread(target=lambda: done.append(store.submit(ranking("r1", one))))
        writer.start()
        writer.join(0.3)
        assert writer.is_alive()
        assert done == []
    writer.join(20)
    assert done == [True]


@pytest.mark.postgres
def test_a_connection_that_the_server_closed_is_said_and_the_next_call_works(postgres_url):
    with PreferenceStore(postgres_url) as store:
        [one] = fill(store, "one")
        other = create_engine(store.database.url, isolation_level="AUTOCOMMIT")
        with other.connect() as connection:
            others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            connection.exec_driver_sql(
                f"SELECT pg_terminate_backend(pid) FROM ({others} AND pid <> pg_backend_pid()) p"
            )
        other.dispose()
        with pytest.raises(StoreError, match="The server closed the connection or cannot be reach"):
            store.submit(ranking("r1", one))
        assert store.submit(ranking("r1", one)) is True
    assert store.closed


def test_a_server_that_does_not_answer_is_said():
    with pytest.raises(StoreError, match="cannot be reached: check that it runs"):
        PreferenceStore("postgresql://me:secret@127.0.0.1:1/lab")
