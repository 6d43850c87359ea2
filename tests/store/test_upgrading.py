"""Databases of earlier releases, filled by their own columns, opened by this one."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from rlhf_lab.errors import StoreError
from rlhf_lab.store import MetricsRow, PreferenceStore, chain, rows
from rlhf_lab.store.engine import parse_location
from rlhf_lab.store.schema import HEAD, MIGRATIONS
from rlhf_lab.store.tables import (
    AccountRow,
    Base,
    FailedSignInRow,
    JobEventRow,
    JobRow,
    SignInRow,
    TicketRow,
)
from rlhf_lab.types import Demonstration, Judgment, Message, Prompt, Ranking, Version
from tests.store.helpers import NOON, prompt, ranking, response, skip, undo

EARLIER = [s.revision for s in ScriptDirectory(MIGRATIONS).walk_revisions() if s.revision != HEAD]

ONE = prompt("one", tags=("a", "ß"), source="file.jsonl")
CHAT = Prompt(
    messages=(Message(role="system", content="Kurz."), Message(role="user", content="two")),
    split="heldout",
)
RESPONSES = [
    response(ONE, 0, text="nul \0 and half \ud800"),
    response(ONE, 1, text="日本語 🌍", end_reason="length", token_ids=()),
    response(ONE, 2, text="\\json: as such", version="policy@1", sampling=None, seed=None),
    response(CHAT, 0, purpose="evaluation"),
]
FIRST = ranking("r1", ONE, comment="better\0", created_at=NOON + timedelta(microseconds=7))
TIED = ranking(
    "r2",
    ONE,
    shown_order=("one-2", "one-0", "one-1"),
    ranking=Ranking(tiers=(("one-2",), ("one-0", "one-1"))),
    supersedes="r1",
    seconds=0.0,
)
SKIPPED = skip("s1", CHAT, annotator="bob", comment="🤷")
TAKEN_BACK = ranking("r3", ONE, annotator="bob", best=1)
EVENTS = [
    FIRST,
    TIED,
    SKIPPED,
    TAKEN_BACK,
    undo("u1", TAKEN_BACK, annotator="bob"),
    undo("u2", TIED),
    undo("u3", undo("u2", TIED)),
]


ROWS_OF_0004 = [
    lambda: JobRow(
        id="job1",
        kind="ppo",
        arguments={"steps": 2},
        state="queued",
        asked_by="ada",
        asked_at=NOON,
        done=1,
        total=2,
        attempts=1,
        deaths=0,
        resume={"before": "reward@0"},
        note="",
    ),
    lambda: JobEventRow(job_id="job1", kind="step", values={"x": [1.5]}, created_at=NOON),
    lambda: AccountRow(
        name="ada",
        key="ada",
        role="admin",
        password=None,
        subject="github:ada@example.org",
        disabled=False,
        created_by="ada",
        created_at=NOON,
    ),
    lambda: TicketRow(
        hash="h1",
        purpose="invite",
        name="bob",
        role="annotator",
        created_by="ada",
        created_at=NOON,
        expires_at=NOON + timedelta(days=7),
        used_at=None,
    ),
    lambda: SignInRow(
        id="s1",
        hash="h2",
        name="ada",
        created_at=NOON,
        seen_at=NOON,
        expires_at=NOON + timedelta(days=7),
        ended_at=None,
    ),
    lambda: FailedSignInRow(about="account:ada", failed_at=NOON),
]


def old_rows(revision: str, aside: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of every kind, with the columns that the revision had."""
    if revision >= "0003":
        return rows_of_0003(aside)
    policy = Version(name="policy@0", parent=None, path="v/0", metrics={"kl": 0.5})
    child = Version(name="policy@1", parent="policy@0", path="v/1", trained_with=("policy@0",))
    judgments = [rows.judgment_values(e) for e in EVENTS]
    if revision >= "0002":
        judgments[1]["strength"] = "much"
    return {
        "prompts": [rows.prompt_values(p) for p in (ONE, CHAT)],
        "responses": [rows.response_values(r) for r in RESPONSES],
        "judgments": judgments,
        "versions": [rows.version_values(v) for v in (policy, child)],
        "metrics": [
            {"kind": "ppo", "version": "policy@1", "step": 3, "values": {"kl": 1.5, "x": "nan"},
             "created_at": NOON}
        ],
        "settings": [
            {"key": "head.policy", "value": "policy@1"},
            {"key": "model", "value": {"name": "tiny", "ranks": [1, 2.5], "none": None}},
        ],
    }  # fmt: skip


def rows_of_0003(aside: Path) -> dict[str, list[dict[str, Any]]]:
    """What that release wrote: its hashes, its items and what it derived are in the rows as well.

    Those of its tables have not changed since, so that the present code can make them; tables and
    columns that came later are left out by who inserts them.
    """
    with PreferenceStore(aside / "present.db") as store:
        store.add_prompts([ONE, CHAT])
        store.add_responses(RESPONSES)
        store.assignments.offer()
        store.assignments.next_item("cy")
        for event in EVENTS:
            store.submit(
                Judgment(**{**vars(event), "strength": "much"}) if event is TIED else event
            )
        store.add_demonstration(
            Demonstration(id="d1", prompt_id=ONE.id, text="So.", annotator="ann", created_at=NOON)
        )
        store.add_version(Version(name="policy@0", parent=None, path="v/0", metrics={"kl": 0.5}))
        child = Version(name="policy@1", parent="policy@0", path="v/1", trained_with=("policy@0",))
        store.add_version(child)
        store.log_metrics("ppo", "policy@1", 3, {"kl": 1.5, "x": float("nan")})
        store.set_setting("head.policy", "policy@1")
        store.set_setting("model", {"name": "tiny", "ranks": [1, 2.5], "none": None})
        with store.database.write() as session:
            for row in ROWS_OF_0004:
                session.add(row())
                session.flush()
        with store.database.read() as session:
            return {
                table.name: [dict(row) for row in session.execute(sa.select(table)).mappings()]
                for table in Base.metadata.sorted_tables
            }


@pytest.fixture(params=EARLIER)
def old_lab(request: pytest.FixtureRequest, database, tmp_path):
    """A lab of an earlier release; yields where it is and its engine."""
    engine = sa.create_engine(parse_location(database))
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, request.param)
        tables = reflected(connection)
        connection.execute(tables["settings"].delete())  # the head of an empty chain
        made = old_rows(request.param, tmp_path)
        there = [t.name for t in Base.metadata.sorted_tables if t.name in tables]
        for name in filter(made.get, there):
            had = tables[name].columns.keys()
            kept = [{k: v for k, v in row.items() if k in had} for row in made[name]]
            connection.execute(tables[name].insert(), [stored(row) for row in kept])
            if "seq" in kept[0] and connection.dialect.name == "postgresql":
                last = f"SELECT setval(pg_get_serial_sequence('{name}', 'seq'), {len(kept)})"
                connection.exec_driver_sql(last)
    yield database, engine
    engine.dispose()


def reflected(connection: sa.Connection) -> dict[str, sa.Table]:
    """Every table as the database itself describes it."""
    described = sa.MetaData()
    described.reflect(connection)
    return {table.name: table for table in described.sorted_tables}


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """Texts as the first release escaped them."""
    escape = rows.JudgmentRow.__table__.c.comment.type.process_bind_param
    return {k: escape(v, None) if isinstance(v, str) else v for k, v in row.items()}


def everything(connection: sa.Connection, tables: dict[str, sa.Table]) -> dict[str, list[Any]]:
    """Every row of these tables, in the columns they had when they were described."""
    found = {n: sa.select(t).order_by(next(iter(t.columns))) for n, t in tables.items()}
    return {name: list(map(tuple, connection.execute(query))) for name, query in found.items()}


def test_every_earlier_revision_is_tried():
    assert sorted(EARLIER) == [f"{n:04}" for n in range(1, int(HEAD))]


def test_every_column_of_every_row_is_kept(old_lab):
    database, engine = old_lab
    with engine.connect() as connection:
        tables = reflected(connection)
        del tables["alembic_version"]
        before = everything(connection, tables)
    PreferenceStore(database).close()
    with engine.connect() as connection:
        after = everything(connection, tables)
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if "items" not in tables:  # 0003 made the chain; what it had is kept as it was
        after["settings"] = [row for row in after["settings"] if row[0] != chain.SETTING]
    counted = {"prompts": 2, "responses": 4, "judgments": 7, "versions": 2, "metrics": 1}
    assert {name: len(before[name]) for name in counted} == counted
    assert len(before["settings"]) >= 2
    assert all(before.values())  # every table that there was has rows
    assert after == before
    assert revision == HEAD


def test_the_store_reads_what_an_earlier_release_wrote(old_lab):
    database, engine = old_lab
    with engine.connect() as connection:
        strong = "strength" in reflected(connection)["judgments"].columns
    tied = Judgment(**{**vars(TIED), "strength": "much"}) if strong else TIED
    with PreferenceStore(database) as store:
        assert store.prompts() == [ONE, CHAT]
        assert store.responses() == RESPONSES
        kinds = ("ranking", "skip", "undo")
        assert store.judgments(kinds=kinds, include_superseded=True) == [FIRST, tied, *EVENTS[2:]]
        assert store.judgments(kinds=("ranking", "skip")) == [tied, SKIPPED]
        assert [v.name for v in store.versions()] == ["policy@0", "policy@1"]
        [figures] = store.metrics()
        assert isinstance(figures, MetricsRow)
        assert figures.values["kl"] == 1.5
        assert store.get_setting("model") == {"name": "tiny", "ranks": [1, 2.5], "none": None}
        assert store.counts().annotators == 2
        assert store.submit(tied) is False


def test_hashes_of_upgraded_rows_are_those_of_the_rows_as_the_store_reads_them(old_lab):
    database, engine = old_lab
    digest = {r.id: chain.response_digest(r.version, r.text) for r in RESPONSES}
    with PreferenceStore(database) as store:
        events = store.judgments(kinds=("ranking", "skip", "undo"), include_superseded=True)
        head = store.chain_head()
    with engine.connect() as connection:
        query = "SELECT hash FROM judgments ORDER BY seq"
        hashes = list(connection.exec_driver_sql(query).scalars())
    previous = chain.GENESIS
    for event, hashed in zip(events, hashes, strict=True):
        of = [(i, digest[i]) for i in event.shown_order]
        previous = chain.link(previous, rows.judgment_values(event), of)
        assert hashed == previous, event
    assert head == f"7:{previous}"


def test_an_upgraded_lab_goes_on(old_lab):
    database, engine = old_lab
    with engine.connect() as connection:
        offered = "items" in reflected(connection)
    with PreferenceStore(database) as store:
        # policy@0 answered one prompt twice
        assert store.assignments.offer() == (0 if offered else 1)
        assert store.assignments.progress("ann").done == 0
        assert store.submit(ranking("r9", ONE, supersedes="r2", created_at=NOON)) is True
        assert store.assignments.progress("ann").done == 1
    with PreferenceStore(database) as again:
        assert [j.id for j in again.judgments()] == ["r9"]
        assert again.chain_head().startswith("8:")


def test_rows_are_append_only_after_an_upgrade(old_lab):
    database, engine = old_lab
    PreferenceStore(database).close()
    for sql in ("UPDATE judgments SET strength = 'much'", "DELETE FROM judgments"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="append-only: submit a new one"),
            engine.begin() as connection,
        ):
            connection.exec_driver_sql(sql)


def test_an_upgrade_that_fails_leaves_the_lab_as_it_was(old_lab):
    database, engine = old_lab

    def full(connection, cursor, statement, *rest):
        if statement.startswith(f"UPDATE alembic_version SET version_num='{HEAD}'"):
            raise sqlite3.OperationalError("database or disk is full")

    with engine.connect() as connection:
        before = reflected(connection).keys()
    sa.event.listen(sa.Engine, "before_cursor_execute", full)
    try:
        with pytest.raises((StoreError, sqlite3.OperationalError), match="full"):
            PreferenceStore(database)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", full)
    with engine.connect() as connection:
        assert reflected(connection).keys() == before
    PreferenceStore(database).close()
