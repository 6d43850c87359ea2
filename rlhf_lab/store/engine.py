"""Opening a database: where it is, durable settings, real transactions, errors people can use."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import warnings
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from rlhf_lab.errors import StoreError
from rlhf_lab.store.showing import printable
from rlhf_lab.store.tables import ESCAPED, has_lone_surrogate, unescaped
from rlhf_lab.types import as_path

BUSY_SECONDS = 10.0
# How a database says that its lab is elsewhere now.
MOVED = "this lab has moved, its data is now in"
# Functions that SQLite gets from here, for searching.
CONTAINS = "rlhf_lab_contains"
MESSAGES_CONTAIN = "rlhf_lab_messages_contain"
_WRITES = "rlhf_lab_writes"
# By database, as URLs name them; the first is the one to write.
_DRIVERS = {
    "sqlite": ("sqlite", "sqlite+pysqlite"),
    "postgresql": ("postgresql+psycopg", "postgresql"),
}
# Of pages kept in memory, per connection: as much as the indexes of 100,000 judgments need.
_CACHE_KIB = 32 * 1024
_FORGETTABLE = "rlhf_lab_forgettable"
# Any fixed number: it names the one lock that writers of a PostgreSQL lab take turns with.
_PG_WRITE_LOCK = 0x524C4846


def parse_location(location: Path | str) -> URL:
    """The database URL for a path to an SQLite file or an SQLAlchemy URL.

    Raises:
        StoreError: neither SQLite nor PostgreSQL, another driver than the lab's own, an in-memory
            database, a folder, or a folder that cannot be made.
        ConfigError: no system has such a path.
    """
    if isinstance(location, str) and "://" in location:
        try:
            url = make_url(location)
        except (exc.ArgumentError, ValueError) as error:
            raise StoreError(
                f"not a database URL ({error}): pass a path, sqlite:///PATH or postgresql://..."
            ) from error
    else:
        url = URL.create("sqlite", database=str(location))
    url = _with_our_driver(url)
    if url.get_backend_name() == "postgresql":
        return url
    # Absolute: what is noted or opened again must not depend on where a process stands.
    return url.set(database=str(_prepare_file(url.database)))


def _with_our_driver(url: URL) -> URL:
    """Refuse other databases, and drivers that would be missing, asynchronous or untested."""
    backend = url.get_backend_name()
    if backend not in _DRIVERS:
        raise StoreError(
            f"{printable(backend, 40)}: a lab is kept in SQLite or PostgreSQL. Use "
            "sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME."
        )
    plain = url.set(drivername=_DRIVERS[backend][0])
    if url.drivername not in _DRIVERS[backend]:
        raise StoreError(
            f"{printable(url.drivername, 40)}: a lab opens {backend} with a driver of its own "
            f"choice. Use {plain.difference_update_query(['password'])!r}."
        )
    return plain


def _prepare_file(database: str | None) -> Path:
    if not database or database == ":memory:" or database.startswith("file:"):
        raise StoreError(
            f"{database or 'no file name'}: judgments must survive the process, so an SQLite lab "
            "is a plain file. Pass its path."
        )
    path = as_path(database).absolute()
    if path.is_dir():
        raise StoreError(f"{path} is a folder: pass the database file, such as {path / 'lab.db'}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path.parent} cannot be made ({error.strerror}): choose a folder you may write to."
        ) from error
    return path


def open_engine(url: URL) -> Engine:
    """An engine whose transactions are real ones; nothing is connected yet."""
    sqlite = url.get_backend_name() == "sqlite"
    # The driver's default transaction mode begins only before the first write, which leaves a
    # check-then-write open to races. SQLAlchemy's documented remedy: switch it off, emit BEGIN.
    arguments: dict[str, Any] = {"timeout": BUSY_SECONDS, "isolation_level": None} if sqlite else {}
    try:
        engine = create_engine(
            url, connect_args=arguments, poolclass=QueuePool, json_serializer=dump_json
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{error.name} is missing, and a PostgreSQL lab needs it: pip install 'psycopg[binary]'"
        ) from error
    event.listen(engine, "connect", _on_connect_sqlite if sqlite else _on_connect)
    event.listen(engine, "checkout", _on_checkout)
    event.listen(engine, "begin", _begin_sqlite if sqlite else _begin_postgresql)
    return engine


def writer(engine: Engine, *, forgettable: bool = False) -> Engine:
    """The same engine, whose transactions take the write lock before they read anything.

    Args:
        engine: From `open_engine`.
        forgettable: What is written survives the process but need not survive a power failure, so
            nobody waits for the disk. Only for what people did not say, such as leases.
    """
    return engine.execution_options(**{_WRITES: True, _FORGETTABLE: forgettable})


def _on_connect(connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401
    entry.info["pid"] = os.getpid()


def _on_connect_sqlite(connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401
    _on_connect(connection, entry)
    connection.create_function(CONTAINS, 2, _contains, deterministic=True)
    connection.create_function(MESSAGES_CONTAIN, 2, _messages_contain, deterministic=True)
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        mode = _use_wal(cursor)
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    entry.info["journal"] = mode
    if mode != "wal":
        warnings.warn(
            f"this disk allows journal mode {mode!r} but not 'wal' (a network share?): nothing is "
            "lost, but readers and writers wait for each other. Keep the lab on a local disk.",
            stacklevel=2,
        )


def _contains(value: str, words: str) -> bool:
    # Called for every row of a table: two calls less make a search a third faster.
    if value.startswith(ESCAPED):
        value = unescaped(value)
    if words.startswith(ESCAPED):
        words = unescaped(words)
    return words in value.lower()


def _messages_contain(value: str, words: str) -> bool:
    wanted = unescaped(words)
    return any(wanted in content.lower() for _, content in json.loads(value))


def _use_wal(cursor: sqlite3.Cursor) -> str:
    """Switch to write-ahead logging; two processes that open a new file at once take turns.

    SQLite does not wait its busy timeout for this switch, so the waiting is done here.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return str(cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _on_checkout(connection: Any, entry: Any, proxy: Any) -> None:  # noqa: ANN401
    if entry.info["pid"] != os.getpid():
        # SQLite forbids carrying a connection across fork(); leave the parent's alone.
        entry.dbapi_connection = proxy.dbapi_connection = None
        raise exc.DisconnectionError("opened by another process")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(_WRITES, False):
        connection.exec_driver_sql("BEGIN")
        return
    # With FULL, a commit is on disk when it returns. NORMAL is safe in a write-ahead log alone.
    forgettable = options.get(_FORGETTABLE, False) and connection.info["journal"] == "wal"
    connection.exec_driver_sql(f"PRAGMA synchronous = {'NORMAL' if forgettable else 'FULL'}")
    _take_turn(connection)


def _take_turn(connection: Connection) -> None:
    """Begin a writing transaction, waiting for those of others.

    SQLite's own waiting looks less and less often, up to ten times a second, so that newcomers
    overtake those who wait: among eight busy processes some never had a turn in ten seconds. Here
    everybody looks equally often.
    """
    driver: Any = connection.connection.driver_connection
    deadline = time.monotonic() + BUSY_SECONDS
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while time.monotonic() < deadline:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    break
                time.sleep(0.002)
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails as SQLAlchemy does
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _begin_postgresql(connection: Connection) -> None:
    """Writers take turns, as in SQLite: the same checks hold, and `seq` follows commit order.

    Each of their statements sees what was committed before it, so they see all that was before
    the lock was theirs. Readers see one state, as in SQLite.
    """
    options = connection.get_execution_options()
    if options.get(_WRITES, False):
        commit = "off" if options.get(_FORGETTABLE, False) else "on"
        wait = f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)}"
        connection.exec_driver_sql(f"{wait}; SET LOCAL synchronous_commit = {commit}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_PG_WRITE_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def dump_json(value: object) -> str:
    """JSON that stays readable in the database, and escapes only what has no UTF-8 form."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return json.dumps(value, allow_nan=False) if has_lone_surrogate(text) else text


def as_store_error(error: exc.SQLAlchemyError, where: str) -> StoreError:
    """What went wrong below SQLAlchemy, with the next step; the transaction was rolled back."""
    cause = str(getattr(error, "orig", None) or error).strip()
    return StoreError(f"{where}: {cause}. {_next_step(cause.lower())} This call stored nothing.")


def _next_step(cause: str) -> str:
    if MOVED in cause:
        return (
            "Close this lab and open it again. If it says so again, the move was stopped midway: "
            "give the same rlhf-lab move again."
        )
    if "password" in cause:
        return (
            "Put the password where PostgreSQL looks for it: ~/.pgpass, a service file "
            "(PGSERVICE), or the environment variable PGPASSWORD. A lab never writes it down."
        )
    if "locked" in cause or "lock timeout" in cause:
        return f"Another process has been writing for {BUSY_SECONDS:g} s: wait for it and retry."
    if "full" in cause or "no space" in cause:
        return "Free some disk space and retry."
    if "disk i/o" in cause:
        return "The disk is full or failing: free some space or repair it, and retry."
    if "readonly" in cause or "unable to open" in cause or "permission" in cause:
        return (
            "Make the file and its folder writable for you, move a lab from a network share to a "
            "local disk, or choose another place."
        )
    if "not a database" in cause or "malformed" in cause:
        return "The file is damaged or something else: restore a backup or choose another path."
    if "connection" in cause:
        return "The server closed the connection or cannot be reached: check that it runs, retry."
    return "Fix the cause and retry."
