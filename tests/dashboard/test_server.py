"""The process: how it starts, what it holds, how it ends."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from rlhf_lab.cli import app
from rlhf_lab.dashboard import ServeSettings
from rlhf_lab.dashboard.server import Server
from rlhf_lab.errors import ConfigError
from tests.dashboard.helpers import PASSWORD, Page, served, start, wait_ready
from tests.dashboard.waiting import until


def test_the_servers_process_holds_no_torch(server, clients):
    for page in ("rank", "rounds", "agreement", "data", "evaluate", "calibrate", "people"):
        assert clients["admin"].get(f"/{page}").status_code == 200
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("no /proc here to see what a process has loaded")
    loaded = maps.read_text()
    assert "_bcrypt" in loaded or "argon2" in loaded or "_ffi" in loaded  # it is that process
    assert "libtorch" not in loaded


def test_it_listens_to_this_machine_alone(server):
    assert server.url == f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2"], "only 1 works. An open page lives in the process"),
        (["--allow-websocket-origin", "*"], "no wildcards"),
        (["--address", "0.0.0.0"], "Say it with --public-url"),
        (["--log-level", "loud"], "use one of debug, info, warning, error"),
    ],
)
def test_what_would_break_or_endanger_it_is_refused_with_the_reason(tmp_path, options, words):
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "lab"), *options])
    assert done.exit_code == 1
    assert words in done.stderr
    assert not (tmp_path / "lab").exists()


def test_an_address_that_is_taken_is_named_and_nothing_is_made(server, tmp_path):
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{server.port} cannot be listened on"):
        Server(tmp_path / "lab", ServeSettings(port=server.port))
    assert not (tmp_path / "lab").exists()


def test_the_first_start_gives_one_admin_link_and_later_ones_a_new_one_until_it_is_used(tmp_path):
    lab = tmp_path / "lab"
    with served(lab, "--no-worker") as first:
        assert f"Make an admin's account, once: {first.admin_link}" in first.log.read_text()
        assert stat.S_IMODE(lab.with_name("lab.ready").stat().st_mode) == 0o600
        page = first.stranger().get(first.admin_link).text
        assert "account of an admin" in page
        first.process.terminate()
        assert first.process.wait(60) == 0
    with served(lab, "--no-worker") as second:
        old = first.admin_link.rpartition("/")[2]
        assert second.stranger().get(f"/invite/{old}").status_code == 410
        link = second.admin_link.removeprefix(second.url)
        client = second.stranger()
        fields = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
        assert client.submit(link, **fields).status_code == 303
        assert client.get("/people").status_code == 200
        # A page that is open when the server stops: its connection is closed, and its sign-in is
        # still good for the server that comes after.
        with Page(client, "rank") as open_page:
            second.process.send_signal(signal.SIGINT)
            assert open_page.closed() in (1001, 1006, 1012)
        assert second.process.wait(60) == 0
    with served(lab, "--no-worker") as third:
        assert third.admin_link is None
        again = third.stranger()
        again.secret = client.secret
        assert again.get("/people").status_code == 200


def test_it_ends_with_the_process_that_started_it(tmp_path):
    lab = tmp_path / "lab"
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "rlhf_lab.cli", "serve", str(lab), "--port=0", "--no-worker"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--ready-file={ready}", "--end-with-input"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    wait_ready(process, ready, tmp_path / "log")
    process.stdin.close()
    assert process.wait(60) == 0


def test_behind_tls_cookies_are_secure_and_browsers_come_back_through_tls(tmp_path):
    lab = tmp_path / "lab"
    options = ("--no-worker", "--public-url=https://lab.example.org", "--trusted-proxy=127.0.0.1")
    process, ready, log = start(lab, *options)
    try:
        facts = wait_ready(process, ready, log)
        assert facts["url"] == "https://lab.example.org"
        assert facts["admin_link"].startswith("https://lab.example.org/invite/")
        port = _port(log)
        answer = requests.get(f"http://127.0.0.1:{port}/login", timeout=30)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "Secure" in answer.headers["Set-Cookie"]
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _port(log: Path) -> int:
    def listening() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "listening"]

    until(lambda: bool(listening()))
    return int(str(listening()[0]["port"]))
