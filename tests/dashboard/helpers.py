"""A real server in a process of its own, and people who talk to it over HTTP and websockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from rlhf_lab.dashboard.accounts import Account, Accounts, Passwords
from rlhf_lab.store import PreferenceStore, open_store
from tests.dashboard.waiting import until

PASSWORD = "correct horse battery staple"
# Hashing as the server does it takes long; a hash says itself how it was made.
QUICK = Passwords(time_cost=1, memory_cost=32)
START_SECONDS = 60


@dataclass(kw_only=True)
class Served:
    """A server that listens."""

    lab: Path
    url: str
    admin_link: str | None
    process: subprocess.Popen[bytes]
    log: Path
    store: PreferenceStore
    accounts: Accounts = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.store.database, passwords=QUICK)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stranger(self) -> Client:
        """A browser that is not signed in."""
        return Client(self)

    def signed_in(self, account: Account | str) -> Client:
        """A browser of somebody, signed in without typing a password."""
        client = Client(self)
        name = account if isinstance(account, str) else account.name
        client.secret = self.accounts.begin_sign_in(name)
        return client


class Client(requests.Session):
    """A browser, as far as cookies and forms go."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.trust_env = False
        self.served = served
        self.headers["Accept"] = "text/html"

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Ask for a path; redirects are answers, and not followed."""
        options["allow_redirects"] = False
        options.setdefault("timeout", 60)
        where = url if "://" in url else self.served.url + url
        return super().request(method, where, **options)

    def submit(self, path: str, *, to: str | None = None, **fields: str) -> requests.Response:
        """Fill in the form on a page and send it, as a browser would."""
        page = self.get(path)
        token = xsrf_of(page.text)
        headers = {"Origin": self.served.url, "Referer": self.served.url + path}
        return self.post(to or path, data={"_xsrf": token, **fields}, headers=headers)

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> requests.Response:
        return self.submit("/login", name=name, password=password, **fields)

    @property
    def cookie_name(self) -> str:
        return f"lab_sign_in_{self.served.port}"

    @property
    def secret(self) -> str | None:
        """What the cookie of the sign-in holds."""
        return self.cookies.get(self.cookie_name)

    @secret.setter
    def secret(self, secret: str) -> None:
        self.cookies.set(self.cookie_name, secret, domain="127.0.0.1", path="/")

    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200

    def page_token(self, page: str) -> str:
        """The token by which a page's connection is opened."""
        answer = self.get(f"/{page}")
        assert answer.status_code == 200, answer.text
        return token_of(answer.text)

    def cookie_header(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)


def xsrf_of(html: str) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"', html)
    assert found, html
    return found[1]


def token_of(html: str) -> str:
    found = re.search(r'"token":"([^"]+)"', html)
    assert found, html
    return found[1]


@contextlib.contextmanager
def served(lab: Path, *options: str) -> Iterator[Served]:
    """A server over a lab, at a port of its own choice; ended as an operator would."""
    process, ready, log = start(lab, *options)
    try:
        facts = wait_ready(process, ready, log)
        with open_store(lab) as store:
            yield Served(
                lab=lab,
                url=facts["url"],
                admin_link=facts["admin_link"],
                process=process,
                log=log,
                store=store,
            )
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()


def start(lab: Path, *options: str) -> tuple[subprocess.Popen[bytes], Path, Path]:
    """Start a server; its process, its ready file and its log."""
    ready, log = lab.with_name(f"{lab.name}.ready"), lab.with_name(f"{lab.name}.log")
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "rlhf_lab.cli", "serve", str(lab), "--port=0", *options]
    with log.open("ab") as file:
        process = subprocess.Popen(
            [*command, f"--ready-file={ready}"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return process, ready, log


def wait_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, Any]:
    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        return ready.exists()

    until(is_ready, seconds=START_SECONDS)
    facts: dict[str, Any] = json.loads(ready.read_text())
    return facts


# -- websockets


async def connect(
    client: Client,
    page: str,
    token: str,
    *,
    origin: str | None = None,
    cookie: str | None = None,
) -> WebSocketClientConnection:
    """Open a page's connection as its script does."""
    headers = {
        "Origin": client.served.url if origin is None else origin,
        "Cookie": client.cookie_header() if cookie is None else cookie,
    }
    url = client.served.url.replace("http", "ws", 1) + f"/{page}/ws"
    return await websocket_connect(
        HTTPRequest(url, headers=headers, request_timeout=30), subprotocols=["bokeh", token]
    )


def handshake(client: Client, page: str, token: str, **changes: str) -> int:
    """The status that a handshake is answered with: 101 if it is accepted."""

    async def shake() -> int:
        try:
            connection = await connect(client, page, token, **changes)
        except HTTPClientError as error:
            return error.code
        connection.close()
        return 101

    return asyncio.run(shake())


class Page:
    """An open page, as far as its connection goes."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._protocol = Protocol()
        self._receiver = Receiver(self._protocol)

    @classmethod
    async def open(cls, client: Client, page: str) -> Page:
        """Load a page and connect, as a browser does."""
        token = await asyncio.to_thread(client.page_token, page)
        opened = cls(await connect(client, page, token))
        await opened.receive("ACK")
        return opened

    async def send(self, kind: str, *content: Any) -> None:
        await self._protocol.create(kind, *content).send(self)

    async def write_message(
        self, text: str | bytes, binary: bool = False, locked: bool = True
    ) -> None:
        await self._connection.write_message(text, binary)

    async def receive(self, kind: str, *, seconds: float = 30) -> Any:
        """The next message of a kind; None if the connection was closed."""
        async with asyncio.timeout(seconds):
            while (fragment := await self._connection.read_message()) is not None:
                message = await self._receiver.consume(fragment)
                if message is not None and message.msgtype == kind:
                    return message
        return None

    async def document(self) -> dict[str, Any]:
        """What the page shows, as Bokeh sends it."""
        await self.send("PULL-DOC-REQ")
        message = await self.receive("PULL-DOC-REPLY")
        doc: dict[str, Any] = message.content["doc"]
        return doc

    async def closed(self, *, seconds: float = 30) -> int | None:
        """Wait until the server closes; with which code."""
        await self.receive("NEVER", seconds=seconds)
        return self._connection.close_code

    def close(self) -> None:
        self._connection.close()
