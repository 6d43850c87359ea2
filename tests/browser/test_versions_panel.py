"""The tree of versions in Panel: a real server and browser, and a shadow root between the two."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import jupyter
from tests.browser.accessibility import violations
from tests.browser.test_versions_jupyterlab import message, present, press, row

pytestmark = pytest.mark.browser

APP = """\
import panel as pn
from rlhf_lab.widgets.panel import VersionTreePane
from tests.browser import versions_lab
source = versions_lab.source({database!r})
VersionTreePane(source, lambda one, two: f"{{one}} {{two}}").servable()
"""


@pytest.fixture
def database(tmp_path) -> Path:
    return tmp_path / "lab.db"


@pytest.fixture
def page(tmp_path, database, session_browser) -> Iterator[Page]:
    app = tmp_path / "tree.py"
    app.write_text(APP.format(database=str(database)))
    port = jupyter._free_port()
    command = [sys.executable, "-m", "panel", "serve", str(app), "--port", str(port)]
    log = tmp_path / "panel.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=jupyter._environment(tmp_path), stdout=output, stderr=output
        )
        try:
            url = f"http://127.0.0.1:{port}/tree"
            jupyter._wait_until_up(url, process, log)
            page = session_browser.context.new_page()
            page.goto(url)
            yield page
            page.close()
        finally:
            process.terminate()
            process.wait(20)
    assert session_browser.outside == []


def test_a_person_compares_checks_out_and_goes_back(page: Page, database: Path):
    tree = page.locator(".rlhf-versions")
    row(tree, "policy@2").click()
    press(tree, "x")
    expect(tree.locator(".rv-outcome")).to_contain_text("policy@5 won 0.58 [0.50, 0.66]")
    expect(message(tree)).to_have_text("policy@2 policy@5")
    press(tree, "Escape", "ArrowUp", "ArrowDown", "Enter")
    expect(message(tree)).to_contain_text("Present now: policy@2 with reward@1.")
    expect(row(tree, "policy@2")).to_be_focused()
    assert present(database) == ["policy@2", "reward@1"]
    press(tree, "b")
    expect(message(tree)).to_contain_text("Present now: policy@5 with reward@2.")
    assert present(database) == ["policy@5", "reward@2"]

    page.set_viewport_size({"width": 360, "height": 900})
    assert tree.evaluate("(e) => e.scrollWidth <= e.clientWidth")
    assert violations(page, ".rlhf-versions") == []
