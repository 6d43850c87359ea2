"""The first tables, and the triggers that make judgments append-only.

Column types are spelled out here rather than imported from `tables`: a migration must keep
meaning what it meant when it was written.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = "judgments are append-only: submit a new one that supersedes"


def upgrade() -> None:
    """Create everything."""
    _prompts()
    _responses()
    _judgments()
    _versions()
    _metrics()
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_settings"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def downgrade() -> None:
    """Refuse: going back would drop what people said."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")


def _prompts() -> None:
    op.create_table(
        "prompts",
        _seq(),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_prompts"),
        sa.UniqueConstraint("id", name="uq_prompts_id"),
        sqlite_autoincrement=True,
    )


def _responses() -> None:
    op.create_table(
        "responses",
        _seq(),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("token_ids", sa.JSON(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sampling", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_responses"),
        sa.UniqueConstraint("id", name="uq_responses_id"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_responses_prompt_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_responses_prompt_id", "responses", ["prompt_id"])
    op.create_index("ix_responses_version", "responses", ["version"])


def _judgments() -> None:
    op.create_table(
        "judgments",
        _seq(),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("shown_order", sa.JSON(), nullable=False),
        sa.Column("tiers", sa.JSON(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("supersedes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_judgments"),
        sa.UniqueConstraint("id", name="uq_judgments_id"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="fk_judgments_prompt_id"),
        sa.ForeignKeyConstraint(["supersedes"], ["judgments.id"], name="fk_judgments_supersedes"),
        sqlite_autoincrement=True,
    )
    for column in ("prompt_id", "annotator", "supersedes"):
        op.create_index(f"ix_judgments_{column}", "judgments", [column])


def _versions() -> None:
    op.create_table(
        "versions",
        _seq(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("trained_with", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_versions"),
        sa.UniqueConstraint("name", name="uq_versions_name"),
        sa.ForeignKeyConstraint(["parent"], ["versions.name"], name="fk_versions_parent"),
        sqlite_autoincrement=True,
    )


def _metrics() -> None:
    op.create_table(
        "metrics",
        _seq(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_metrics"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_metrics_kind", "metrics", ["kind"])
    op.create_index("ix_metrics_version", "metrics", ["version"])


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False)


def _sqlite_triggers() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER judgments_no_{action.lower()} BEFORE {action} ON judgments "
            f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
        )
    # INSERT OR REPLACE deletes without firing the DELETE trigger.
    op.execute(
        "CREATE TRIGGER judgments_no_replace BEFORE INSERT ON judgments "
        "WHEN EXISTS (SELECT 1 FROM judgments WHERE id = NEW.id OR seq = NEW.seq) "
        f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
    )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION judgments_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER judgments_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON judgments "
        "FOR EACH STATEMENT EXECUTE FUNCTION judgments_append_only()"
    )
