"""Browsers that are signed in; the secret is in the cookie alone, the table has its hash."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, bindparam, delete, select, update
from sqlalchemy.orm import Session

from rlhf_lab.dashboard.accounts.records import SignIn, to_sign_in
from rlhf_lab.dashboard.accounts.tickets import hashed
from rlhf_lab.store.tables import AccountRow, SignInRow

# Without a sign of life, and in any case.
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
# A sign of life is written down no more often.
NOTED_EVERY = timedelta(minutes=1)

# Asked at each act of everybody, so written once: making a statement takes longer than running it.
_COUNTING = (
    select(SignInRow, AccountRow)
    .join(AccountRow, AccountRow.name == SignInRow.name)
    .where(SignInRow.ended_at.is_(None), AccountRow.disabled.is_(False))
    .where(SignInRow.expires_at > bindparam("now"), SignInRow.seen_at > bindparam("idle_since"))
)
_BY_ID = _COUNTING.where(SignInRow.id == bindparam("which"))
_BY_HASH = _COUNTING.where(SignInRow.hash == bindparam("which"))


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


def by_id(session: Session, sign_in_id: str, now: datetime) -> SignIn | None:
    """The one of this public id, if it counts: not ended, expired or idle, its account enabled."""
    return _find(session, _BY_ID, sign_in_id, now)


def by_secret(session: Session, secret: str, now: datetime) -> SignIn | None:
    """The one of this cookie, if it counts."""
    return _find(session, _BY_HASH, hashed(secret), now)


def note_seen(session: Session, sign_in_id: str, now: datetime) -> None:
    """Write down a sign of life."""
    session.execute(update(SignInRow).where(SignInRow.id == sign_in_id).values(seen_at=now))


def end(session: Session, which: ColumnElement[bool], now: datetime) -> None:
    """End sign-ins; their cookies and open pages open nothing from here on."""
    session.execute(
        update(SignInRow).where(which, SignInRow.ended_at.is_(None)).values(ended_at=now)
    )


def _find(
    session: Session, counting: Select[SignInRow, AccountRow], which: str, now: datetime
) -> SignIn | None:
    values = {"which": which, "now": now, "idle_since": now - IDLE}
    row = session.execute(counting, values).one_or_none()
    return None if row is None else to_sign_in(row[0], row[1])
