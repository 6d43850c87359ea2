"""Links that may be used once; the secret is in the link alone, the table has its hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from rlhf_lab.dashboard.access import Role
from rlhf_lab.dashboard.accounts.records import Purpose
from rlhf_lab.errors import ConfigError, TicketError
from rlhf_lab.store.tables import TicketRow

LONGEST_DAYS = 90
_KEPT = timedelta(days=30)  # after it ended, so that an old link is told what became of it


def hashed(secret: str) -> str:
    """What is stored of a secret of 256 random bits, which needs neither salt nor slowness."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def issue(
    session: Session,
    purpose: Purpose,
    *,
    name: str,
    role: Role,
    by: str,
    days: float,
    now: datetime,
) -> str:
    """Make a link's secret, instead of earlier ones for the same person.

    Raises:
        ConfigError: days outside the range.
    """
    if not 0 < days <= LONGEST_DAYS:
        raise ConfigError(f"days={days}: above 0, and at most {LONGEST_DAYS}. Use 7.")
    withdraw(session, TicketRow.name == name)
    session.execute(delete(TicketRow).where(TicketRow.expires_at < now - _KEPT))
    secret = secrets.token_urlsafe(32)
    session.add(
        TicketRow(
            hash=hashed(secret),
            purpose=purpose,
            name=name,
            role=role,
            created_by=by,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
    )
    session.flush()
    return secret


def find(session: Session, secret: str, now: datetime) -> TicketRow:
    """The ticket of a link that can still be used.

    Raises:
        TicketError: there is none, it was used, or it expired.
    """
    row = session.get(TicketRow, hashed(secret))
    if row is None:
        raise TicketError(
            "this link is not known: it may have been replaced by a newer one. Open the whole link "
            "as it was sent to you, or ask a researcher for a new one."
        )
    if row.used_at is not None:
        raise TicketError(
            "this link was used already: sign in with the password that was chosen then, or ask a "
            "researcher for a new link."
        )
    if row.expires_at <= now:
        raise TicketError(
            f"this link expired on {row.expires_at:%d %B %Y at %H:%M} UTC: ask a researcher for a "
            "new one."
        )
    return row


def use(session: Session, secret: str, now: datetime) -> TicketRow:
    """Find a ticket and use it up; in a writing transaction, so it is used once.

    Raises:
        TicketError: as for `find`.
    """
    row = find(session, secret, now)
    row.used_at = now
    return row


def withdraw(session: Session, which: ColumnElement[bool]) -> None:
    """Make links that were not used yet unknown."""
    session.execute(delete(TicketRow).where(which, TicketRow.used_at.is_(None)))


def all_open(session: Session, now: datetime) -> list[TicketRow]:
    """Those that can be used, oldest first, without links that leave the name open."""
    unused = select(TicketRow).where(TicketRow.used_at.is_(None), TicketRow.expires_at > now)
    return list(session.scalars(unused.where(TicketRow.name != "").order_by(TicketRow.created_at)))
