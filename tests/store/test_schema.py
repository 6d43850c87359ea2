from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from rlhf_lab.errors import StoreError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.schema import HEAD, MIGRATIONS
from rlhf_lab.store.tables import Base
from tests.store.helpers import NOON, fill, prompt, ranking, response, undo


@pytest.fixture
def raw(store, database):
    """The driver's own connection to a lab with one ranking."""
    [one] = fill(store, "one")
    store.submit(ranking("r1", one))
    connection = sqlite3.connect(database, isolation_level=None)
    yield connection
    connection.close()


def test_migrations_make_exactly_the_tables_of_the_code(store, database):
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_head_in_the_code_is_the_last_migration():
    assert ScriptDirectory(MIGRATIONS).get_current_head() == HEAD


def test_every_table_can_be_made_in_postgresql():
    for table in Base.metadata.sorted_tables:
        sql = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert "SERIAL" in sql or "seq" not in table.primary_key.columns


@pytest.fixture
def first_schema(database):
    """A lab of the first release, filled by its own SQL: two rankings, one of them undone."""
    engine = create_engine(f"sqlite:///{database}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0001")
        one = prompt("one")
        connection.exec_driver_sql(
            "INSERT INTO prompts VALUES (1, ?, '[[\"user\", \"one\"]]', 'train', 'user', '[]')",
            (one.id,),
        )
        for n in (0, 1):
            connection.exec_driver_sql(
                "INSERT INTO responses VALUES (?, ?, ?, ?, ?, 'policy@0', "
                '\'{"temperature": 0.7, "seed": 3}\', ?, \'stop\', \'candidate\', ?)',
                (n + 1, f"one-{n}", one.id, f"answer {n}", f"[{n}, {n + 1}]", str(2**70 + n),
                 f"2025-03-01 12:00:0{n}.000000"),
            )  # fmt: skip
        for seq, (name, kind, tiers, of) in enumerate(
            [("r1", "ranking", '[["one-0"], ["one-1"]]', None),
             ("r2", "ranking", '[["one-1"], ["one-0"]]', None),
             ("u1", "undo", None, "r2")],
            start=1,
        ):  # fmt: skip
            shown = "[]" if kind == "undo" else '["one-1", "one-0"]'
            seconds = 0.0 if kind == "undo" else 2.5
            connection.exec_driver_sql(
                "INSERT INTO judgments VALUES (?, ?, ?, 'ann', ?, ?, ?, '', ?, ?, "
                "'2025-03-01 12:00:00.000000')",
                (seq, name, one.id, kind, shown, tiers, seconds, of),
            )
    engine.dispose()


def test_a_lab_of_the_first_release_is_upgraded_and_keeps_everything(first_schema, database):
    one = prompt("one")
    first, second = ranking("r1", one), ranking("r2", one, best=1)
    with PreferenceStore(database) as store:
        assert store.prompts() == [one]
        assert store.responses() == [response(one, n) for n in (0, 1)]
        everything = store.judgments(kinds=("ranking", "undo"), include_superseded=True)
        assert everything == [first, second, undo("u1", second)]
        assert store.judgments() == [first]
        assert store.submit(first) is False
        strong = ranking("r3", one, strength="much", supersedes="r1", created_at=NOON)
        assert store.submit(strong) is True
    with PreferenceStore(database) as again:
        assert again.judgments() == [strong]
    connection = sqlite3.connect(database, isolation_level=None)
    for sql in ("UPDATE judgments SET strength = 'much'", "DELETE FROM judgments"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only: submit a new one"):
            connection.execute(sql)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_an_upgrade_that_fails_leaves_the_lab_as_it_was(first_schema, database):
    def full(connection, cursor, statement, *rest):
        if statement.startswith("UPDATE alembic_version"):
            raise sqlite3.OperationalError("database or disk is full")

    event.listen(Engine, "before_cursor_execute", full)
    try:
        with pytest.raises((StoreError, sqlite3.OperationalError), match="full"):
            PreferenceStore(database)
    finally:
        event.remove(Engine, "before_cursor_execute", full)
    connection = sqlite3.connect(database)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(judgments)")]
    connection.close()
    assert "strength" not in columns
    PreferenceStore(database).close()


def test_a_database_of_a_newer_release_is_refused(raw, database):
    raw.execute("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(StoreError, match=r"schema 0999, this .* up to 0003.* pip install -U"):
        PreferenceStore(database)


def test_a_database_of_another_program_is_refused_and_untouched(database):
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE cookies (id)")
    other.commit()
    with pytest.raises(StoreError, match=r"another program \(it has tables \['cookies'\]\)"):
        PreferenceStore(database)
    assert [row[0] for row in other.execute("SELECT name FROM sqlite_master")] == ["cookies"]
    other.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE judgments SET comment = 'x'",
        "UPDATE judgments SET tiers = '[]' WHERE id = 'r1'",
        "DELETE FROM judgments",
        "REPLACE INTO judgments SELECT * FROM judgments",
    ],
)
def test_judgments_can_be_neither_changed_nor_deleted(raw, sql):
    before = raw.execute("SELECT * FROM judgments").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="append-only: submit a new one"):
        raw.execute(sql)
    assert raw.execute("SELECT * FROM judgments").fetchall() == before


def test_neither_the_store_nor_opening_a_lab_imports_torch(database):
    code = (
        "import sys; from rlhf_lab.store import PreferenceStore, TrainingLock, read_prompts\n"
        f"PreferenceStore({str(database)!r}).close()\n"
        "assert 'torch' not in sys.modules and 'datasets' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_existing_lab_opens_without_alembic(store, database):
    code = (
        "import sys; from rlhf_lab.store import PreferenceStore\n"
        f"PreferenceStore({str(database)!r}).close()\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_migrations_run_wherever_the_package_is_installed(tmp_path):
    place = tmp_path / "site 100%(x)s"
    source = MIGRATIONS.parents[1]
    for name in ("store", "types"):
        shutil.copytree(source / name, place / "rlhf_lab" / name)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(source / name, place / "rlhf_lab" / name)
    code = (
        f"import sys; sys.path.insert(0, {str(place)!r})\n"
        "from rlhf_lab.store import PreferenceStore, schema\n"
        f"assert schema.__file__.startswith({str(place)!r})\n"
        "PreferenceStore('lab.db').close()\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60, cwd=tmp_path)
    assert (tmp_path / "lab.db").exists()
