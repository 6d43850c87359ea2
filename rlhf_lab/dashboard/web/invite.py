"""What an invite or reset link opens: choose a password, once."""

from __future__ import annotations

from rlhf_lab.dashboard.accounts import Ticket
from rlhf_lab.dashboard.accounts.passwords import RULES
from rlhf_lab.dashboard.logs import tell
from rlhf_lab.dashboard.web.signing_in import PasswordHandler
from rlhf_lab.errors import ConfigError, TicketError


class InviteHandler(PasswordHandler):
    """The page behind the secret of a link.

    Looking at it uses nothing up: programs that preview links in messages look at them too.
    """

    def get(self, token: str) -> None:
        """The form, or why the link is of no use."""
        try:
            ticket = self.site.accounts.ticket(token)
        except TicketError as error:
            self._refuse(error)
        else:
            self._ask(ticket)

    async def post(self, token: str) -> None:
        """Make the account, or set the new password, and sign in with it."""
        accounts = self.site.accounts
        try:
            ticket = accounts.ticket(token)
            account = await self.in_thread(
                accounts.redeem, token, self._password(), name=self.field("name")
            )
        except TicketError as error:
            self._refuse(error)
        except ConfigError as error:
            self._ask(ticket, status=400, error=error)
        else:
            tell("link used", account=account.name)
            self.sign_in(accounts.begin_sign_in(account.name))
            self.remember_browser(account.name)
            self.redirect("/", status=303)

    def _password(self) -> str:
        password = self.field("password")
        if password != self.field("again"):
            raise ConfigError("the two passwords differ: type the same one twice.")
        return password

    def _ask(self, ticket: Ticket, *, status: int = 200, error: Exception | None = None) -> None:
        self.show(
            "invite",
            status=status,
            ticket=ticket,
            error=str(error or ""),
            name=self.field("name") if self.request.method == "POST" else "",
            rules=RULES,
            token=self.path_args[0],
            provider=self.site.provider,
        )

    def _refuse(self, error: TicketError) -> None:
        self.show("error", status=410, words=str(error), code=410)
