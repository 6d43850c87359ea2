"""Slowing down whoever guesses passwords, without locking anybody out for good.

A try is counted before its password is looked at and struck off if that was right, so that many
tries at once are no way around the count. What is refused is not counted: waiting always ends.

Counted are the account, five tries, and the address, twenty, since an office has one address. A
browser in which the account has signed in before is counted by itself alone, so whoever guesses
elsewhere, or in the same office, never keeps somebody out of their own browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from rlhf_lab.dashboard.accounts.names import LONGEST, name_key
from rlhf_lab.errors import Throttled
from rlhf_lab.store.tables import FailedSignInRow

TRIES = 5
TRIES_OF_AN_ADDRESS = 20
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
# Longer than the longest wait, so that waiting it out does not start the count anew.
REMEMBERED = timedelta(hours=1)

_ADDRESS = "address:"


def counters(name: str, address: str, browser: str | None) -> list[str]:
    """What a try to sign in is counted for.

    Args:
        name: As typed; it need not be an account's.
        address: Of the client.
        browser: Id of a browser in which this account has signed in before, if it is one.
    """
    if browser is not None:
        return [f"browser:{browser}"]
    return [f"account:{name_key(name)[:LONGEST]}", _ADDRESS + _network(address)]


def enter(session: Session, about: Sequence[str], now: datetime) -> None:
    """Count a try.

    Args:
        session: A writing one.
        about: From `counters`.
        now: The time.

    Raises:
        Throttled: there were too many; this one is neither counted nor looked at.
    """
    session.execute(delete(FailedSignInRow).where(FailedSignInRow.failed_at < now - REMEMBERED))
    wait = max(_wait(session, what, now) for what in about)
    if wait > timedelta(0):
        seconds = max(1, round(wait.total_seconds()))
        error = Throttled(
            f"too many wrong passwords in a row: wait {_in_words(seconds)} and try again. If you "
            "forgot yours, ask a researcher for a new link."
        )
        error.wait = seconds
        raise error
    session.add_all(FailedSignInRow(about=what, failed_at=now) for what in about)


def strike_off(session: Session, about: Sequence[str]) -> None:
    """The password was right: forget the tries of this account, and this one of the address.

    An address keeps its others, or one account of an attacker's own would clear them.
    """
    for what in about:
        counted = FailedSignInRow.about == what
        if what.startswith(_ADDRESS):
            counted = FailedSignInRow.seq == (
                select(func.max(FailedSignInRow.seq)).where(counted).scalar_subquery()
            )
        session.execute(delete(FailedSignInRow).where(counted))


def forget(session: Session, name: str) -> None:
    """Forget the tries of an account whose password is new."""
    about = f"account:{name_key(name)[:LONGEST]}"
    session.execute(delete(FailedSignInRow).where(FailedSignInRow.about == about))


def _wait(session: Session, about: str, now: datetime) -> timedelta:
    times = select(FailedSignInRow.failed_at).where(FailedSignInRow.about == about)
    failed = list(session.scalars(times.order_by(FailedSignInRow.failed_at)))
    over = len(failed) - (TRIES_OF_AN_ADDRESS if about.startswith(_ADDRESS) else TRIES)
    if over < 0:
        return timedelta(0)
    # From the fifth doubling on it is the longest anyway.
    wait: timedelta = min(FIRST_WAIT * 2 ** min(over, 5), LONGEST_WAIT)
    return failed[-1] + wait - now


def _network(address: str) -> str:
    """The address; of IPv6 the part that one customer has, who can choose freely below it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:LONGEST]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


def _in_words(seconds: int) -> str:
    return f"{seconds} s" if seconds < 90 else f"{round(seconds / 60)} minutes"
