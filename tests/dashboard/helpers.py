"""A real server in a process of its own, and people who talk to it over HTTP and websockets."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any

import requests
from websocket import ABNF, WebSocket, WebSocketBadStatusException, create_connection

from rlhf_lab.dashboard.accounts import Account, Accounts, Passwords
from rlhf_lab.store import PreferenceStore, open_store
from tests.dashboard.waiting import until

PASSWORD = "correct horse battery staple"
# Hashing as the server does it takes long; a hash says itself how it was made.
QUICK = Passwords(time_cost=1, memory_cost=32)
START_SECONDS = 60
_clients = count(1)


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
        # Closed after each answer: nobody closes the many browsers of a test.
        self.headers.update({"Accept": "text/html", "Connection": "close"})
        # An address of its own, as a proxy would tell: wrong passwords are counted by address.
        self.headers["X-Forwarded-For"] = str(IPv4Address("10.0.0.0") + next(_clients))

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
        stop(process)


def start(lab: Path, *options: str) -> tuple[subprocess.Popen[bytes], Path, Path]:
    """Start a server; its process, its ready file and its log."""
    ready, log = lab.with_name(f"{lab.name}.ready"), lab.with_name(f"{lab.name}.log")
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "rlhf_lab.cli", "serve", str(lab), "--port=0", *options]
    with log.open("ab") as file:
        process = subprocess.Popen(
            [*command, f"--ready-file={ready}"],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return process, ready, log


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server as an operator would; the status says whether it ended well."""
    process.terminate()
    try:
        process.wait(60)
    finally:
        process.kill()
        process.stdin.close()


def wait_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, Any]:
    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        return ready.exists()

    until(is_ready, seconds=START_SECONDS)
    facts: dict[str, Any] = json.loads(ready.read_text())
    return facts


# -- websockets


def connect(
    client: Client,
    page: str,
    token: str,
    *,
    origin: str | None = None,
    cookie: str | None = None,
) -> WebSocket:
    """Open a page's connection as its script does."""
    return create_connection(
        client.served.url.replace("http", "ws", 1) + f"/{page}/ws",
        timeout=30,
        subprotocols=["bokeh", token],
        cookie=client.cookie_header() if cookie is None else cookie,
        **({"origin": client.served.url if origin is None else origin}),
        suppress_origin=origin == "",
    )


def handshake(client: Client, page: str, token: str, **changes: str) -> int:
    """The status that a handshake is answered with: 101 if it is accepted."""
    try:
        connect(client, page, token, **changes).shutdown()
    except WebSocketBadStatusException as error:
        return int(error.status_code)
    return 101


class Page:
    """An open page, as far as its connection goes; speaks as much of Bokeh as is needed here."""

    def __init__(self, client: Client, page: str) -> None:
        """Load it and connect, as a browser does."""
        self.connection = connect(client, page, client.page_token(page))
        self._holders: dict[str, str] = {}
        self.receive("ACK")

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.shutdown()

    def send(self, kind: str, content: object) -> None:
        """A message, in its three parts."""
        for part in ({"msgid": "1", "msgtype": kind}, {}, content):
            self.connection.send(json.dumps(part))

    def receive(self, kind: str) -> dict[str, Any]:
        """The content of the next message of a kind."""
        while True:
            header = json.loads(self.connection.recv())
            self.connection.recv()
            content = json.loads(self.connection.recv())
            for _ in range(2 * header.get("num_buffers", 0)):
                self.connection.recv()
            if header["msgtype"] == kind:
                return dict(content)

    def act(self, act: str, /, **values: str) -> None:
        """Do something in the fragment of the page that offers it, as its script sends it."""
        if act not in self._holders:
            self._holders[act] = _holder_of(self.document(), f'data-act="{act}"')
        acted = {"act": act, "key": "", "values": values}
        change = {
            "kind": "ModelChanged",
            "model": {"id": self._holders[act]},
            "attr": "acted",
            "new": acted,
        }
        self.send("PATCH-DOC", {"events": [change]})

    def document(self) -> dict[str, Any]:
        """What is on the page, as Bokeh sends it."""
        self.send("PULL-DOC-REQ", {})
        document: dict[str, Any] = self.receive("PULL-DOC-REPLY")["doc"]
        return document

    def await_told(self, words: str) -> None:
        """Wait until the page tells something."""
        until(lambda: words in json.dumps(self.document()))

    def closed(self) -> int | None:
        """Wait until the server closes; with which code."""
        while True:
            kind, data = self.connection.recv_data()
            if kind == ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")


def _holder_of(document: Any, text: str) -> str:
    """Id of the model whose HTML holds a text."""
    found = [
        part["id"]
        for part in _parts(document)
        if text in str(part.get("attributes", {}).get("html", ""))
    ]
    assert found, f"nothing on the page holds {text}"
    return str(found[0])


def _parts(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        yield document
    for part in document.values() if isinstance(document, dict) else document:
        if isinstance(part, dict | list):
            yield from _parts(part)
