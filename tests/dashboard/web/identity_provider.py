"""An OpenID provider in a thread: codes are used once, secrets and PKCE are checked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import tornado.httpserver
import tornado.netutil
import tornado.web

KEY, SECRET = "lab-client", "s3cret-of-the-client"
TOKEN = "s3cret-access-token"


@dataclass
class Identity:
    """Who is at the provider's browser, and how the provider behaves."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    # Of what it says, to make it wrong; and without: the client has to ask for who it is.
    changes: dict[str, Any] = field(default_factory=dict)
    has_id_token: bool = True
    broken: str | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        """Of `rlhf-lab serve`, to use it."""
        places = {"AUTHORIZE_URL": "authorize", "TOKEN_URL": "token", "USER_URL": "userinfo"}
        return [
            "--oauth-provider=generic",
            f"--oauth-key={KEY}",
            f"--oauth-secret={SECRET}",
            *(f"--oauth-option={name}={self.url}/{path}" for name, path in places.items()),
        ]


class Authorize(tornado.web.RequestHandler):
    """The page where people would say yes."""

    def get(self) -> None:
        identity: Identity = self.settings["identity"]
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        assert asked["client_id"] == KEY
        assert asked["response_type"] == "code"
        code = secrets.token_hex(8)
        identity.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        self.redirect(f"{asked['redirect_uri']}?{back}")


class Token(tornado.web.RequestHandler):
    """Where a code becomes a token."""

    def post(self) -> None:
        identity: Identity = self.settings["identity"]
        asked = identity.codes.pop(self.get_body_argument("code"), None)
        if identity.broken is not None:
            self.set_status(400 if identity.broken.startswith("{") else 200)
            self.write(identity.broken)
        elif asked is None or not self._is_meant(asked):
            self.set_status(400)
            self.write({"error": "invalid_grant", "error_description": SECRET})
        else:
            self.write(self._answer(identity, asked))

    def _is_meant(self, asked: dict[str, str]) -> bool:
        given = self.get_body_argument
        digest = hashlib.sha256(given("code_verifier").encode()).digest()
        return (
            (given("client_id"), given("client_secret")) == (KEY, SECRET)
            and given("redirect_uri") == asked["redirect_uri"]
            and _base64(digest) == asked["code_challenge"]
        )

    def _answer(self, identity: Identity, asked: dict[str, str]) -> dict[str, str]:
        answer = {"access_token": TOKEN, "token_type": "Bearer"}
        if identity.has_id_token:
            claims = {"aud": KEY, "nonce": asked["nonce"], **identity.claims, **identity.changes}
            parts = ({"alg": "none"}, claims)
            answer["id_token"] = ".".join([*(_base64(json.dumps(p).encode()) for p in parts), "x"])
        return answer


class UserInfo(tornado.web.RequestHandler):
    """Who a token is of."""

    def get(self) -> None:
        identity: Identity = self.settings["identity"]
        assert self.request.headers["Authorization"] == f"Bearer {TOKEN}"
        self.write(identity.claims)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@contextlib.contextmanager
def identity_provider() -> Iterator[Identity]:
    """One that listens."""
    identity, started = Identity(), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        routes = [("/authorize", Authorize), ("/token", Token), ("/userinfo", UserInfo)]
        app = tornado.web.Application(routes, identity=identity, log_function=lambda _: None)
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(app)
        server.add_socket(socket)
        identity.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        stop = asyncio.Event()
        identity_stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        started.set()
        await stop.wait()
        server.stop()
        await server.close_all_connections()

    identity_stops: list[Any] = []
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    try:
        yield identity
    finally:
        identity_stops[0]()
        thread.join()
        loop.close()
