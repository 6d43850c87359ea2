"""The monitor in a Panel page, beside a run in another thread of the server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import ROOT, START_SECONDS

pytest.importorskip("panel")
pytestmark = pytest.mark.browser

APP = """\
import threading
import panel as pn
from rlhf_lab.widgets.panel import MonitorPane
from tests.browser.monitor_run import PretendedRun

run = PretendedRun(500)
threading.Thread(target=run.run, args=(0.3,), daemon=True).start()
pn.serve(lambda: MonitorPane(run.state), port={port}, address="127.0.0.1", show=False,
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
            [sys.executable, "-c", APP.format(port=port)],
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


def step(page) -> int:
    text = page.locator(".mo-status").inner_text()
    return int(text.split()[1])


def test_a_run_is_watched_and_stopped_and_a_reload_shows_it_again(page):
    monitor = page.locator(".rlhf-monitor")
    expect(monitor.locator(".mo-plot canvas")).to_have_count(6)
    expect(monitor.locator(".mo-reading").first).not_to_have_text("–")
    seen = step(page)
    expect(monitor.locator(".mo-status")).not_to_contain_text(f"Step {seen} ")
    monitor.get_by_role("button", name="Stop after this step").click()
    expect(monitor.locator(".mo-status")).to_contain_text("Stopped early")
    expect(monitor.locator(".mo-outcome")).to_have_text("Kept as policy@1.")
    shown = monitor.locator(".mo-reading").all_inner_texts()
    page.reload()
    expect(monitor.locator(".mo-status")).to_contain_text("Stopped early")
    expect(monitor.locator(".mo-reading").first).to_have_text(shown[0])
    # The style sheet came with the component, into its shadow root.
    assert monitor.locator(".mo-plot").first.evaluate("(e) => getComputedStyle(e).cursor") == (
        "crosshair"
    )
