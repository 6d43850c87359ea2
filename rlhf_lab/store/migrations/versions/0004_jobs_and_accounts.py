"""A team's dashboard: model work that was asked for, and who may sign in."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables; nothing that was there changes."""
    _jobs()
    _accounts()
    _sign_ins()


def downgrade() -> None:
    """Refuse: going back would drop what people asked for."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False)


def _jobs() -> None:
    op.create_table(
        "jobs",
        _seq(),
        _text("id"),
        _text("kind"),
        _json("arguments"),
        _text("state"),
        _text("asked_by"),
        _time("asked_at"),
        _time("started_at", nullable=True),
        _time("ended_at", nullable=True),
        _text("worker", nullable=True),
        _time("beat_at", nullable=True),
        _number("attempts"),
        _number("deaths"),
        _number("done"),
        _number("total"),
        _text("note"),
        _text("cancelled_by", nullable=True),
        _json("resume"),
        sa.PrimaryKeyConstraint("seq", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "job_events",
        _seq(),
        _text("job_id"),
        _text("kind"),
        _json("values"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("seq", name="pk_job_events"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_events_job_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_events_job_seq", "job_events", ["job_id", "seq"])
    op.create_index("ix_job_events_job_kind", "job_events", ["job_id", "kind"])


def _accounts() -> None:
    op.create_table(
        "accounts",
        _text("name"),
        _text("key"),
        _text("role"),
        _text("password", nullable=True),
        _text("subject", nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        _text("created_by"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("name", name="pk_accounts"),
        sa.UniqueConstraint("key", name="uq_accounts_key"),
        sa.UniqueConstraint("subject", name="uq_accounts_subject"),
    )
    op.create_table(
        "tickets",
        _text("hash"),
        _text("purpose"),
        _text("name"),
        _text("role"),
        _text("created_by"),
        _time("created_at"),
        _time("expires_at"),
        _time("used_at", nullable=True),
        sa.PrimaryKeyConstraint("hash", name="pk_tickets"),
    )
    op.create_index("ix_tickets_name", "tickets", ["name"])


def _sign_ins() -> None:
    op.create_table(
        "sign_ins",
        _text("id"),
        _text("hash"),
        _text("name"),
        _time("created_at"),
        _time("seen_at"),
        _time("expires_at"),
        _time("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.UniqueConstraint("hash", name="uq_sign_ins_hash"),
        sa.ForeignKeyConstraint(["name"], ["accounts.name"], name="fk_sign_ins_name"),
    )
    op.create_index("ix_sign_ins_name", "sign_ins", ["name"])
    op.create_table(
        "failed_sign_ins",
        _seq(),
        _text("about"),
        _time("failed_at"),
        sa.PrimaryKeyConstraint("seq", name="pk_failed_sign_ins"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_failed_sign_ins_about", "failed_sign_ins", ["about", "failed_at"])
