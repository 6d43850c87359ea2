"""Finding accounts in the database, and the rules about who may change whose.

All of it runs inside the caller's transaction; where that one writes, what was checked stays true
until the change is made.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from rlhf_lab.dashboard.access import ROLES, Role, is_manager_of
from rlhf_lab.dashboard.accounts.names import name_key
from rlhf_lab.errors import ConfigError, NotAllowed
from rlhf_lab.store.tables import AccountRow, TicketRow


def by_name(session: Session, name: str) -> AccountRow | None:
    """The account of this name, however its case was typed."""
    return session.scalar(select(AccountRow).where(AccountRow.key == name_key(name)))


def by_subject(session: Session, subject: str) -> AccountRow | None:
    """The account of somebody whom a provider names like this."""
    return session.scalar(select(AccountRow).where(AccountRow.subject == subject))


def known(session: Session, name: str) -> AccountRow:
    """The account of this name.

    Raises:
        ConfigError: there is none.
    """
    row = by_name(session, name)
    if row is None:
        raise ConfigError(f"{name!r:.80}: nobody has this name. The page People lists everybody.")
    return row


def managed(session: Session, name: str, by: str) -> AccountRow:
    """The account of this name, if `by` may change it.

    Nobody changes their own, and only an admin changes an admin; so there is always one left.

    Raises:
        ConfigError: there is none.
        NotAllowed: `by` may not.
    """
    row = known(session, name)
    if row.key == name_key(by):
        raise NotAllowed(
            f"{row.name}: nobody gives their own account another role, disables or resets it. Ask "
            "somebody else; your own password is changed under Account."
        )
    require_manager(session, by, row.role)
    return row


def require_manager(session: Session, by: str, role: str) -> None:
    """Refuse unless `by` may make and change accounts of this role.

    Raises:
        NotAllowed: `by` has no account that is enabled, or its role is too low.
    """
    manager = by_name(session, by)
    if manager is None or manager.disabled:
        raise NotAllowed(f"{by!r:.80} has no account here that could do this: sign in with one.")
    if not is_manager_of(cast(Role, manager.role), cast(Role, role)):
        least = "admin" if role == "admin" else "researcher"
        raise NotAllowed(
            f"{manager.name} is {manager.role}: for an account that is {role} this takes the role "
            f"{least}. Ask somebody who is."
        )


def require_role(role: str) -> None:
    """Refuse what is no role.

    Raises:
        ConfigError: it is none.
    """
    if role not in ROLES:
        raise ConfigError(f"role={role!r:.80}: use one of {', '.join(ROLES)}.")


def require_free(session: Session, name: str) -> None:
    """Refuse a name that an account has, however its case is written.

    Raises:
        ConfigError: it is taken.
    """
    row = by_name(session, name)
    if row is not None:
        what = "is disabled: enable it" if row.disabled else "exists: choose another name"
        raise ConfigError(f"{name}: an account of the name {row.name} {what}.")


def require_free_subject(session: Session, subject: str, name: str) -> None:
    """Refuse to let two accounts sign in as the same person of a provider.

    Raises:
        ConfigError: another account has it.
    """
    row = by_subject(session, subject)
    if row is not None and row.name != name:
        raise ConfigError(
            f"{subject} signs in as {row.name} already: use another one for {name}, or ask a "
            f"researcher to disable {row.name}."
        )


def new_account(session: Session, name: str, ticket: TicketRow, now: datetime) -> AccountRow:
    """Add the account that an invite is for.

    Raises:
        ConfigError: somebody has the name by now.
    """
    require_free(session, name)
    row = AccountRow(
        name=name,
        key=name_key(name),
        role=ticket.role,
        disabled=False,
        created_by=ticket.created_by,
        created_at=now,
    )
    session.add(row)
    return row
