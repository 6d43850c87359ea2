"""The nginx example of deploy/, before a real server: where there is an nginx to try it with."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.adapters import HTTPAdapter
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from rlhf_lab.lab import Lab
from tests.dashboard.helpers import PASSWORD, Client, Served, served, token_of
from tests.dashboard.waiting import result_of, until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
EXAMPLE = Path(__file__).parents[3] / "deploy" / "nginx.conf"

pytestmark = pytest.mark.skipif(
    NGINX is None or shutil.which("openssl") is None, reason="needs nginx and openssl"
)


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def certificate(folder: Path) -> Path:
    """For localhost, signed by itself; its key stands beside it."""
    file = folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(file)]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *files, *names], check=True, capture_output=True)
    return file


def configuration(folder: Path, plain: int, tls: int, server: int) -> Path:
    """The example as it is, but for what it says to change, and for ports that need no root."""
    example = EXAMPLE.read_text()
    for old, new in {
        "/etc/letsencrypt/live/lab.example.org/fullchain.pem": str(folder / "cert.pem"),
        "/etc/letsencrypt/live/lab.example.org/privkey.pem": str(folder / "key.pem"),
        "/var/log/nginx/rlhf-lab.error.log": str(folder / "error.log"),
        "lab.example.org": "localhost",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ": f"listen 127.0.0.1:{tls} ",
        "127.0.0.1:5006": f"127.0.0.1:{server}",
    }.items():
        assert old in example
        example = example.replace(old, new)
    lines = [line for line in example.splitlines() if "listen [::]" not in line]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/main.log;\n"
        "events {}\nhttp {\n" + "\n".join([paths, *lines]) + "\n}\n"
    )
    return file


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server, as it is reached through nginx."""
    folder = tmp_path_factory.mktemp("proxy")
    plain, tls, behind = free_ports(3)
    certificate(folder)
    file = configuration(folder, plain, tls, behind)
    Lab(folder / "lab", progress=False).close()
    # The last port counts.
    options = [f"--port={behind}", f"--public-url=https://localhost:{tls}", "--no-worker"]
    checked = subprocess.run([NGINX, "-t", "-c", str(file)], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    with served(folder / "lab", *options, "--trusted-proxy=127.0.0.1") as running:
        nginx = subprocess.Popen([NGINX, "-c", str(file)], stderr=subprocess.DEVNULL)
        try:
            until(lambda: answers(tls))
            yield running
        finally:
            nginx.terminate()
            nginx.wait(30)


@pytest.fixture
def browser(place: Served) -> Iterator[Client]:
    with place.stranger() as client:
        client.verify = str(place.lab.parent / "cert.pem")
        yield client


@pytest.fixture(scope="module")
def ada(place: Served) -> str:
    return place.accounts.redeem(place.accounts.invite_admin(), PASSWORD, name="Ada").name


def test_people_reach_the_server_through_tls(browser, place):
    assert place.url.startswith("https://localhost:")
    answer = browser.get("/healthz")
    assert answer.json()["status"] == "ok"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_sign_in_is_kept_to_tls_and_to_this_host(browser, ada):
    answer = browser.sign_in(ada)
    assert answer.status_code == 303
    kept = [c for c in answer.headers["Set-Cookie"].split(", ") if "lab_sign_in" in c]
    assert kept
    for cookie in kept:
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
    assert browser.get("/account").status_code == 200


def test_a_page_is_connected_through_it_and_from_its_own_origin_alone(browser, place, ada):
    browser.sign_in(ada)
    token = token_of(browser.get("/rank").text)
    context = ssl.create_default_context(cafile=browser.verify)

    async def handshake(origin: str) -> int:
        url = place.url.replace("https", "wss", 1) + "/rank/ws"
        headers = {"Origin": origin, "Cookie": browser.cookie_header()}
        request = HTTPRequest(url, headers=headers, ssl_options=context, request_timeout=30)
        try:
            connection = await websocket_connect(request, subprotocols=["bokeh", token])
        except HTTPClientError as error:
            return error.code
        connection.close()
        while await connection.read_message() is not None:
            pass
        return 101

    assert result_of(handshake(place.url)) == 101
    assert result_of(handshake("https://evil.example")) == 403


class FromElsewhere(HTTPAdapter):
    """Connects from another address than the proxy's own, whose word counts."""

    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, **options, source_address=("127.0.0.2", 0))


def test_wrong_passwords_are_counted_for_who_typed_them_and_not_for_the_proxy(browser):
    browser.mount("https://", FromElsewhere())
    for number in range(21):  # one more than an address has, from as many addresses
        forged = {"X-Forwarded-For": f"192.0.2.{number}"}
        browser.headers.update(forged)
        answer = browser.sign_in(f"nobody {number}", "wrong password")
        assert answer.status_code in (401, 429)
    # What the client wrote itself does not count: nginx adds where it really came from.
    assert answer.status_code == 429


def test_imports_pass_and_the_limit_is_told_in_words(browser, place, ada):
    browser.sign_in(ada)
    headers = {"Origin": place.url, "X-XSRFToken": browser.cookies["_xsrf"]}
    row = b'{"prompt": "Why?", "chosen": "So.", "rejected": "No."}\n'
    body = row + b" " * (3 * 2**20)
    told = browser.post("/upload?name=x.jsonl", data=body, headers=headers)
    assert (told.status_code, told.json()["rows"]) == (200, 1)
    answer = browser.get("/download", params={"format": "kwise"})
    assert len(answer.text.splitlines()) == 1
