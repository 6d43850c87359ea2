"""Closing a database that a lab moves out of: it can be read, and refuses what would be lost."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from rlhf_lab.store.copying import run_ddl
from rlhf_lab.store.engine import MOVED
from rlhf_lab.store.tables import Base

_ACTIONS = ("INSERT", "UPDATE")


def seal(session: Session, now_in: str, token: str) -> None:
    """Refuse what processes would write that still have this database open.

    Done by triggers: the rows stay as they are.

    Args:
        session: A writing one.
        now_in: Where the data is, for those who are refused.
        token: Names the copy that counts from now on.
    """
    unseal(session)  # it may have been sealed for the sake of a copy that is gone
    message = f"{MOVED} {now_in}".replace("'", "''")
    if _is_sqlite(session):
        for name, action, of in _triggers():
            run_ddl(
                session,
                f"CREATE TRIGGER {name} BEFORE {action} ON {of} "
                f"BEGIN /* {token} */ SELECT RAISE(ABORT, '{message}'); END",
            )
        return
    run_ddl(
        session,
        "CREATE FUNCTION lab_has_moved() RETURNS trigger LANGUAGE plpgsql AS "
        f"$moved$ BEGIN /* {token} */ RAISE EXCEPTION USING MESSAGE = '{message}'; END $moved$",
    )
    for table in Base.metadata.sorted_tables:
        run_ddl(
            session,
            f"CREATE TRIGGER {table.name}_moved BEFORE INSERT OR UPDATE ON {table.name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION lab_has_moved()",
        )


def unseal(session: Session) -> None:
    """Let it be written to again, whether or not it was sealed."""
    if _is_sqlite(session):
        for statement in _unsealing():
            run_ddl(session, statement)
    else:
        run_ddl(session, "DROP FUNCTION IF EXISTS lab_has_moved() CASCADE")  # its triggers with it


def unseal_file(connection: sqlite3.Connection) -> None:
    """The same for an SQLite file that is a copy: it has moved nowhere."""
    for statement in _unsealing():
        connection.execute(statement)


def is_sealed(session: Session, token: str = "") -> bool:
    """Whether it refuses writes; with a token, whether for the sake of that copy."""
    found = _first_trigger(session)
    return found is not None and token in found


def is_sealed_file(connection: sqlite3.Connection) -> bool:
    """The same of an SQLite file that is looked at as it is."""
    return connection.execute(_first_in_sqlite()).fetchone() is not None


def moved_to(session: Session) -> str:
    """Where a sealed database says that its data is."""
    found = re.search(f"{MOVED} (.+)'", _first_trigger(session) or "", re.DOTALL)
    return found[1].replace("''", "'") if found else "another database"


def _first_trigger(session: Session) -> str | None:
    """The text of one; all are made together."""
    if _is_sqlite(session):
        query = _first_in_sqlite()
    else:
        query = (
            "SELECT prosrc FROM pg_proc WHERE proname = 'lab_has_moved' "
            "AND pg_function_is_visible(oid)"
        )
    found: str | None = session.scalar(text(query))
    return found


def _unsealing() -> Iterator[str]:
    return (f"DROP TRIGGER IF EXISTS {name}" for name, _, _ in _triggers())


def _first_in_sqlite() -> str:
    name = next(_triggers())[0]
    return f"SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = '{name}'"


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _triggers() -> Iterator[tuple[str, str, str]]:
    """Name, action and table of each, in SQLite."""
    for table in Base.metadata.sorted_tables:
        for action in _ACTIONS:
            yield f"{table.name}_moved_{action.lower()}", action, table.name
