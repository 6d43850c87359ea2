"""Every row of a lab from one database into another, in bounded memory."""

from __future__ import annotations

from sqlalchemy import Table, delete, func, insert, select, text
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store import chain
from rlhf_lab.store.tables import Base, SettingRow

_BATCH = 1000


def copy_rows(source: Session, target: Session, *, where: str, progress: bool = False) -> int:
    """Copy every table; returns how many rows.

    Both sessions' transactions belong to the caller: nothing is there before the target's ends.

    Args:
        source: Sees one state.
        target: A writing one, on a database with this code's schema and no data.
        where: The target's name in errors.
        progress: Show a bar.

    Raises:
        StoreError: the target holds data, or does not hold all rows in the end.
    """
    from tqdm.auto import tqdm

    require_empty(target, where)
    target.execute(delete(SettingRow))
    tables = Base.metadata.sorted_tables
    total = count_rows(source)
    with tqdm(total=total, desc="Copy", unit="row", disable=not progress, leave=False) as bar:
        for table in tables:
            ordered = select(table).order_by(*table.primary_key.columns)
            found = source.execute(ordered.execution_options(yield_per=_BATCH)).mappings()
            for batch in found.partitions():
                target.execute(insert(table), [dict(row) for row in batch])
                bar.update(len(batch))
            _require_same_number(source, target, table, where)
            _go_on_counting(target, table)
    return total


def require_empty(session: Session, where: str) -> None:
    """Refuse a database in which there is anything.

    Raises:
        StoreError: there is; says what.
    """
    if found := what_is_in(session):
        raise StoreError(
            f"{where} holds {found} already: data is copied into an empty database only. Name a "
            "new one."
        )


def what_is_in(session: Session) -> str:
    """The first of what a database holds, such as "3 prompts"; nothing if it is empty."""
    for table in Base.metadata.sorted_tables:
        query = select(func.count()).select_from(table)
        if table.name == SettingRow.__tablename__:
            # A new database has the head of an empty chain.
            query = query.where(table.c.key != chain.SETTING)
        if number := session.scalar(query):
            return f"{number} {table.name}"
    return ""


def count_rows(session: Session) -> int:
    """How many there are, of all tables."""
    return sum(_count(session, table) for table in Base.metadata.sorted_tables)


def clear_rows(session: Session) -> None:
    """Empty every table of a copy that is to be made anew.

    The record is append-only by triggers, which are put aside for this transaction.
    """
    tables = Base.metadata.sorted_tables
    if session.get_bind().dialect.name == "sqlite":
        triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        aside = session.execute(text(triggers)).all()
        for name, _ in aside:
            run_ddl(session, f"DROP TRIGGER {name}")
        for table in reversed(tables):
            session.execute(delete(table))
        for _, statement in aside:
            run_ddl(session, statement)
        return
    for table in tables:
        run_ddl(session, f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
    run_ddl(session, f"TRUNCATE {', '.join(table.name for table in tables)} RESTART IDENTITY")
    for table in tables:
        run_ddl(session, f"ALTER TABLE {table.name} ENABLE TRIGGER USER")


def run_ddl(session: Session, statement: str) -> None:
    """Run a statement as it stands: a colon in it begins no parameter."""
    session.execute(text(statement.replace(":", "\\:")))


def _count(session: Session, table: Table) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _require_same_number(source: Session, target: Session, table: Table, where: str) -> None:
    before, after = _count(source, table), _count(target, table)
    if before != after:
        raise StoreError(
            f"{where} took {after} of {before} {table.name}: nothing was kept. Check the disk and "
            "the database's log, then retry."
        )


def _go_on_counting(session: Session, table: Table) -> None:
    """The next row gets the next number; SQLite sees to that itself."""
    if session.get_bind().dialect.name == "sqlite" or "seq" not in table.c:
        return
    last = session.scalar(select(func.max(table.c.seq)))
    if last is not None:
        session.execute(
            text("SELECT setval(pg_get_serial_sequence(:name, 'seq'), :last)"),
            {"name": table.name, "last": last},
        )
