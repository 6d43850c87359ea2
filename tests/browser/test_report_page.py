"""The report of a lab in a real browser: nothing loads, it fits, and it reads without eyes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from rlhf_lab.evaluation.report import write_report
from tests.browser.accessibility import violations
from tests.evaluation.report import stores

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("report")
    special = {0: ("W" * 900, stores.SCRIPT), 3: ("x" * 2_000, "y" * 2_000)}
    with stores.make(folder / "lab.sqlite") as store:
        stores.two_rounds(store, folder, special)
        scores = {response.id: len(response.text) / 100 for response in store.responses()}
        report = write_report(
            store, folder / "report.html", title="first", folder=folder, scores=scores,
            reward="reward@1",
        )  # fmt: skip
    return report.path.read_text("utf-8")


@pytest.fixture
def page(session_browser) -> Iterator[Page]:
    page = session_browser.context.new_page()
    session_browser.outside.clear()
    yield page
    page.close()
    assert session_browser.outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_page(page: Page, html: str, scheme: str, width: int):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.set_content(html)
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    # Figures beside a bar stay inside their card.
    over = page.evaluate(
        """() => [...document.querySelectorAll(".lanes .told, .tree .told")].filter((told) => {
            const card = told.closest(".lanes, .what").getBoundingClientRect();
            const right = told.lastElementChild.getBoundingClientRect().right;
            return right > card.right + 1;
        }).map((told) => told.textContent)"""
    )
    assert over == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_accessibility_violations(page: Page, html: str, scheme: str):
    # The page forbids scripts, those of a checker too.
    page.emulate_media(color_scheme=scheme)
    page.set_content(html.replace("default-src 'none'", "default-src 'none'; script-src *"))
    assert violations(page, "html") == []


def test_a_hostile_answer_runs_nothing(page: Page, html: str):
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_content(html)
    assert page.locator("img, script").count() == 0
    assert dialogs == []
