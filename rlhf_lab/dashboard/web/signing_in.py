"""Signing in and out."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from rlhf_lab.dashboard.accounts.names import name_key
from rlhf_lab.dashboard.logs import tell
from rlhf_lab.dashboard.web.security import LOGIN, LabHandler, is_own_origin, own_path
from rlhf_lab.errors import Throttled, WrongPassword

# A browser is known for so long after an account signed in with it.
KNOWN_DAYS = 180


class PasswordHandler(LabHandler):
    """Base of pages on which somebody types a password."""

    def prepare(self) -> None:
        """Say at once what would hinder them later.

        Raises:
            ConfigError: the server is not known under the address that was asked.
        """
        self.require_known_host()

    def known_browser(self, name: str) -> str | None:
        """Id of this browser, if the account of this name has signed in with it before."""
        found = self.get_signed_cookie(self.site.browser_cookie, max_age_days=KNOWN_DAYS)
        browser, _, key = (found or b"").decode().partition(":")
        return browser if browser and key == name_key(name) else None

    def remember_browser(self, name: str) -> None:
        """From now on this account's tries here are counted by themselves, see `throttling`."""
        if self.known_browser(name) is None:
            self.set_signed_cookie(
                self.site.browser_cookie,
                f"{secrets.token_urlsafe(12)}:{name_key(name)}",
                expires_days=KNOWN_DAYS,
                path="/",
                httponly=True,
                secure=self.site.is_secure,
                samesite="Lax",
            )

    def field(self, name: str) -> str:
        """A field of the form exactly as it was typed; empty if it is missing."""
        return str(self.get_body_argument(name, "", strip=False))


class LoginHandler(PasswordHandler):
    """The page to sign in on."""

    def get(self) -> None:
        """The form; whoever is signed in already goes on."""
        if self.current_user is not None:
            self.redirect(self._wanted())
        else:
            self._ask(ended="ended" in self.request.arguments)

    async def post(self) -> None:
        """Check the password. The sign-in is a new one, whatever cookie the browser came with."""
        name = self.field("name")
        try:
            secret = await self.in_thread(
                self.site.accounts.sign_in,
                name,
                self.field("password"),
                self.address,
                browser=self.known_browser(name),
            )
        except Throttled as error:
            tell("sign-in throttled")
            self.set_header("Retry-After", str(error.wait))
            self._ask(status=429, error=error, name=name)
        except WrongPassword as error:
            tell("sign-in refused")
            self._ask(status=401, error=error, name=name)
        else:
            tell("signed in", account=name)
            self.sign_in(secret)
            self.remember_browser(name)
            self.redirect(self._wanted(), status=303)

    def _ask(
        self,
        *,
        status: int = 200,
        error: Exception | None = None,
        name: str = "",
        ended: bool = False,
    ) -> None:
        self.show(
            "sign_in",
            status=status,
            error=str(error or ""),
            name=name,
            ended=ended,
            next=self._wanted(),
            provider=self.site.provider,
        )

    def _wanted(self) -> str:
        """Where to go on: as asked for, or back to the page that sent them here."""
        asked = self.get_argument("next", "")
        if asked:
            return own_path(asked)
        referrer = self.request.headers.get("Referer", "")
        path = own_path(urlsplit(referrer).path) if is_own_origin(referrer, self.site) else "/"
        return "/" if path.startswith((LOGIN, "/logout", "/invite")) else path


class LogoutHandler(LabHandler):
    """Where the button to sign out leads."""

    def post(self) -> None:
        """End the sign-in: its open pages are done for as well."""
        if self.current_user is not None:
            self.site.accounts.sign_out(self.current_user.id)
            tell("signed out", account=self.current_user.account.name)
        self.clear_cookie(self.site.cookie, path="/", secure=self.site.is_secure)
        self.redirect(LOGIN, status=303)
