"""One's own account: what it is, and a new password."""

from __future__ import annotations

from rlhf_lab.dashboard.accounts.passwords import RULES
from rlhf_lab.dashboard.logs import tell
from rlhf_lab.dashboard.web.signing_in import PasswordHandler
from rlhf_lab.errors import ConfigError, Throttled, WrongPassword


class AccountHandler(PasswordHandler):
    """The page of whoever is signed in."""

    def get(self) -> None:
        """Who one is here, and the form."""
        self.require("change_own_password")
        self._ask(changed="changed" in self.request.arguments)

    async def post(self) -> None:
        """Set the new password: every browser is signed out, and this one in again."""
        account = self.require("change_own_password")
        try:
            secret = await self.in_thread(
                self.site.accounts.change_password,
                account.name,
                self.field("old"),
                self._new(),
                self.address,
                browser=self.known_browser(account.name),
            )
        except WrongPassword:
            self._ask(status=401, error="the present password is wrong: check it and try again.")
        except Throttled as error:
            self._ask(status=429, error=str(error))
        except ConfigError as error:
            self._ask(status=400, error=str(error))
        else:
            tell("password changed", account=account.name)
            self.sign_in(secret)
            self.redirect("/account?changed=1", status=303)

    def _new(self) -> str:
        new = self.field("password")
        if new != self.field("again"):
            raise ConfigError("the two new passwords differ: type the same one twice.")
        return new

    def _ask(self, *, status: int = 200, error: str = "", changed: bool = False) -> None:
        self.show("account", status=status, error=error, changed=changed, rules=RULES)
