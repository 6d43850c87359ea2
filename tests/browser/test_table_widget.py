"""The table widget as a person meets it, in JupyterLab and in Panel, over a real store."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import browse_lab, table_checks
from tests.browser.jupyter import ROOT, START_SECONDS

pytestmark = pytest.mark.browser

CELL = """\
from tests.browser import browse_lab
lab = browse_lab.open_lab({folder!r})
table = lab.browse("responses")
table"""

APP = """\
import sys
import panel as pn
from rlhf_lab.store import TableBrowser
from rlhf_lab.widgets.panel import TablePane
from tests.browser import browse_lab

port, folder = int(sys.argv[1]), sys.argv[2]
lab = browse_lab.open_lab(folder)
pn.serve(
    lambda: pn.Column(TablePane(TableBrowser(lab.responses)), sizing_mode="stretch_width"),
    port=port, address="127.0.0.1", websocket_origin=f"127.0.0.1:{port}", show=False,
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("browse") / "lab")
    browse_lab.open_lab(path).close()
    return path


@pytest.fixture
def in_jupyterlab(open_cells, folder) -> Locator:
    notebook = open_cells(CELL.format(folder=folder), "# another cell")
    root = notebook.page.locator(".rlhf-tables")
    expect(root.locator("tbody tr")).to_have_count(50)
    notebook.record_commands()
    return root


def test_a_person_looks_through_a_table_in_jupyterlab(in_jupyterlab, lab):
    before = lab.state()
    table_checks.work_with_keys(in_jupyterlab)
    assert lab.commands() == []
    after = lab.state()
    assert after["cells"] == before["cells"]
    assert table_checks.violations(in_jupyterlab) == []


def test_a_hostile_row_is_text_in_jupyterlab(in_jupyterlab):
    table_checks.read_the_hostile_row(in_jupyterlab)
    assert table_checks.violations(in_jupyterlab) == []


def test_a_busy_kernel_loses_no_question_and_answers_the_last(in_jupyterlab, lab, tmp_path):
    gate = tmp_path / "gate"
    lab.page.evaluate(
        """(code) => {
            const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
            session.kernel.requestExecute({ code });
        }""",
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)",
    )
    for _ in range(3):
        in_jupyterlab.get_by_role("button", name="Next page").click()
    expect(in_jupyterlab.locator(".rw-message")).to_contain_text("The kernel is busy")
    expect(in_jupyterlab.locator(".rt-range")).to_have_text("rows 1–50 of 300")
    gate.touch()
    expect(in_jupyterlab.locator(".rt-range")).to_have_text("rows 151–200 of 300")
    expect(in_jupyterlab.locator(".rw-message")).to_have_text("")


def test_rows_are_cards_where_there_is_little_room(in_jupyterlab):
    in_jupyterlab.evaluate("(e) => { e.parentElement.style.width = '360px'; }")
    expect(in_jupyterlab.locator("thead")).to_be_hidden()
    order = in_jupyterlab.get_by_label("Sort", exact=True)
    order.select_option("Length, smallest first")
    expect(in_jupyterlab.locator("tbody tr").first).to_contain_text("(empty)")
    in_jupyterlab.locator("tbody tr").nth(2).click()
    expect(in_jupyterlab.locator(".rt-facts")).to_be_visible()
    wide = "(e) => [...e.querySelectorAll('.rt-box, .rt-details, .rt-toolbar, .rt-bottom')]"
    assert in_jupyterlab.evaluate(f"{wide}.map((one) => one.scrollWidth - one.clientWidth)") == [
        0, 0, 0, 0,
    ]  # fmt: skip
    assert table_checks.violations(in_jupyterlab) == []


@pytest.fixture(scope="module")
def address(tmp_path_factory, folder) -> Iterator[str]:
    pytest.importorskip("panel")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("panel") / "panel.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", APP, str(port), folder],
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
def in_panel(session_browser, address) -> Iterator[Locator]:
    errors: list[str] = []
    page = session_browser.context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    root = page.locator(".rlhf-tables")
    expect(root.locator("tbody tr")).to_have_count(50)
    yield root
    page.close()
    assert errors == []
    assert session_browser.outside == []


def test_a_person_looks_through_a_table_in_panel(in_panel):
    table_checks.work_with_keys(in_panel)
    table_checks.read_the_hostile_row(in_panel)
    assert table_checks.violations(in_panel) == []
