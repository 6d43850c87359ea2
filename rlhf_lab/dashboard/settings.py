"""How a dashboard is served: validated before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import get_args
from urllib.parse import SplitResult, urlsplit

from rlhf_lab.dashboard.logs import Level
from rlhf_lab.dashboard.providers import OAuthSettings
from rlhf_lab.errors import ConfigError

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ANY_ADDRESS = ("", "0.0.0.0", "::")


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """What `rlhf-lab serve` takes.

    Attributes:
        port: 0 for any that is free.
        address: To listen on. The default is reached from this machine alone.
        allow_websocket_origin: Hosts that pages may come from, besides the address itself and the
            public URL's.
        public_url: Under which people reach the dashboard, where a reverse proxy stands before it.
        trusted_proxy: Addresses of reverse proxies, whose X-Forwarded-For counts.
        workers: Processes that answer requests; only 1 works.
        worker: Whether to run the process that does the model work.
        log_level: Of this process and of that one.
        ready_file: Written once the server listens.
        admin_link: Make a link for a new admin although there is one.
        oauth: A provider through which people may sign in, beside passwords.
        end_with_input: Stop once standard input is closed, as it is when the process ends that
            started this one.
    """

    port: int = 5006
    address: str = "127.0.0.1"
    allow_websocket_origin: tuple[str, ...] = ()
    public_url: str | None = None
    trusted_proxy: tuple[str, ...] = ()
    workers: int = 1
    worker: bool = True
    log_level: Level = "info"
    ready_file: Path | None = None
    admin_link: bool = False
    oauth: OAuthSettings | None = None
    end_with_input: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without a socket."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port {self.port}: 0 (any that is free) to 65535. Use 5006.")
        if self.workers != 1:
            raise ConfigError(
                f"--workers {self.workers}: only 1 works. An open page lives in the process that "
                "made it, and its connection would reach another one at random; and two servers "
                "would each start a process for the model. One process answers a team: model "
                "work is not done in it."
            )
        if self.log_level not in get_args(Level):
            raise ConfigError(
                f"--log-level {self.log_level!r:.40}: use one of {', '.join(get_args(Level))}."
            )
        for host in self.allow_websocket_origin:
            _host(host)
        for proxy in self.trusted_proxy:
            _require_address(proxy)
        if self.public_url is not None:
            _require_public(self.public_url)
        elif self.address in _ANY_ADDRESS:
            raise ConfigError(
                f"--address {self.address or repr('')}: listening everywhere does not say under "
                "which address people come. Say it with --public-url, as in "
                "--public-url https://lab.example.org or --public-url http://192.0.2.7:5006."
            )

    def base_url(self, port: int) -> str:
        """The address that links for people begin with."""
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            return f"{parts.scheme}://{_without_default_port(parts)}"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{port}"

    def origins(self, port: int) -> frozenset[str]:
        """Hosts, with the ports that browsers would write, that pages of ours may come from."""
        own = urlsplit(self.base_url(port)).netloc.lower()
        loopback = ("localhost", "127.0.0.1", "[::1]") if self.is_loopback else ()
        return frozenset(
            {own, *(f"{host}:{port}" for host in loopback)}
            | {_host(host) for host in self.allow_websocket_origin}
        )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return self.address == "localhost" or ip_address(self.address).is_loopback
        except ValueError:
            return False

    @property
    def is_in_clear(self) -> bool:
        """Whether passwords cross a network as they are."""
        public = self.public_url or f"http://{self.address}"
        return urlsplit(public).scheme != "https" and not self.is_loopback


def _host(text: str) -> str:
    """A host, as the Origin header of a browser names it; a whole URL will do."""
    if "*" in text:
        raise ConfigError(
            f"--allow-websocket-origin {text}: no wildcards. With one, any page that a person has "
            "open could act here in their name. Name each host, as in lab.example.org."
        )
    parts = urlsplit(text if "://" in text else f"//{text}")
    try:
        is_host = bool(parts.hostname) and (parts.port is None or 0 < parts.port < 65536)
    except ValueError:
        is_host = False
    if not is_host or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ConfigError(
            f"--allow-websocket-origin {text!r:.80}: a host, with its port unless that is 80 or "
            "443, as in lab.example.org or 192.0.2.7:5006."
        )
    return _without_default_port(parts)


def _without_default_port(parts: SplitResult) -> str:
    """As browsers write it: the port only where it is not the scheme's own."""
    return parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))


def _require_public(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ConfigError(
            f"--public-url {url!r:.80}: the address people type, as in https://lab.example.org."
        )
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(
            f"--public-url {url!r:.80}: pages stand at the root of a host. Give the lab a host "
            f"name of its own, and use {parts.scheme}://{parts.netloc}."
        )


def _require_address(proxy: str) -> None:
    try:
        ip_address(proxy)
    except ValueError as error:
        raise ConfigError(
            f"--trusted-proxy {proxy!r:.80}: the IP address that the proxy connects from, as in "
            "127.0.0.1."
        ) from error
