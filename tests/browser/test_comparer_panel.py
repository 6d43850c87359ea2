"""The comparing widget in a Panel page: the same module inside a shadow root."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser import compare_source
from tests.browser.compare_source import NEW, OLD, winner
from tests.browser.jupyter import ROOT, START_SECONDS

pytest.importorskip("panel")
pytestmark = pytest.mark.browser

SAVED_MS = 60_000
"""On a machine that is busy with other tests; the page itself goes on at once."""

APP = """\
import panel as pn
from rlhf_lab.widgets.panel import ComparisonPane
from tests.browser.compare_source import shown

pn.serve(lambda: ComparisonPane(shown({folder!r})), port={port}, address="127.0.0.1", show=False,
         websocket_origin=["127.0.0.1:{port}"])
"""


@pytest.fixture
def address(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "panel.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", APP.format(folder=str(tmp_path), port=port)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_until_up(url, process, log) -> None:
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with opener.open(url, timeout=20):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"Panel did not start at {url}:\n{log.read_text()[-3000:]}")


@pytest.fixture
def page(session_browser, address):
    errors: list[str] = []
    page = session_browser.context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    yield page
    page.close()
    assert errors == []
    assert session_browser.outside == []


def test_a_person_compares_undoes_and_sees_the_end_and_a_reload_resumes(page, tmp_path):
    widget = page.locator(".rlhf-comparer")
    position = widget.locator(".rc-position")
    position.wait_for()
    expect(position).to_have_text("1 of 4")
    widget.locator(".rc-bar").focus()

    def prefer(version: str) -> None:
        left = widget.locator("[data-letter=A] .rc-body").inner_text()
        on_the_left = NEW if "short answer" in left else OLD
        page.keyboard.press("1" if on_the_left == version else "2")
        page.keyboard.press("Enter")

    prefer(NEW)
    expect(position).to_have_text("2 of 4")
    expect(widget.locator(".rc-bar")).to_be_focused()
    prefer(OLD)
    expect(position).to_have_text("3 of 4")
    page.keyboard.press("u")
    expect(position).to_have_text("2 of 4")
    expect(widget.locator(".rc-answer[aria-pressed=true]")).to_have_count(1)
    prefer(NEW)
    expect(widget).to_have_attribute("aria-busy", "false", timeout=SAVED_MS)
    events = compare_source.stored(tmp_path / "compared.db")
    assert [e.kind for e in events] == ["ranking", "ranking", "undo", "ranking"]
    assert [winner(e) for e in events if e.ranking] == [NEW, OLD, NEW]
    expect(widget).not_to_contain_text("policy@")

    page.reload()
    position.wait_for()
    expect(position).to_have_text("3 of 4")
    widget.locator(".rc-bar").focus()
    prefer(NEW)
    expect(position).to_have_text("4 of 4")
    prefer(NEW)
    expect(widget.locator("h2")).to_have_text("policy@1 is preferred", timeout=SAVED_MS)
    expect(widget.locator(".rc-scale")).to_have_attribute(
        "aria-label", "Win rate of policy@1: 100%, 95% interval 51% to 100%"
    )
