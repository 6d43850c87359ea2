from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from rlhf_lab.errors import StoreError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.engine import parse_location
from rlhf_lab.store.schema import HEAD, MIGRATIONS
from rlhf_lab.store.tables import Base
from tests.store.helpers import fill, ranking


@pytest.fixture
def raw(store):
    """A connection that knows nothing of the store, to a lab with one ranking."""
    [one] = fill(store, "one")
    store.submit(ranking("r1", one))
    engine = create_engine(store.database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_migrations_make_exactly_the_tables_of_the_code(store):
    engine = create_engine(store.database.url)
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


def test_a_database_of_a_newer_release_is_refused(raw, database):
    raw.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(StoreError, match=r"schema 0999, this .* up to 0006.* pip install -U"):
        PreferenceStore(database)


def test_a_database_of_another_program_is_refused_and_untouched(database):
    url = parse_location(database)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE cookies (id INTEGER)")
    with pytest.raises(StoreError, match=r"another program \(it has tables \['cookies'\]\)"):
        PreferenceStore(database)
    assert inspect(engine).get_table_names() == ["cookies"]
    engine.dispose()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE judgments SET comment = 'x'",
        "UPDATE judgments SET tiers = '[]' WHERE id = 'r1'",
        "DELETE FROM judgments",
        "REPLACE INTO judgments SELECT * FROM judgments",
        "TRUNCATE judgments CASCADE",
    ],
)
def test_judgments_can_be_neither_changed_nor_deleted(raw, sql):
    if sql.split()[0] == {"sqlite": "TRUNCATE", "postgresql": "REPLACE"}[raw.dialect.name]:
        pytest.skip("the other database's word")
    before = raw.exec_driver_sql("SELECT * FROM judgments").fetchall()
    with pytest.raises(DBAPIError, match="append-only: submit a new one"):
        raw.exec_driver_sql(sql)
    assert raw.exec_driver_sql("SELECT * FROM judgments").fetchall() == before


def test_neither_the_store_nor_opening_a_lab_imports_torch(sqlite_file):
    code = (
        "import sys; from rlhf_lab.store import PreferenceStore, TrainingLock, read_prompts\n"
        f"PreferenceStore({str(sqlite_file)!r}).close()\n"
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
