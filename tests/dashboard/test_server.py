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
from tests.dashboard.helpers import PASSWORD, Page, served, start, stop, wait_ready
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
    command = [sys.executable, "-m", "rlhf_lab.cli", "serve", str(tmp_path / "lab")]
    taken = [*command, f"--port={server.port}"]
    done = subprocess.run(taken, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"127.0.0.1:{server.port} cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "lab").exists()


def test_a_server_ends_whole_and_the_one_after_it_goes_on(tmp_path):
    """Three starts of one lab: they take long, so each shows several things."""
    lab = tmp_path / "lab"
    with served(lab, "--no-worker", "--end-with-input") as first:
        assert f"Make an admin's account, once: {first.admin_link}" in first.log.read_text()
        assert stat.S_IMODE(lab.with_name("lab.ready").stat().st_mode) == 0o600
        assert "account of an admin" in first.stranger().get(first.admin_link).text
        first.process.stdin.close()  # as when the process that started it has died
        assert first.process.wait(60) == 0
    with served(lab, "--no-worker") as second:
        # Nobody used the link: there is another one, and the first is of no use.
        old = first.admin_link.removeprefix(first.url)
        assert second.stranger().get(old).status_code == 410
        client = second.stranger()
        fields = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
        link = second.admin_link.removeprefix(second.url)
        assert client.submit(link, **fields).status_code == 303
        with Page(client, "people") as open_page:
            second.process.send_signal(signal.SIGINT)
            assert open_page.closed() in (1001, 1006, 1012)
        assert second.process.wait(60) == 0
    with served(lab, "--no-worker", f"--port={second.port}") as third:
        assert third.admin_link is None
        assert client.get("/people").status_code == 200  # still signed in


def test_behind_tls_cookies_are_secure_and_browsers_come_back_through_tls(tmp_path):
    process, ready, log = start(
        tmp_path / "lab", "--no-worker", "--public-url=https://lab.example.org"
    )
    try:
        facts = wait_ready(process, ready, log)
        assert facts["url"] == "https://lab.example.org"
        assert facts["admin_link"].startswith("https://lab.example.org/invite/")
        answer = requests.get(f"http://127.0.0.1:{_port(log)}/login", timeout=30)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "Secure" in answer.headers["Set-Cookie"]
    finally:
        stop(process)
    assert process.returncode == 0


def _port(log: Path) -> int:
    def listening() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "listening"]

    until(lambda: bool(listening()))
    return int(str(listening()[0]["port"]))
