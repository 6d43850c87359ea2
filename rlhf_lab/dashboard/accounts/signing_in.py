"""From a password, or a provider's word, to a browser that is signed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from rlhf_lab.dashboard.accounts import rows, sign_ins, throttling, tickets
from rlhf_lab.dashboard.accounts.passwords import Passwords, checked_password
from rlhf_lab.dashboard.accounts.records import SignIn
from rlhf_lab.errors import NotAllowed, WrongPassword
from rlhf_lab.store.database import Database
from rlhf_lab.store.tables import AccountRow, SignInRow, TicketRow
from rlhf_lab.types import utc_now


@dataclass(frozen=True, kw_only=True)
class _Verified:
    """A password that was right for an account, when it was looked at."""

    name: str
    stored: str = field(repr=False)
    # To store instead, where it was hashed with older parameters.
    rehashed: str | None = field(repr=False)
    counted_for: list[str]


class SigningIn:
    """The half of `Accounts` that is about browsers; its arguments are described there."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        *,
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords or Passwords()

    def sign_in(self, name: str, password: str, address: str, *, browser: str | None = None) -> str:
        """Sign a browser in; returns the secret for its cookie.

        Args:
            name: As typed; case does not count.
            password: As typed.
            address: Of the client; wrong passwords are counted for it as for the account.
            browser: Id of a browser in which this account has signed in before, if it is one: its
                tries are counted apart.

        Raises:
            WrongPassword: in the same words and after the same time whether the name, the password
                or both are wrong, or the account is disabled.
            Throttled: there were too many before.
        """
        verified = self._verified(name, password, throttling.counters(name, address, browser))
        with self._database.write() as session:
            row = _still(session, verified)
            row.password = verified.rehashed or row.password
            throttling.strike_off(session, verified.counted_for)
            return sign_ins.begin(session, row.name, self._clock())

    def sign_in_with(self, subject: str) -> str:
        """Sign a browser in whose person a provider vouches for; returns the cookie's secret.

        Raises:
            NotAllowed: no account that is enabled has this subject.
        """
        with self._database.write() as session:
            row = rows.by_subject(session, subject)
            if row is None or row.disabled:
                raise NotAllowed(
                    f"{subject}: nobody was invited under this name. Ask a researcher for an "
                    "invite, and open its link to connect this account."
                )
            return sign_ins.begin(session, row.name, self._clock())

    def begin_sign_in(self, name: str) -> str:
        """Sign in a browser that has just used a link; returns the secret for its cookie.

        Raises:
            ConfigError: no such account.
            NotAllowed: it was disabled meanwhile.
        """
        with self._database.write() as session:
            row = rows.known(session, name)
            if row.disabled:
                raise NotAllowed(f"{row.name} is disabled: ask a researcher.")
            return sign_ins.begin(session, row.name, self._clock())

    def change_password(
        self, name: str, old: str, new: str, address: str, *, browser: str | None = None
    ) -> str:
        """Set a new password, which ends all sign-ins; returns the secret of a new one.

        Args:
            name: Whose.
            old: The present one, as typed.
            new: The new one, as typed.
            address: As for `sign_in`.
            browser: As for `sign_in`.

        Raises:
            ConfigError: the new one cannot be one.
            WrongPassword: the old one is wrong.
            Throttled: there were too many before.
        """
        checked_password(new, name)
        verified = self._verified(name, old, throttling.counters(name, address, browser))
        hashed = self._passwords.hash(new)
        now = self._clock()
        with self._database.write() as session:
            row = _still(session, verified)
            row.password = hashed
            throttling.strike_off(session, verified.counted_for)
            tickets.withdraw(session, TicketRow.name == row.name)
            sign_ins.end(session, SignInRow.name == row.name, now)
            return sign_ins.begin(session, row.name, now)

    def signed_in(self, secret: str) -> SignIn | None:
        """The sign-in of a cookie, if it still counts."""
        with self._database.read() as session:
            return sign_ins.by_secret(session, secret, self._clock())

    def sign_in_by_id(self, sign_in_id: str) -> SignIn | None:
        """The sign-in of this public id, if it still counts."""
        with self._database.read() as session:
            return sign_ins.by_id(session, sign_in_id, self._clock())

    def note_seen(self, sign_in: SignIn) -> None:
        """Write down that the person did something, at most once a minute."""
        now = self._clock()
        if now - sign_in.seen_at >= sign_ins.NOTED_EVERY:
            with self._database.lend() as session:
                sign_ins.note_seen(session, sign_in.id, now)

    def sign_out(self, sign_in_id: str) -> None:
        """End a sign-in."""
        with self._database.write() as session:
            sign_ins.end(session, SignInRow.id == sign_in_id, self._clock())

    def _verified(self, name: str, password: str, about: list[str]) -> _Verified:
        with self._database.write() as session:
            throttling.enter(session, about, self._clock())
            row = rows.by_name(session, name)
            has_password = row is not None and row.password is not None and not row.disabled
            known, stored = (row.name, row.password) if row and has_password else ("", None)
        if not self._passwords.verify(stored, password) or stored is None:
            raise _wrong()
        outdated = self._passwords.is_outdated(stored)
        return _Verified(
            name=known,
            stored=stored,
            rehashed=self._passwords.hash(password) if outdated else None,
            counted_for=about,
        )


def _still(session: Session, verified: _Verified) -> AccountRow:
    """The account, unless its password was changed or it was disabled since it was looked at."""
    row = rows.known(session, verified.name)
    if row.disabled or row.password != verified.stored:
        raise _wrong()
    return row


def _wrong() -> WrongPassword:
    return WrongPassword("the name or the password is wrong: check both and try again.")
