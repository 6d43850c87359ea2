"""`Accounts`: everything about who may sign in, over the lab's own database."""

from __future__ import annotations

from typing import cast

from sqlalchemy import func, select

from rlhf_lab.dashboard.access import Role, is_manager_of
from rlhf_lab.dashboard.accounts import rows, sign_ins, throttling, tickets
from rlhf_lab.dashboard.accounts.names import checked_name
from rlhf_lab.dashboard.accounts.passwords import checked_password
from rlhf_lab.dashboard.accounts.records import Account, Ticket, to_account, to_ticket
from rlhf_lab.dashboard.accounts.signing_in import SigningIn
from rlhf_lab.errors import NotAllowed
from rlhf_lab.store.tables import AccountRow, SignInRow, TicketRow

# Whom the server's own doings are written down to.
SERVER = "rlhf-lab serve"
DAYS = 7


class Accounts(SigningIn):
    """Accounts, one-time links and sign-ins of one lab.

    Methods that take `by` check in the transaction that makes the change what the account of that
    name may do to others; whether it may do such a thing at all is for `Actor.require`.

    Methods that take a password hash it, which takes about 50 ms by design: call them off the
    server's event loop. Everything may be called from any thread.

    Args:
        database: The lab's.
        clock: Gives the time that links, sign-ins and waits are measured with.
        passwords: How they are hashed.
    """

    # -- accounts

    def all(self) -> list[Account]:
        """Every account, by name."""
        with self._database.read() as session:
            found = session.scalars(select(AccountRow).order_by(AccountRow.key))
            return [to_account(row) for row in found]

    def get(self, name: str) -> Account | None:
        """The account of this name, however its case was typed."""
        with self._database.read() as session:
            row = rows.by_name(session, name)
            return None if row is None else to_account(row)

    def has_admin(self) -> bool:
        """Whether there is an admin who can sign in."""
        admins = select(func.count()).where(AccountRow.role == "admin")
        with self._database.read() as session:
            return bool(session.scalar(admins.where(AccountRow.disabled.is_(False))))

    def set_role(self, name: str, role: Role, by: str) -> Account:
        """Change what an account may do; open pages follow at their next act.

        With a lower one, links that it handed out and that were not used yet become unknown.

        Raises:
            ConfigError: no such account or role.
            NotAllowed: `by` may not do this to that account, or it is their own.
        """
        rows.require_role(role)
        with self._database.write() as session:
            row = rows.managed(session, name, by)
            rows.require_manager(session, by, role)
            if not is_manager_of(role, cast(Role, row.role)):
                tickets.withdraw(session, TicketRow.created_by == row.name)
            row.role = role
            return to_account(row)

    def disable(self, name: str, by: str) -> Account:
        """End an account's sign-ins and links, and refuse new ones; its judgments stay.

        Raises:
            ConfigError: no such account.
            NotAllowed: `by` may not do this to that account, or it is their own.
        """
        with self._database.write() as session:
            row = rows.managed(session, name, by)
            row.disabled = True
            sign_ins.end(session, SignInRow.name == row.name, self._clock())
            tickets.withdraw(session, TicketRow.name == row.name)
            tickets.withdraw(session, TicketRow.created_by == row.name)
            return to_account(row)

    def enable(self, name: str, by: str) -> Account:
        """Let a disabled account sign in again.

        Raises:
            ConfigError: no such account.
            NotAllowed: `by` may not do this to that account.
        """
        with self._database.write() as session:
            row = rows.managed(session, name, by)
            row.disabled = False
            return to_account(row)

    # -- links

    def invite(self, name: str, role: Role, by: str, days: float = DAYS) -> str:
        """A link's secret with which somebody makes this account, instead of an earlier one.

        Raises:
            ConfigError: a name that is taken or cannot be one, an unknown role, or days outside
                the range.
            NotAllowed: `by` may not make such accounts.
        """
        name = checked_name(name)
        rows.require_role(role)
        with self._database.write() as session:
            rows.require_manager(session, by, role)
            rows.require_free(session, name)
            return tickets.issue(
                session, "invite", name=name, role=role, by=by, days=days, now=self._clock()
            )

    def invite_admin(self) -> str:
        """A link's secret with which somebody makes an admin's account, under a name they choose.

        For whoever can start the server, and so could read the database too. An earlier one that
        was not used becomes unknown.
        """
        with self._database.write() as session:
            return tickets.issue(
                session, "invite", name="", role="admin", by=SERVER, days=DAYS, now=self._clock()
            )

    def reset(self, name: str, by: str, days: float = DAYS) -> str:
        """A link's secret with which somebody sets a new password; the present one stays till then.

        Raises:
            ConfigError: no such account, or days outside the range.
            NotAllowed: `by` may not do this to that account, it is their own, or it is disabled.
        """
        with self._database.write() as session:
            row = rows.managed(session, name, by)
            if row.disabled:
                raise NotAllowed(f"{row.name} is disabled: enable the account first.")
            role = cast(Role, row.role)
            return tickets.issue(
                session, "reset", name=row.name, role=role, by=by, days=days, now=self._clock()
            )

    def ticket(self, token: str) -> Ticket:
        """What a link is for.

        Raises:
            TicketError: there is none, it was used, or it expired.
        """
        with self._database.read() as session:
            return to_ticket(tickets.find(session, token, self._clock()))

    def open_tickets(self) -> list[Ticket]:
        """Links for people by name that can be used, oldest first."""
        with self._database.read() as session:
            return [to_ticket(row) for row in tickets.all_open(session, self._clock())]

    def withdraw(self, name: str, by: str) -> None:
        """Make a person's open link unknown.

        Raises:
            NotAllowed: `by` may not make such links.
        """
        with self._database.write() as session:
            for row in tickets.all_open(session, self._clock()):
                if row.name == name:
                    rows.require_manager(session, by, row.role)
            tickets.withdraw(session, TicketRow.name == name)

    def redeem(self, token: str, password: str, *, name: str = "") -> Account:
        """Use a link: make the account, or set its new password, which ends its sign-ins.

        Args:
            token: The link's secret.
            password: The new one.
            name: Where the link leaves it open.

        Raises:
            TicketError: as for `ticket`; of two who use it at once, one is told so.
            ConfigError: a password or a name that cannot be one.
        """
        who = self._name_for(token, name)
        hashed = self._passwords.hash(checked_password(password, who))
        return self._redeem(token, who, password=hashed)

    def redeem_with(self, token: str, subject: str, *, name: str = "") -> Account:
        """Use a link for an account that signs in through a provider, which names it `subject`.

        A password that it had is of no use from here on.

        Raises:
            TicketError: as for `ticket`.
            ConfigError: another account has this subject, or a name that cannot be one.
        """
        return self._redeem(token, self._name_for(token, name), subject=subject, password=None)

    def _name_for(self, token: str, name: str) -> str:
        return self.ticket(token).name or checked_name(name)

    def _redeem(self, token: str, name: str, **credentials: str | None) -> Account:
        now = self._clock()
        with self._database.write() as session:
            ticket = tickets.use(session, token, now)
            if subject := credentials.get("subject"):
                rows.require_free_subject(session, subject, name)
            if ticket.purpose == "invite":
                row = rows.new_account(session, name, ticket, now)
            else:
                row = rows.known(session, name)
                sign_ins.end(session, SignInRow.name == row.name, now)
                throttling.forget(session, row.name)
            for column, value in credentials.items():
                setattr(row, column, value)
            session.flush()
            return to_account(row)
