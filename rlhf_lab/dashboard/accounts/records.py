"""What the rest of the dashboard sees of the tables about people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from rlhf_lab.dashboard.access import Role
from rlhf_lab.store.tables import AccountRow, SignInRow, TicketRow

Purpose = Literal["invite", "reset"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody who may sign in.

    Attributes:
        name: Never changes; the judgments they make carry it.
        subject: How a provider names them, if they sign in through one.
        has_password: Whether they can sign in with a password.
    """

    name: str
    role: Role
    disabled: bool
    subject: str | None
    has_password: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """A browser that is signed in.

    Attributes:
        id: Public: the browser's pages know it. It opens nothing.
        account: As it was when this was read.
        seen_at: The last sign of life of the person, to the minute.
    """

    id: str
    account: Account
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A link that was handed out and not used yet.

    Attributes:
        purpose: "invite" makes an account, "reset" sets a new password.
        name: Whose; empty where whoever uses the link chooses, as the first admin does.
        role: Of the account that an invite makes.
    """

    purpose: Purpose
    name: str
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime


def to_account(row: AccountRow) -> Account:
    """The account a row holds, without its password."""
    return Account(
        name=row.name,
        role=cast(Role, row.role),
        disabled=row.disabled,
        subject=row.subject,
        has_password=row.password is not None,
        created_by=row.created_by,
        created_at=row.created_at,
    )


def to_sign_in(row: SignInRow, account: AccountRow) -> SignIn:
    """The sign-in a row holds, without the hash of its secret."""
    return SignIn(
        id=row.id,
        account=to_account(account),
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
    )


def to_ticket(row: TicketRow) -> Ticket:
    """The ticket a row holds, without the hash of its secret."""
    return Ticket(
        purpose=cast(Purpose, row.purpose),
        name=row.name,
        role=cast(Role, row.role),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
