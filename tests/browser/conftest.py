"""One JupyterLab, one Panel server and one Chromium for all browser tests.

Each test gets its own notebook or page of Panel, over stores in a folder of its own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser import jupyter
from tests.browser.hosts import Host, JupyterLabHost, panel_host

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
        # What hostile texts call, were they to run; see tests/widgets/xss_corpus.py.
        browser.context.add_init_script("window.hits = 0; window.HIT = () => { window.hits += 1; }")
        yield browser


@pytest.fixture(scope="session")
def lab(server, session_browser) -> jupyter.Notebook:
    """A notebook with a running kernel; loading JupyterLab anew for each test would take long."""
    server.write_notebook("test.ipynb", "")
    return jupyter.Notebook(session_browser.context.new_page(), server, "test.ipynb")


@pytest.fixture(scope="session")
def jupyterlab(lab, server) -> Host:
    return JupyterLabHost(lab, server.folder)


@pytest.fixture(scope="session")
def panel(session_browser, tmp_path_factory) -> Iterator[Host]:
    with panel_host(session_browser, tmp_path_factory.mktemp("panel")) as host:
        yield host


@pytest.fixture(params=["jupyterlab", "panel"])
def host(request, session_browser) -> Iterator[Host]:
    """Each host in turn; the test fails if its page asked beyond loopback, or threw an error."""
    host = request.getfixturevalue(request.param)
    with no_errors(host.page, session_browser):
        yield host


@pytest.fixture
def open_cells(lab, session_browser):
    """Show and run given cells in the notebook, under the same conditions as `host`."""
    with no_errors(lab.page, session_browser):
        yield lab.replace_cells


@contextmanager
def no_errors(page, browser: jupyter.Browser) -> Iterator[None]:
    errors: list[str] = []

    def note(error) -> None:
        errors.append(str(error))

    page.on("pageerror", note)
    browser.outside.clear()
    yield
    page.remove_listener("pageerror", note)
    outside = list(browser.outside)
    browser.outside.clear()
    assert outside == []
    assert errors == []
