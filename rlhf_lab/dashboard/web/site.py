"""What every request needs to know of the server it came to."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rlhf_lab.dashboard.context import Context

if TYPE_CHECKING:
    from rlhf_lab.dashboard.access import Actor
    from rlhf_lab.dashboard.accounts import Accounts
    from rlhf_lab.lab import Lab
    from rlhf_lab.store.jobs import Jobs


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Somebody else who vouches for people, beside passwords.

    Attributes:
        title: What people call it.
        path: Of ours, where signing in through it begins. It takes `next`, a page to go on to, or
            `invite`, the secret of a link to use for this.
    """

    title: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """One lab, served; handlers find it in the application's settings as "site".

    Attributes:
        lab: For its data alone.
        base_url: The public address, without a slash at its end.
        port: The one listened on.
        origins: Hosts, with their ports, that pages of ours may come from.
        proxies: Addresses of reverse proxies, whose word on who the client is counts.
        threads: Where passwords are hashed, and whatever else takes long.
        provider: Of sign-ins, beside passwords.
    """

    lab: Lab
    jobs: Jobs
    accounts: Accounts
    base_url: str
    port: int
    origins: frozenset[str]
    proxies: frozenset[str]
    threads: Executor = field(repr=False)
    provider: Provider | None = None

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it through TLS alone, so that cookies may be kept to that."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def cookie(self) -> str:
        """Name of the cookie with a sign-in's secret.

        Browsers tell hosts apart but not their ports: two labs on one machine need two names. The
        prefix has the browser refuse to have it set by a neighbouring host, or without TLS.
        """
        return f"{self.cookie_prefix}lab_sign_in_{self.port}"

    @property
    def browser_cookie(self) -> str:
        """Name of the cookie by which a browser is known that an account has signed in with."""
        return f"{self.cookie_prefix}lab_browser_{self.port}"

    @property
    def cookie_prefix(self) -> str:
        """What the names of cookies begin with."""
        return "__Host-" if self.is_secure else ""

    def context(self, actor: Actor) -> Context:
        """What a page of this person is built from."""
        return Context(
            lab=self.lab,
            actor=actor,
            jobs=self.jobs,
            accounts=self.accounts,
            base_url=self.base_url,
        )
