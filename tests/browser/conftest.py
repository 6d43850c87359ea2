"""One JupyterLab and one Chromium for all browser tests; each test gets its own notebook."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import jupyter

# As long as everything else may take on a machine that is busy with other tests.
expect.set_options(timeout=jupyter.START_SECONDS * 1000)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """A system Chromium. Without one, CI fails and a desk skips."""
    path = jupyter.chromium_path()
    if path is None:
        reason = f"no Chromium: install one, or name it in {jupyter.BROWSER_VARIABLE}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[jupyter.JupyterServer]:
    with jupyter.jupyter_server(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="session")
def session_browser(chromium_path) -> Iterator[jupyter.Browser]:
    viewport = {"width": 1280, "height": 1100}
    with jupyter.chromium(chromium_path, viewport=viewport) as browser:
        yield browser


@pytest.fixture(scope="session")
def lab(server, session_browser) -> jupyter.Notebook:
    """A notebook with a running kernel; loading JupyterLab anew for each test would take long."""
    server.write_notebook("test.ipynb", "")
    return jupyter.Notebook(session_browser.context.new_page(), server, "test.ipynb")


@pytest.fixture
def open_cells(lab, session_browser):
    """Show and run given cells in the notebook.

    The test fails if the page asked for anything beyond loopback, or threw an error.
    """
    errors: list[str] = []

    def note(error) -> None:
        errors.append(str(error))

    lab.page.on("pageerror", note)
    yield lab.replace_cells
    lab.page.remove_listener("pageerror", note)
    outside = list(session_browser.outside)
    session_browser.outside.clear()
    assert outside == []
    assert errors == []
