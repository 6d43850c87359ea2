"""Browsers that are signed in; the secret is in the cookie alone, the table has its hash."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from rlhf_lab.dashboard.accounts.records import SignIn, to_sign_in
from rlhf_lab.dashboard.accounts.tickets import hashed
from rlhf_lab.store.tables import AccountRow, SignInRow

# Without a sign of life, and in any case.
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
# A sign of life is written down no more often.
NOTED_EVERY = timedelta(minutes=1)


def begin(session: Session, name: str, now: datetime) -> str:
    """Sign a browser in; returns the secret for its cookie."""
    session.execute(delete(SignInRow).where(SignInRow.expires_at < now - LONGEST))
    secret = secrets.token_urlsafe(32)
    session.add(
        SignInRow(
            id=secrets.token_urlsafe(12),
            hash=hashed(secret),
            name=name,
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST,
        )
    )
    return secret


def find(session: Session, which: ColumnElement[bool], now: datetime) -> SignIn | None:
    """A sign-in that counts: not ended, not expired, not idle for long, its account enabled."""
    row = session.execute(
        select(SignInRow, AccountRow)
        .join(AccountRow, AccountRow.name == SignInRow.name)
        .where(which, SignInRow.ended_at.is_(None), AccountRow.disabled.is_(False))
        .where(SignInRow.expires_at > now, SignInRow.seen_at > now - IDLE)
    ).one_or_none()
    return None if row is None else to_sign_in(*row)


def by_secret(secret: str) -> ColumnElement[bool]:
    """The one of this cookie."""
    return SignInRow.hash == hashed(secret)


def note_seen(session: Session, sign_in_id: str, now: datetime) -> None:
    """Write down a sign of life."""
    session.execute(update(SignInRow).where(SignInRow.id == sign_in_id).values(seen_at=now))


def end(session: Session, which: ColumnElement[bool], now: datetime) -> None:
    """End sign-ins; their cookies and open pages open nothing from here on."""
    session.execute(
        update(SignInRow).where(which, SignInRow.ended_at.is_(None)).values(ended_at=now)
    )
