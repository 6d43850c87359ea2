"""A real JupyterLab and a real Chromium for tests and screenshots, both kept to this machine.

Everything is made in a temporary folder: no user settings, no token prompts, no news. Any request
that would leave the loopback interface is refused and remembered, so that a test can fail on it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import (
    BrowserContext,
    Locator,
    Page,
    Route,
    WebSocket,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
BROWSER_VARIABLE = "RLHF_LAB_CHROMIUM"
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 240
"""How long a server or a kernel may take on a machine that is busy with other tests."""

EXPECT_SECONDS = 30
"""How long what is expected in a page may take; a tenth of it where nothing else runs."""

Theme = Literal["light", "dark"]
THEMES: dict[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

_CHROMIUM_ARGS = [
    "--no-sandbox",  # CI runs as root in a container
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    # Belt and braces: even what no page asked for resolves nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells in the page, always
}


def chromium_path() -> str | None:
    """The Chromium to drive: the one in RLHF_LAB_CHROMIUM, or the system's, or None."""
    named = os.environ.get(BROWSER_VARIABLE)
    if named:
        return named
    return next((path for name in BROWSER_NAMES if (path := shutil.which(name))), None)


@dataclass
class JupyterServer:
    """A running JupyterLab."""

    url: str
    folder: Path

    def write_notebook(self, name: str, *cells: str) -> None:
        """Put a notebook with these code cells where the server finds it."""
        book = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(cells)
            ],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(book, self.folder / name)


@contextmanager
def jupyter_server(folder: Path, *, theme: Theme = "light") -> Iterator[JupyterServer]:
    """Run JupyterLab over `folder` on a free loopback port until the block ends."""
    home = folder / ".jupyter-home"
    _write_settings(home / "settings", theme)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log_path = folder / "jupyter.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            _server_command(port, folder, home),
            env=environment() | _folders(home),
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_up(f"{url}/api/status", process, log_path)
            yield JupyterServer(url=url, folder=folder)
        finally:
            end(process)  # and with it its kernels


def end(process: subprocess.Popen[bytes]) -> None:
    """Have a server end, if need be by force."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _server_command(port: int, folder: Path, home: Path) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.terminals_enabled": False,
        "IdentityProvider.token": "",
        "LabApp.news_url": "",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        "LabApp.expose_app_in_browser": True,  # tests watch which commands run
        "LabApp.user_settings_dir": home / "settings",
        "LabApp.workspaces_dir": home / "workspaces",
        # The same server has Notebook 7 under /notebooks.
        "JupyterNotebookApp.expose_app_in_browser": True,
        "JupyterNotebookApp.user_settings_dir": home / "settings",
        "JupyterNotebookApp.workspaces_dir": home / "workspaces",
    }
    return [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]


def environment() -> dict[str, str]:
    """That of a process which imports the package and the tests' helpers, installed or not."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _folders(home: Path) -> dict[str, str]:
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {name: str(home / name.lower()) for name in names}


def _write_settings(folder: Path, theme: Theme) -> None:
    settings = {**_SETTINGS, "apputils-extension/themes": {"theme": THEMES[theme]}}
    for plugin, values in settings.items():
        path = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server that was just started answers.

    Raises:
        RuntimeError: it ended, or took too long.
    """
    # Another process is awaited here, which has no event to wait for; a test never sleeps.
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"no server started at {url}:\n{log.read_text()[-3000:]}")


@dataclass
class Browser:
    """A browser context, and the addresses beyond loopback that something in it asked for."""

    context: BrowserContext
    outside: list[str] = field(default_factory=list)


@contextmanager
def chromium(path: str, **options: Any) -> Iterator[Browser]:
    """Run a headless Chromium with one context; `options` are Playwright's context options."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=_CHROMIUM_ARGS)
        browser = Browser(launched.new_context(**options))
        browser.context.set_default_timeout(START_SECONDS * 1000)
        expect.set_options(timeout=EXPECT_SECONDS * 1000)
        browser.context.route("**/*", lambda route: _guard(route, browser.outside))
        browser.context.on("page", lambda page: _watch_sockets(page, browser.outside))
        yield browser
        launched.close()


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"data", "blob", "about"} or parts.hostname in LOOPBACK


def _guard(route: Route, outside: list[str]) -> None:
    if _is_local(route.request.url):
        route.continue_()
    else:
        outside.append(route.request.url)
        route.abort()


def _watch_sockets(page: Page, outside: list[str]) -> None:
    def check(socket: WebSocket) -> None:
        if not _is_local(socket.url):
            outside.append(socket.url)

    page.on("websocket", check)


class Notebook:
    """A notebook open in JupyterLab, with the operations that tests need."""

    def __init__(self, page: Page, server: JupyterServer, name: str) -> None:
        self.page = page
        self.widget = page.locator(".rlhf-ranker")
        page.goto(f"{server.url}/doc/tree/{name}?reset")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for the notebook and for its kernel to be idle."""
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext"
            "?.session?.kernel?.status === 'idle'"
        )

    def run_all(self) -> None:
        """Run all cells and wait for the last one to end."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def start_all(self) -> None:
        """Run all cells, and do not wait for them."""
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )

    def replace_cells(self, *sources: str, wait: bool = True) -> Notebook:
        """Put these code cells in the place of all cells, and run them."""
        self.page.bring_to_front()  # others draw a frame a second
        self.page.evaluate(
            """(sources) => {
                const { shell } = window.jupyterapp;
                // What a test before has left open would take room from the notebook.
                shell.collapseLeft?.();
                shell.collapseRight?.();
                const cells = shell.currentWidget.content.model.sharedModel;
                cells.deleteCellRange(0, cells.cells.length);
                cells.insertCells(0, sources.map(
                    (source) => ({cell_type: 'code', source, metadata: {}})));
            }""",
            list(sources),
        )
        if wait:
            self.run_all()
        else:
            self.start_all()
        return self

    def reload(self) -> None:
        """Load the page again; the kernel goes on."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.reload()
        self.wait_until_ready()

    def restart(self) -> None:
        """Start the kernel anew; nothing is run."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        )
        self.wait_until_ready()

    def occupy(self, code: str) -> None:
        """Have the kernel run something, and return once it does."""
        self.page.evaluate(
            """(code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                kernel.requestExecute({code});
                return new Promise((resolve) => {
                    const check = () => kernel.status === 'busy' && resolve();
                    kernel.statusChanged.connect(check);
                    check();
                });
            }""",
            code,
        )

    def use_theme(self, theme: Theme) -> None:
        """Have JupyterLab light or dark."""
        name = THEMES[theme]
        if self.page.evaluate("() => document.body.dataset.jpThemeName") == name:
            return
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        self.page.wait_for_function(
            "(name) => document.body.dataset.jpThemeName === name", arg=name
        )
        # JupyterLab fades its splash out after that; a second change must not come meanwhile.
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def record_commands(self) -> None:
        """From now on, note every command that JupyterLab runs."""
        self.page.evaluate(
            """() => {
                window.ranCommands = [];
                window.jupyterapp.commands.commandExecuted.connect(
                    (_, {id}) => window.ranCommands.push(id));
            }"""
        )

    def commands(self) -> list[str]:
        """The commands that ran since `record_commands`."""
        return list(self.page.evaluate("() => window.ranCommands"))

    def state(self) -> dict[str, Any]:
        """What notebook commands would change: the cells, the mode, the selected cell."""
        return dict(
            self.page.evaluate(
                """() => {
                    const notebook = window.jupyterapp.shell.currentWidget.content;
                    return {
                        cells: notebook.widgets.map((cell) => [
                            cell.model.id, cell.model.type, cell.model.sharedModel.source]),
                        mode: notebook.mode,
                        active: notebook.activeCellIndex,
                    };
                }"""
            )
        )

    def card(self, letter: str) -> Locator:
        """The card of one response."""
        return self.widget.get_by_role("group", name=f"Response {letter},")
