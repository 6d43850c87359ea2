"""Serving a lab: one process answers the team, another one does the model work."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.urls import per_app_patterns
from bokeh.settings import settings as bokeh_settings
from panel.config import config as panel_config
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.netutil import bind_sockets

from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.dashboard.key import derived, lab_key
from rlhf_lab.dashboard.logs import tell, tell_request
from rlhf_lab.dashboard.pages import PAGES
from rlhf_lab.dashboard.settings import ServeSettings
from rlhf_lab.dashboard.web.bokeh_pages import PATTERNS, applications
from rlhf_lab.dashboard.web.headers import SecureHeaders, SecureHeadersOverTls
from rlhf_lab.dashboard.web.health import Health
from rlhf_lab.dashboard.web.oauth import provider_of, provider_routes
from rlhf_lab.dashboard.web.routes import Route, routes
from rlhf_lab.dashboard.web.security import UnknownHandler
from rlhf_lab.dashboard.web.site import Site
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab import Lab

if TYPE_CHECKING:
    from rlhf_lab.dashboard.supervisor import Supervisor

_MIB = 1024 * 1024
# Forms are small; what uploads files sets a limit of its own.
LARGEST_BODY = 1 * _MIB
# Of what a page sends: the longest is an answer that somebody edited.
LARGEST_MESSAGE = 2 * _MIB
# From the page's HTML to its connection: on a slow line a first visit loads for a while.
UNUSED_SECONDS = 90
TOKEN_SECONDS = 24 * 3600
PING_SECONDS = 20
# How soon a page notices that its sign-in ended, if nothing is done on it.
WATCH_SECONDS = 2


class Server:
    """A dashboard: listens from when it is made, answers while `run` runs.

    Args:
        directory: Of the lab, which is made if there is none.
        settings: How to serve it.

    Attributes:
        settings: As they were given.
        site: What its handlers know.
        admin_link: Makes the first admin's account; None if there is one.

    Raises:
        ConfigError: the address cannot be listened on.
        StoreError: the lab cannot be opened.
    """

    def __init__(self, directory: str | Path, settings: ServeSettings) -> None:
        self.settings = settings
        self._sockets = _listen(settings)
        self._lab = Lab(directory, progress=False)
        port = self._sockets[0].getsockname()[1]
        accounts = Accounts(self._lab.store.database)
        # Two at once: hashing a password takes 64 MiB and a processor.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="slow")
        self.site = Site(
            lab=self._lab,
            jobs=self._lab.store.jobs,
            accounts=accounts,
            base_url=settings.base_url(port),
            port=port,
            origins=settings.origins(port),
            proxies=frozenset(settings.trusted_proxy),
            threads=self._threads,
            provider=provider_of(settings.oauth),
        )
        self.admin_link = self._admin_link()
        health = Health(self._lab.store, self._worker)
        extra = [*routes(), *provider_routes(settings.oauth)]
        self._application = _application(self.site, lab_key(self._lab.path), health, extra)
        self._http = HTTPServer(self._application, max_body_size=LARGEST_BODY)
        self._supervisor: Supervisor | None = None
        self._stopping: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C; a step of training that is being made is made first."""
        self._loop = IOLoop.current()
        self._server = BaseServer(self._loop, self._application, self._http)
        self._server.start()
        self._http.add_sockets(self._sockets)
        watch = PeriodicCallback(self._watch_sockets, WATCH_SECONDS * 1000)
        watch.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_event_loop().add_signal_handler(number, self._on_signal)
        if self.settings.end_with_input:
            threading.Thread(target=self._await_end_of_input, daemon=True).start()
        if self.settings.worker:
            self._supervisor = _supervisor(self._lab.path, self.settings.log_level)
        self._loop.add_callback(self._tell_ready)
        # What is there now stays. Looking through it for garbage, every minute or so of a busy
        # server, takes a quarter of a second in which nobody is answered.
        gc.collect()
        gc.freeze()
        try:
            self._loop.start()
        finally:
            watch.stop()
            self._server.stop(wait=False)
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._lab.close()

    def _worker(self) -> str:
        return "none" if self._supervisor is None else self._supervisor.status

    def _admin_link(self) -> str | None:
        accounts = self.site.accounts
        if accounts.has_admin() and not self.settings.admin_link:
            return None
        return f"{self.site.base_url}/invite/{accounts.invite_admin()}"

    def _tell_ready(self) -> None:
        tell("listening", port=self.site.port, origins=", ".join(sorted(self.site.origins)))
        if self.settings.is_in_clear:
            tell("passwords cross the network as they are: serve it through TLS", logging.WARNING)
        if self.settings.ready_file is not None:
            facts = {"url": self.site.base_url, "admin_link": self.admin_link, "pid": os.getpid()}
            _write_private(self.settings.ready_file, json.dumps(facts))

    def _await_end_of_input(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self._loop.add_callback(self._on_signal)

    def _on_signal(self) -> None:
        """Stop; whoever asks twice is not made to wait for the step."""
        if self._stopping is not None:
            self._loop.stop()
            return
        tell("stopping")
        self._http.stop()
        self._stopping = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        try:
            if self._supervisor is not None:
                # People go on ranking meanwhile: their connections stay until the end.
                await self._loop.run_in_executor(None, self._supervisor.stop)
            for page in list(self._application.settings["sockets"]):
                page.close(1012, "the server stops")
            await asyncio.sleep(0.1)  # for what was just said to be sent
        finally:
            self._loop.stop()

    def _watch_sockets(self) -> None:
        for page in list(self._application.settings["sockets"]):
            page.leave_if_signed_out()


def serve(directory: str | Path, settings: ServeSettings | None = None) -> None:
    """Serve a lab to a team until the process is told to stop.

    Args:
        directory: Of the lab, which is made if there is none.
        settings: How; the default is for this machine alone, at port 5006.

    Raises:
        ConfigError: a setting is wrong, or its address cannot be listened on.
        StoreError: the lab cannot be opened.
    """
    Server(directory, settings or ServeSettings()).run()


def _application(
    site: Site, key: bytes, health: Health, extra_patterns: list[Route]
) -> BokehTornado:
    bokeh_settings.resources = "server"  # nothing is fetched from elsewhere
    panel_config.session_history = 0
    with _patterns():
        return BokehTornado(
            applications(site, PAGES.values()),
            extra_patterns=extra_patterns,
            use_index=False,
            secret_key=derived(key, "pages").encode(),
            sign_sessions=True,
            session_token_expiration=TOKEN_SECONDS,
            # Nothing a request brought is repeated in the page: its cookie must stay unreadable.
            include_cookies=[],
            include_headers=[],
            extra_websocket_origins=sorted(site.origins),
            websocket_max_message_size_bytes=LARGEST_MESSAGE,
            unused_session_lifetime_milliseconds=UNUSED_SECONDS * 1000,
            keep_alive_milliseconds=PING_SECONDS * 1000,
            # From here on they are tornado's.
            xsrf_cookies=True,
            xsrf_cookie_kwargs={"secure": site.is_secure, "samesite": "Lax", "path": "/"},
            cookie_secret=derived(key, "cookies"),
            transforms=[SecureHeadersOverTls if site.is_secure else SecureHeaders],
            log_function=tell_request,
            default_handler_class=UnknownHandler,
            site=site,
            sockets=set(),
            health=health,
        )


@contextmanager
def _patterns() -> Iterator[None]:
    """Have Bokeh make its applications with our handlers; it takes them from a list of its own."""
    theirs = list(per_app_patterns)
    per_app_patterns[:] = PATTERNS
    try:
        yield
    finally:
        per_app_patterns[:] = theirs


def _listen(settings: ServeSettings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, settings.address)
    except OSError as error:
        raise ConfigError(
            f"{settings.address}:{settings.port} cannot be listened on ({error.strerror}): choose "
            "another --port, or an --address that this machine has."
        ) from error


def _supervisor(directory: Path, log_level: str) -> Supervisor:
    from rlhf_lab.dashboard.supervisor import Supervisor

    supervisor = Supervisor(directory, log_level=log_level)
    supervisor.start()
    return supervisor


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner alone: a link in it lets somebody in."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(aside, path)
