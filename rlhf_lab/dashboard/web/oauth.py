"""Signing in through a provider. Panel knows how to talk to them; who gets in is decided here.

A provider only says who somebody is. An account has to name that identity, which it does once an
invite link was used through the provider; from there on the sign-in is one like any other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any, Never
from urllib.parse import urlencode

from panel.auth import AUTH_PROVIDERS
from panel.config import config
from panel.util import decode_token
from tornado.web import HTTPError, RequestHandler

from rlhf_lab.dashboard.logs import tell
from rlhf_lab.dashboard.providers import OAuthSettings
from rlhf_lab.dashboard.web.security import LabHandler, own_path
from rlhf_lab.dashboard.web.site import Provider
from rlhf_lab.errors import NotAllowed, WrongPassword

PATH = "/oauth"
# Minutes within which somebody has to come back from the provider.
MINUTES = 10
# Of what a provider says, the first that can be a name, where an invite leaves the name open.
_NAMES = ("preferred_username", "login", "username", "nickname", "name", "email")


class OAuthHandler(LabHandler):
    """Sends a browser to the provider, and takes it in when it comes back.

    To be mixed with a handler of Panel's, see `provider_routes`. A signed cookie waits here for the
    browser that set out: an answer that another one asked for is refused.
    """

    settings_of_provider: OAuthSettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        super().__init__(*args, **kwargs)
        self._told: dict[str, str] = {}

    async def get(self) -> None:
        """Set out, or come back."""
        if self.get_query_argument("error", ""):
            self._forget()
            raise NotAllowed(f"{self._title} did not let you in: try again, or use a password.")
        if self.get_query_argument("code", ""):
            await self._come_back()
        else:
            self._set_out()

    def _set_out(self) -> None:
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        trip = {
            "state": state,
            "verifier": verifier,
            "next": own_path(self.get_query_argument("next", "/")),
            "invite": self.get_query_argument("invite", ""),
        }
        self.set_signed_cookie(
            self._cookie,
            json.dumps(trip),
            expires_days=MINUTES / 1440,
            path="/",
            httponly=True,
            secure=self.site.is_secure,
            samesite="Lax",  # "Strict" would not come along from the provider
        )
        asked = {
            "response_type": "code",
            "client_id": self.settings_of_provider.key,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self.settings_of_provider.scope),
            "state": state,
            "nonce": _digest(state),
            "code_challenge": _digest(verifier),
            "code_challenge_method": "S256",
        }
        address = str(self._panel._OAUTH_AUTHORIZE_URL)
        self.redirect(f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}")

    async def _come_back(self) -> None:
        trip = self._trip()
        self._forget()
        identity = await self._identity(trip)
        accounts = self.site.accounts
        if trip["invite"]:
            name = next((str(self._claims[n]) for n in _NAMES if self._claims.get(n)), "")
            account = accounts.redeem_with(trip["invite"], identity, name=name)
            tell("link used", account=account.name, provider=self.settings_of_provider.provider)
            self.sign_in(accounts.begin_sign_in(account.name))
        else:
            self.sign_in(accounts.sign_in_with(identity))
            tell("signed in", account=identity, provider=self.settings_of_provider.provider)
        self.redirect(trip["next"])

    def _trip(self) -> dict[str, str]:
        """What this browser set out with.

        Raises:
            WrongPassword: it did not, or long ago, or comes back with another one's answer.
        """
        cookie = self.get_signed_cookie(self._cookie, max_age_days=MINUTES / 1440)
        trip: dict[str, str] = json.loads(cookie or b"{}")
        state = self.get_query_argument("state", "")
        if not trip or not hmac.compare_digest(trip["state"].encode(), state.encode()):
            raise WrongPassword(
                f"this is not the answer that this browser waits for, or it came after {MINUTES} "
                "minutes: sign in again."
            )
        return trip

    async def _identity(self, trip: Mapping[str, str]) -> str:
        """Who the provider says it is, as accounts note it.

        Raises:
            NotAllowed: it does not say, or not to us.
        """
        asked = self.settings_of_provider
        self._EXTRA_TOKEN_PARAMS = {
            **self._panel._EXTRA_TOKEN_PARAMS,
            "code_verifier": trip["verifier"],
        }
        try:
            subject, *_ = await self._panel._fetch_access_token(
                asked.key,
                redirect_uri=self._redirect_uri,
                client_secret=asked.secret,
                code=self.get_query_argument("code"),
            )
        except (HTTPError, OSError, ValueError) as error:
            tell("provider failed", provider=asked.provider, why=type(error).__name__)
            self._raise_error(error)
        self._check_claims(trip)
        if not subject:
            self._raise_error(None)
        return f"{asked.provider}:{subject}"

    def _check_claims(self, trip: Mapping[str, str]) -> None:
        """Refuse what was said to another client, or on another occasion.

        The token came from the provider itself, over TLS, so its signature adds nothing (OpenID
        Connect Core 1.0, 3.1.3.7).
        """
        audience = self._claims.get("aud", self.settings_of_provider.key)
        clients = audience if isinstance(audience, list) else [audience]
        nonce = self._claims.get("nonce", _digest(trip["state"]))
        if self.settings_of_provider.key not in clients or nonce != _digest(trip["state"]):
            self._raise_error(None)

    @property
    def _claims(self) -> dict[str, Any]:
        """What the provider said of the person."""
        found: dict[str, Any] = decode_token(self._told["id_token"]) if self._told else {}
        return found

    # -- what Panel's handlers look for

    @property
    def _redirect_uri(self) -> str:
        return f"{self.site.base_url}{PATH}"

    def set_secure_cookie(self, name: str, value: object, *_: object, **options: object) -> None:
        """Keep for a moment what Panel leaves in the browser: tokens have no business there."""
        self._told[name] = value.decode() if isinstance(value, bytes) else str(value)

    def _raise_error(self, response: object, body: object = None, status: int = 0) -> Never:
        """Panel would log the provider's whole answer, and say its words."""
        raise NotAllowed(
            f"{self._title} does not say who you are: try again. If it goes on, whoever runs this "
            "dashboard finds the reason in its log."
        )

    @property
    def _panel(self) -> Any:  # noqa: ANN401 - the untyped half of this object
        return self

    @property
    def _title(self) -> str:
        return self.settings_of_provider.kind.title

    @property
    def _cookie(self) -> str:
        return f"{self.site.cookie_prefix}lab_oauth_{self.site.port}"

    def _forget(self) -> None:
        self.clear_cookie(self._cookie, path="/", secure=self.site.is_secure)


def provider_of(settings: OAuthSettings | None) -> Provider | None:
    """What pages offer beside a password."""
    return None if settings is None else Provider(title=settings.kind.title, path=PATH)


def provider_routes(settings: OAuthSettings | None) -> list[tuple[str, type[RequestHandler]]]:
    """Where a provider is met; Panel's configuration, one for the process, says where it is."""
    if settings is None:
        return []
    config.oauth_extra_params = {  # type: ignore[misc]
        **settings.options,
        "scope": settings.scope,
    }
    made = {"settings_of_provider": settings, "_USER_KEY": settings.kind.subject}
    bases = (OAuthHandler, AUTH_PROVIDERS[settings.provider])
    return [(PATH, type("ProviderHandler", bases, made))]


def _digest(secret: str) -> str:
    """Base64 of the SHA-256, without padding, as PKCE wants it."""
    digest = hashlib.sha256(secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
