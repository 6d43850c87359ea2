"""The token view in a Panel page: the same module inside a shadow root."""

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
import panel as pn
from rlhf_lab.widgets.panel import TokenPane
from tests.browser.token_reports import sample_reports

def page():
    pane = TokenPane(sample_reports())
    told = pn.pane.Str("", name="told")
    def tell(*_):
        told.object = f"{pane.state.shown} {pane.state.figure} {pane.acked_seq}"
    pane.param.watch(tell, "view")
    return pn.Column(pane, told)

pn.serve(page, port=PORT, address="127.0.0.1", show=False,
         websocket_origin=["127.0.0.1:PORT"])
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("panel") / "panel.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", APP.replace("PORT", str(port))],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_up(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_until_up(url, process, log) -> None:
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


def test_keys_walk_and_change_the_figure_and_python_hears_of_it(page):
    widget = page.locator(".rlhf-tokens")
    options = widget.get_by_role("option")
    expect(options.first).to_be_visible(timeout=1000 * START_SECONDS)
    expect(widget).to_have_attribute("data-theme", "light")
    options.first.focus()
    page.keyboard.press("ArrowRight")
    expect(options.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).not_to_be_focused()
    for key in ("5", "2"):
        page.keyboard.press(key)
    expect(page.get_by_text("0 kl 2", exact=True)).to_be_visible(timeout=1000 * START_SECONDS)
    page.keyboard.press("n")
    expect(page.get_by_text("1 kl 3", exact=True)).to_be_visible(timeout=1000 * START_SECONDS)
    expect(widget.locator(".tk-about")).to_contain_text("response-2")
    # An acknowledgement makes nothing anew: the focus is still in the tokens.
    expect(widget.locator(".tk-text [role=option]:focus")).to_have_count(1)
    expect(widget.locator(".rw-message")).to_have_text("")
    assert page.title() != "owned"
    assert widget.locator("img, script, iframe, a").count() == 0
    assert widget.evaluate("(e) => e.scrollWidth <= e.clientWidth")
