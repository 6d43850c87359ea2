"""Notebook 7 shows the widgets too; it is JupyterLab's parts in another frame."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cases import CASES
from tests.browser.conftest import no_errors

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook7(server, session_browser) -> Iterator[Page]:
    server.write_notebook("seven.ipynb", "")
    page = session_browser.context.new_page()
    page.goto(f"{server.url}/notebooks/seven.ipynb")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext"
        "?.session?.kernel?.status === 'idle'"
    )
    yield page
    page.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_notebook_7_shows_a_widget(notebook7, session_browser, case, tmp_path):
    code = case.code("jupyterlab", tmp_path)
    with no_errors(notebook7, session_browser):
        notebook7.evaluate(
            """(source) => {
                const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
                cells.deleteCellRange(0, cells.cells.length);
                cells.insertCells(0, [{cell_type: 'code', source, metadata: {}}]);
                window.jupyterapp.commands.execute('notebook:run-all-cells');
            }""",
            f"{code}\nshown",
        )
        root = notebook7.locator(case.selector)
        expect(root.locator(case.ready).first).to_be_visible()
        before = notebook7.locator(".jp-Cell").count()
        root.locator("button:visible, [tabindex]:visible").first.focus()
        for key in "abmxdd":
            notebook7.keyboard.press(key)
        assert notebook7.locator(".jp-Cell").count() == before
