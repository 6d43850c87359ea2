"""The tables of a lab, as SQLAlchemy 2 typed classes; portable between SQLite and PostgreSQL.

The schema is made by the migrations, never by `create_all`; a test holds the two together. A
change here needs a new file in `migrations/versions` and a new `schema.HEAD`.

Every table that is read in insertion order has an integer key `seq` beside its public id: neither
content hashes nor timestamps sort by when a row was stored.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# What texts start with that are stored as JSON, see `ExactText`.
ESCAPED = "\\json:"


class ExactText(TypeDecorator[str]):
    r"""Text that comes back exactly as it went in, whatever a model or a browser produced.

    PostgreSQL refuses NUL characters and neither driver takes lone surrogates. Such a string, and
    one that happens to start with the marker, is stored as the marker `\json:` followed by its
    JSON form; every other string is stored as it is. The encoding is one-to-one, so equality and
    uniqueness work in SQL.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what a database cannot hold."""
        if value is None:
            return None
        if "\0" in value or value.startswith(ESCAPED) or has_lone_surrogate(value):
            return ESCAPED + json.dumps(value)
        return value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo the escape."""
        return None if value is None else unescaped(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC; SQLite itself knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; the store has already refused naive times."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of the tables; constraints have predictable names so that migrations can alter them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: ExactText, datetime: UtcDateTime}  # noqa: RUF012  (SQLAlchemy's name)


class PromptRow(Base):
    """One prompt; the id is the hash of its messages, so the same prompt is stored once."""

    __tablename__ = "prompts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    messages: Mapped[list[list[str]]] = mapped_column(JSON)
    split: Mapped[str]
    source: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(JSON)


class ResponseRow(Base):
    """One sampled answer."""

    __tablename__ = "responses"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"), index=True)
    text: Mapped[str]
    token_ids: Mapped[list[int]] = mapped_column(JSON)
    version: Mapped[str] = mapped_column(index=True)
    sampling: Mapped[dict[str, Any] | None] = mapped_column(JSON, nullable=False)  # JSON's null
    seed: Mapped[str]  # text: seeds are any Python integer, wider than a database's; or empty
    end_reason: Mapped[str]
    purpose: Mapped[str]
    created_at: Mapped[datetime]


class JudgmentRow(Base):
    """One event of the append-only record; triggers refuse every UPDATE and DELETE."""

    __tablename__ = "judgments"
    __table_args__ = (
        # One person's events on one prompt: what every submission looks at.
        Index("ix_judgments_prompt_annotator", "prompt_id", "annotator"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"))
    annotator: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    shown_order: Mapped[list[str]] = mapped_column(JSON)
    tiers: Mapped[list[list[str]] | None] = mapped_column(JSON(none_as_null=True))
    comment: Mapped[str]
    seconds: Mapped[float]
    supersedes: Mapped[str | None] = mapped_column(ForeignKey("judgments.id"), index=True)
    created_at: Mapped[datetime]
    strength: Mapped[str | None]
    # The columns that 0003 added are empty in rows made before it, except `hash`.
    criteria: Mapped[dict[str, dict[str, int]] | None] = mapped_column(JSON(none_as_null=True))
    flags: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    occasion: Mapped[str | None]
    hash: Mapped[str]


class ActiveRow(Base):
    """A judgment that counts: neither corrected nor taken back. Derived from the events.

    Kept in the transaction that stores an event, so that nobody has to replay the record to know
    what counts; `audit` replays it and compares.
    """

    __tablename__ = "active_judgments"

    judgment_id: Mapped[str] = mapped_column(ForeignKey("judgments.id"), primary_key=True)
    # That of the event, so that those that count are read in the order they were made.
    seq: Mapped[int] = mapped_column(unique=True)
    prompt_id: Mapped[str] = mapped_column(index=True)
    annotator: Mapped[str]
    kind: Mapped[str]
    occasion: Mapped[str]
    item_id: Mapped[str | None] = mapped_column(index=True)

    # With the kind, finding the latest one and counting read this index alone.
    __table_args__ = (Index("ix_active_judgments_annotator_seq", "annotator", "seq", "kind"),)


class DemonstrationRow(Base):
    """An answer that a person wrote or edited; append-only by the same triggers."""

    __tablename__ = "demonstrations"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"), index=True)
    text: Mapped[str]
    annotator: Mapped[str] = mapped_column(index=True)
    edited_from: Mapped[str | None] = mapped_column(ForeignKey("responses.id"))
    comment: Mapped[str]
    seconds: Mapped[float]
    supersedes: Mapped[str | None] = mapped_column(ForeignKey("demonstrations.id"), unique=True)
    created_at: Mapped[datetime]


class AnnotatorRow(Base):
    """Somebody who judged, or was told to."""

    __tablename__ = "annotators"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    created_at: Mapped[datetime]


class ItemRow(Base):
    """One prompt with the candidates that are to be compared.

    `done` is derived: how many annotators' rankings of it count.
    """

    __tablename__ = "items"
    __table_args__ = (
        # What is open in the order it is drawn; in the order it was made.
        Index("ix_items_version_state_draw", "version", "state", "draw"),
        Index("ix_items_version_state_seq", "version", "state", "seq"),
        # By what it teaches.
        Index("ix_items_version_state_priority", "version", "state", "priority", "draw"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"), index=True)
    version: Mapped[str]
    candidates: Mapped[list[str]] = mapped_column(JSON)
    # "open", "full" (has the rankings it needs), "gold" (its answer is known) or "retired".
    state: Mapped[str]
    # A uniform number in [0, 2**31): where the item stands in the circle that draws go round.
    draw: Mapped[int]
    done: Mapped[int]
    answer: Mapped[list[list[str]] | None] = mapped_column(JSON(none_as_null=True))
    # How much its ranking would teach, in nats, when somebody with a model last looked; 0 before.
    priority: Mapped[float]


class AssignmentRow(Base):
    """One item in the hands of one annotator; finished once `judgment_id` names what they said."""

    __tablename__ = "assignments"
    __table_args__ = (
        Index("uq_assignments_item", "item_id", "annotator", "occasion", unique=True),
        Index("ix_assignments_annotator_open", "annotator", "judgment_id"),
        # With the last two, counting what somebody has done reads this index alone.
        Index(
            "ix_assignments_annotator_seq",
            "annotator",
            "version",
            "item_seq",
            "occasion",
            "judgment_id",
        ),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"))
    # Copies of the item's own, which never change, so that one index answers "what comes next".
    item_seq: Mapped[int]
    version: Mapped[str]
    annotator: Mapped[str]
    occasion: Mapped[str]
    leased_until: Mapped[datetime]
    judgment_id: Mapped[str | None] = mapped_column(ForeignKey("judgments.id"), unique=True)


class VersionRow(Base):
    """One immutable checkpoint in the tree."""

    __tablename__ = "versions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("versions.name"))
    path: Mapped[str]
    trained_with: Mapped[list[str]] = mapped_column(JSON)
    metrics: Mapped[dict[str, float | str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    judged: Mapped[str | None]


class MetricsTable(Base):
    """The figures of one step of training or one evaluation.

    No foreign key to versions: steps are logged while the version they lead to is in the making.
    """

    __tablename__ = "metrics"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    version: Mapped[str] = mapped_column(index=True)
    step: Mapped[int]
    values: Mapped[dict[str, float | str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    judge: Mapped[str | None]


class SettingRow(Base):
    """One fact about the lab itself: its model, quantization, adapter shape, seed, heads."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)


class JobRow(Base):
    """One piece of model work that somebody asked for; a worker process takes them in order."""

    __tablename__ = "jobs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(index=True)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    # Which worker has it, and when that was last heard of.
    worker: Mapped[str | None]
    beat_at: Mapped[datetime | None]
    attempts: Mapped[int]
    # Of workers, in a row and without any of it being done in between.
    deaths: Mapped[int]
    # Steps made, of how many; what a step is depends on the kind.
    done: Mapped[int]
    total: Mapped[int]
    # What it is at, or why it waits; once it is over, what came of it, for people.
    note: Mapped[str]
    cancelled_by: Mapped[str | None]
    # What a worker needs to go on with it after another one died.
    resume: Mapped[dict[str, Any]] = mapped_column(JSON)


class JobEventRow(Base):
    """What a job tells those who watch: the calls of a `TrainingListener`, in order."""

    __tablename__ = "job_events"
    __table_args__ = (
        # What came since; and what a later one of its kind replaces.
        Index("ix_job_events_job_seq", "job_id", "seq"),
        Index("ix_job_events_job_kind", "job_id", "kind"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    kind: Mapped[str]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]


class AccountRow(Base):
    """Somebody who may sign in to the dashboard; judgments name them by the same name."""

    __tablename__ = "accounts"

    name: Mapped[str] = mapped_column(primary_key=True)
    # The name without what people do not tell apart, such as case: no two accounts share it.
    key: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    # An argon2 hash; none for who signs in through a provider alone.
    password: Mapped[str | None]
    # How a provider names them, as in "github:ada@example.org".
    subject: Mapped[str | None] = mapped_column(unique=True)
    disabled: Mapped[bool]
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class TicketRow(Base):
    """A link that may be used once, to make an account or to set a new password."""

    __tablename__ = "tickets"

    # Of the secret in the link, which is kept nowhere.
    hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInRow(Base):
    """A browser that is signed in; `id` may be known to its pages, the cookie's secret is not."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class FailedSignInRow(Base):
    """A wrong password, counted for the account and for the address it came from."""

    __tablename__ = "failed_sign_ins"
    __table_args__ = (
        Index("ix_failed_sign_ins_about", "about", "failed_at"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    # As in "account:ada" or "address:192.0.2.7".
    about: Mapped[str]
    failed_at: Mapped[datetime]


def unescaped(value: str) -> str:
    """The text that `ExactText` stored in this form."""
    return str(json.loads(value[len(ESCAPED) :])) if value.startswith(ESCAPED) else value


def has_lone_surrogate(text: str) -> bool:
    """Whether the text holds half a character and so has no UTF-8 form."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
