"""Who may vouch for people beside passwords: an OAuth or OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from rlhf_lab.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ProviderKind:
    """What differs among those that Panel knows.

    Attributes:
        title: What people call it.
        subject: The field by which it names a person, and never somebody else. Names and addresses
            that people may change are none: whoever gets one later would get the account.
        scope: What is asked for: who they are, and nothing more.
        needs: Options without which it cannot be found.
    """

    title: str
    subject: str = "sub"
    scope: tuple[str, ...] = ("openid", "email", "profile")
    needs: tuple[str, ...] = ()


PROVIDERS: Final[Mapping[str, ProviderKind]] = MappingProxyType(
    {
        "generic": ProviderKind(title="single sign-on", needs=("AUTHORIZE_URL", "TOKEN_URL")),
        "auth0": ProviderKind(title="Auth0", needs=("subdomain",)),
        "azure": ProviderKind(title="Microsoft", needs=("tenant",)),
        "azurev2": ProviderKind(title="Microsoft", needs=("tenant",)),
        "bitbucket": ProviderKind(title="Bitbucket", subject="account_id", scope=("account",)),
        "github": ProviderKind(title="GitHub", subject="id", scope=("read:user",)),
        "gitlab": ProviderKind(title="GitLab"),
        "google": ProviderKind(title="Google"),
        "okta": ProviderKind(title="Okta", needs=("url",)),
    }
)
_OPTIONS = frozenset(
    {"AUTHORIZE_URL", "TOKEN_URL", "USER_URL", "scope", "server", "subdomain", "tenant", "url"}
)


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """How a provider is reached.

    Attributes:
        provider: One of `PROVIDERS`.
        key: The client id that the provider gave this dashboard.
        secret: The client secret that belongs to it.
        options: Where the provider is, by Panel's names: "AUTHORIZE_URL", "TOKEN_URL" and
            "USER_URL" of a generic one; "tenant", "subdomain", "url", "server"; "scope".
    """

    provider: str
    key: str
    secret: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without asking the provider."""
        if self.provider not in PROVIDERS:
            raise ConfigError(
                f"--oauth-provider {self.provider!r:.40}: use one of {', '.join(PROVIDERS)}."
            )
        if not self.key or not self.secret:
            raise ConfigError(
                f"--oauth-provider {self.provider}: it gave a client id and a secret when this "
                "dashboard was registered with it. Pass --oauth-key, and the secret in the "
                "environment as RLHF_LAB_OAUTH_SECRET, where other users cannot read it."
            )
        unknown = sorted(self.options.keys() - _OPTIONS)
        if unknown:
            raise ConfigError(f"--oauth-option {unknown[0]}: use {', '.join(sorted(_OPTIONS))}.")
        for name in self.kind.needs:
            if not self.options.get(name):
                raise ConfigError(
                    f"--oauth-provider {self.provider}: say where it is, with --oauth-option "
                    f"{name}=..."
                )
        for name, value in self.options.items():
            if name.endswith("_URL"):
                _require_secure(name, value)

    @property
    def kind(self) -> ProviderKind:
        """What differs among providers."""
        return PROVIDERS[self.provider]

    @property
    def scope(self) -> list[str]:
        """What is asked for."""
        return self.options.get("scope", "").replace(",", " ").split() or list(self.kind.scope)


def _require_secure(name: str, url: str) -> None:
    """What a provider says of people counts only if nobody can speak in its place."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise ConfigError(f"--oauth-option {name}={url!r:.200}: an address that begins with https://.")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
