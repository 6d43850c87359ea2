"""Bringing a database to the schema this code knows, by the migrations inside the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from rlhf_lab.errors import StoreError
from rlhf_lab.store.engine import writer

HEAD = "0006"
MIGRATIONS = Path(__file__).parent / "migrations"


def ensure_schema(engine: Engine, where: str) -> None:
    """Create or upgrade the schema in one transaction; two processes doing so take turns.

    A database that is up to date costs one small read: Alembic is not even imported.

    Raises:
        StoreError: made by a newer RLHF Lab, or by another program.
    """
    with engine.connect() as connection:
        if current_revision(connection) == HEAD:
            return
    with writer(engine).begin() as connection:
        revision = current_revision(connection)  # again: another process may have been faster
        if revision != HEAD:
            _check_upgradable(connection, revision, where)
            _upgrade(connection)


def current_revision(connection: Connection) -> str | None:
    """The revision a database is at; None when it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _check_upgradable(connection: Connection, revision: str | None, where: str) -> None:
    if revision is None:
        tables = inspect(connection).get_table_names()
        if any(name != "alembic_version" for name in tables):
            raise StoreError(
                f"{where} belongs to another program (it has tables {sorted(tables)[:4]}): a lab "
                "needs a database of its own. Choose another path."
            )
    elif revision not in _known_revisions():
        raise StoreError(
            f"{where} has schema {revision}, this RLHF Lab knows up to {HEAD}: it was written by "
            "a newer release. Update with: pip install -U rlhf-lab"
        )


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()}


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
