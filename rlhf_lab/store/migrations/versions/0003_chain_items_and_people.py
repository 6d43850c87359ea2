"""The hash chain over judgments, what counts at a glance, items and who has them, people's texts.

Rows that are there keep every value. Their hashes are computed here, once, from what they hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from rlhf_lab.store import chain
from rlhf_lab.store.judging import active_events, item_id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_APPEND_ONLY = "demonstrations are append-only: submit a new one that supersedes"
_BATCH = 1000


def upgrade() -> None:
    """Add columns in place, then fill what is derived from the judgments."""
    for name, kind in (("criteria", sa.JSON()), ("flags", sa.JSON()), ("occasion", sa.Text())):
        op.add_column("judgments", sa.Column(name, kind, nullable=True))
    op.add_column("judgments", sa.Column("hash", sa.Text(), nullable=False, server_default=""))
    op.drop_index("ix_judgments_prompt_id", "judgments")
    op.create_index("ix_judgments_prompt_annotator", "judgments", ["prompt_id", "annotator"])
    op.add_column("versions", sa.Column("judged", sa.Text(), nullable=True))
    _active_judgments()
    _demonstrations()
    op.create_table(
        "annotators",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_annotators"),
    )
    _items()
    _assignments()
    connection = op.get_bind()
    with _writable_judgments():
        _chain_what_is_there(connection)
    _note_what_counts(connection)
    connection.execute(
        sa.text(
            "INSERT INTO annotators (name, role, created_at) SELECT annotator, 'annotator', "
            "MIN(created_at) FROM judgments GROUP BY annotator"
        )
    )


def downgrade() -> None:
    """Refuse: going back would drop what people said."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")


def _active_judgments() -> None:
    op.create_table(
        "active_judgments",
        sa.Column("judgment_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("judgment_id", name="pk_active_judgments"),
        sa.ForeignKeyConstraint(
            ["judgment_id"], ["judgments.id"], name="fk_active_judgments_judgment_id"
        ),
        sa.UniqueConstraint("seq", name="uq_active_judgments_seq"),
    )
    for column in ("prompt_id", "item_id"):
        op.create_index(f"ix_active_judgments_{column}", "active_judgments", [column])
    op.create_index(
        "ix_active_judgments_annotator_seq", "active_judgments", ["annotator", "seq", "kind"]
    )


def _demonstrations() -> None:
    op.create_table(
        "demonstrations",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("edited_from", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("supersedes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_demonstrations"),
        sa.UniqueConstraint("id", name="uq_demonstrations_id"),
        sa.UniqueConstraint("supersedes", name="uq_demonstrations_supersedes"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_demonstrations_prompt_id"),
        sa.ForeignKeyConstraint(
            ["edited_from"], ["responses.id"], name="fk_demonstrations_edited_from"
        ),
        sa.ForeignKeyConstraint(
            ["supersedes"], ["demonstrations.id"], name="fk_demonstrations_supersedes"
        ),
        sqlite_autoincrement=True,
    )
    for column in ("prompt_id", "annotator"):
        op.create_index(f"ix_demonstrations_{column}", "demonstrations", [column])
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER demonstrations_no_{action.lower()} BEFORE {action} ON "
                f"demonstrations BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
            )
        op.execute(
            "CREATE TRIGGER demonstrations_no_replace BEFORE INSERT ON demonstrations WHEN EXISTS "
            "(SELECT 1 FROM demonstrations WHERE id = NEW.id OR seq = NEW.seq "
            "OR supersedes = NEW.supersedes) "
            f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
        )
    else:
        op.execute(
            "CREATE FUNCTION demonstrations_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER demonstrations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "
            "demonstrations FOR EACH STATEMENT EXECUTE FUNCTION demonstrations_append_only()"
        )


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("draw", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_items"),
        sa.UniqueConstraint("id", name="uq_items_id"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_items_prompt_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_items_prompt_id", "items", ["prompt_id"])
    for order in ("draw", "seq"):
        op.create_index(f"ix_items_version_state_{order}", "items", ["version", "state", order])


def _assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("item_seq", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("judgment_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_assignments"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_assignments_item_id"),
        sa.ForeignKeyConstraint(
            ["judgment_id"], ["judgments.id"], name="fk_assignments_judgment_id"
        ),
        sa.UniqueConstraint("judgment_id", name="uq_assignments_judgment_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_assignments_item", "assignments", ["item_id", "annotator", "occasion"], unique=True
    )
    op.create_index("ix_assignments_annotator_open", "assignments", ["annotator", "judgment_id"])
    op.create_index(
        "ix_assignments_annotator_seq",
        "assignments",
        ["annotator", "version", "item_seq", "occasion", "judgment_id"],
    )


class _writable_judgments:
    """Lets this migration, and nothing after it, write hashes into stored rows."""

    _SQLITE = (
        "CREATE TRIGGER judgments_no_update BEFORE UPDATE ON judgments BEGIN SELECT "
        "RAISE(ABORT, 'judgments are append-only: submit a new one that supersedes'); END"
    )

    def __enter__(self) -> None:
        if op.get_bind().dialect.name == "sqlite":
            op.execute("DROP TRIGGER judgments_no_update")
        else:
            op.execute("ALTER TABLE judgments DISABLE TRIGGER judgments_append_only")

    def __exit__(self, *failure: object) -> None:
        if failure[0] is not None:
            return  # the transaction is rolled back, the trigger with it
        if op.get_bind().dialect.name == "sqlite":
            op.execute(self._SQLITE)
        else:
            op.execute("ALTER TABLE judgments ENABLE TRIGGER judgments_append_only")


def _chain_what_is_there(connection: sa.Connection) -> None:
    head = chain.Head()
    for batch in _judgments(connection):
        shown = {i for row in batch for i in row["shown_order"]}
        digests = _digests(connection, shown)
        hashes = []
        for row in batch:
            of = [(i, digests[i]) for i in row["shown_order"] if i in digests]
            head = chain.Head(head.length + 1, chain.link(head.hash, row, of))
            hashes.append({"seq": row["seq"], "hash": head.hash})
        connection.execute(sa.text("UPDATE judgments SET hash = :hash WHERE seq = :seq"), hashes)
    connection.execute(
        sa.text("INSERT INTO settings (key, value) VALUES (:key, :value)"),
        {"key": chain.SETTING, "value": json.dumps(head.as_setting())},
    )


def _note_what_counts(connection: sa.Connection) -> None:
    query = sa.text(
        "SELECT seq, id, prompt_id, annotator, kind, shown_order, supersedes FROM judgments "
        "ORDER BY seq"
    )
    active = active_events(connection.execute(query).all())
    rows = [
        {
            "judgment_id": e.id,
            "seq": e.seq,
            "prompt_id": e.prompt_id,
            "annotator": e.annotator,
            "kind": e.kind,
            "occasion": "regular",
            "item_id": item_id(e.prompt_id, _json(e.shown_order)),
        }
        for e in active
    ]
    insert = (
        "INSERT INTO active_judgments (judgment_id, seq, prompt_id, annotator, kind, occasion, "
        "item_id) VALUES (:judgment_id, :seq, :prompt_id, :annotator, :kind, :occasion, :item_id)"
    )
    if rows:
        connection.execute(sa.text(insert), rows)


def _judgments(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    """The rows as they are, in batches, with JSON and times read."""
    last = 0
    while True:
        found = connection.execute(
            sa.text("SELECT * FROM judgments WHERE seq > :last ORDER BY seq LIMIT :batch"),
            {"last": last, "batch": _BATCH},
        )
        batch = [dict(row) for row in found.mappings()]
        if not batch:
            return
        last = batch[-1]["seq"]
        for row in batch:
            row.update({name: _json(row[name]) for name in ("shown_order", "tiers")})
            row["created_at"] = _utc(row["created_at"])
            for name in ("id", "annotator", "comment", "supersedes"):
                row[name] = _exact(row[name])
        yield batch


def _digests(connection: sa.Connection, ids: set[str]) -> dict[str, str]:
    query = sa.text("SELECT id, version, text FROM responses WHERE id = :id")
    found = (connection.execute(query, {"id": i}).one_or_none() for i in sorted(ids))
    return {r.id: chain.response_digest(_exact(r.version), _exact(r.text)) for r in found if r}


def _json(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(value) if isinstance(value, str) else value


def _exact(value: Any) -> Any:  # noqa: ANN401 - a text or None
    """Undo the escape of texts that a database cannot hold as they are."""
    escaped = isinstance(value, str) and value.startswith("\\json:")
    return json.loads(value.removeprefix("\\json:")) if escaped else value


def _utc(value: Any) -> datetime:  # noqa: ANN401 - SQLite has text, PostgreSQL times
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
