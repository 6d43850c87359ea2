"""What shows widgets, behind one face: a JupyterLab and a Panel server, both real.

A test that takes a `Host` does the same in both. Pages and servers live as long as the test
session; `show` puts a new widget in the place of the last one.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar

from playwright.sync_api import Locator, Page, expect

from tests.browser.cases import Case
from tests.browser.jupyter import (
    Browser,
    Notebook,
    Theme,
    environment,
    free_port,
    wait_until_up,
)

WIDE = {"width": 1280, "height": 1100}


class Host(ABC):
    """Something that shows widgets in a browser.

    Attributes:
        name: "jupyterlab" or "panel".
        page: Where it shows them.
        folder: Where stores of tests may be put.
    """

    name: ClassVar[str]

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self._numbers = itertools.count()

    def show(self, case: Case, folder: Path, *, hostile: bool = False) -> Locator:
        """Show a widget over the store in a folder; returns its root element."""
        return self.show_code(case, case.code(self.name, folder, hostile=hostile))

    def show_code(self, case: Case, code: str) -> Locator:
        """Show the `shown` that some Python makes; returns its root element."""
        self.run(code)
        return self.wait_for(case)

    def wait_for(self, case: Case) -> Locator:
        """Wait until the widget shows its content; returns its root element."""
        root = self.page.locator(case.selector)
        expect(root.locator(case.ready).first).to_be_visible()
        return root

    @abstractmethod
    def run(self, code: str) -> None:
        """Run some Python and show its `shown`, in the place of what was shown before."""

    @abstractmethod
    def reload(self) -> None:
        """Load the page again; Python goes on."""

    @abstractmethod
    def restart(self) -> None:
        """End Python and start it anew, then run the last code again."""

    @contextmanager
    def blocked(self, at_least: float = 0.0) -> Iterator[None]:
        """Keep Python busy as long as the block lasts, so that it can hear nothing."""
        gate = self.folder / f"gate-{next(self._numbers)}-{self.name}"
        self._block(gate)
        started = time.monotonic()
        try:
            yield
            # Waiting is what is asked for: Python is busy for so long.
            time.sleep(max(0.0, started + at_least - time.monotonic()))
        finally:
            gate.touch()

    @abstractmethod
    def _block(self, gate: Path) -> None:
        """Return once Python is busy; it is so until there is a file."""

    @abstractmethod
    def use_theme(self, theme: Theme) -> None:
        """Show what is shown from now on in light or in dark."""

    @abstractmethod
    def narrow(self, root: Locator, width: int) -> None:
        """Leave the widget so much width, until something else is shown."""

    @abstractmethod
    def record(self) -> None:
        """From now on, note what the host does by itself when keys are pressed."""

    @abstractmethod
    def recorded(self) -> Any:
        """What it did since `record`; empty if nothing."""


_CLOSE_ALL = "import ipywidgets; ipywidgets.Widget.close_all()"


class JupyterLabHost(Host):
    """A notebook in JupyterLab."""

    name = "jupyterlab"

    def __init__(self, notebook: Notebook, folder: Path) -> None:
        super().__init__(notebook.page, folder)
        self.notebook = notebook
        self._before: dict[str, Any] = {}

    def run(self, code: str) -> None:
        # Widgets of earlier tests would all be asked for again when the page is loaded again, which
        # JupyterLab gives up when it takes too long.
        self.notebook.replace_cells(f"{_CLOSE_ALL}\n{code}\nshown", "# another cell")

    def reload(self) -> None:
        self.notebook.reload()

    def restart(self) -> None:
        self.notebook.restart()
        self.notebook.run_all()

    def _block(self, gate: Path) -> None:
        self.notebook.occupy(
            f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
        )

    def use_theme(self, theme: Theme) -> None:
        self.notebook.use_theme(theme)

    def narrow(self, root: Locator, width: int) -> None:
        root.evaluate("(e, w) => { e.parentElement.style.width = `${w}px`; }", width)

    def record(self) -> None:
        self._before = self.notebook.state()
        self.notebook.record_commands()

    def recorded(self) -> Any:
        changed = self.notebook.state() != self._before
        return [*self.notebook.commands(), *(["cells or selection changed"] if changed else [])]


class PanelHost(Host):
    """A page of a Panel server, which runs in its own process."""

    name = "panel"

    def __init__(self, page: Page, folder: Path) -> None:
        super().__init__(page, folder)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._app = ""
        self._theme: Theme = "light"

    def start(self) -> None:
        """Run the server and wait until it answers."""
        log_path = self.folder / "panel.log"
        command = [sys.executable, "-m", "tests.browser.panel_app", str(self._port)]
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self.folder)], env=environment(), stdout=log, stderr=log
            )
        (self.folder / "up").touch()
        wait_until_up(self._url("block", gate="up"), self._process, log_path)

    def stop(self) -> None:
        """End the server, as a crash does: it may be busy and hear nothing else."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def run(self, code: str) -> None:
        self._app = f"app{next(self._numbers)}"
        (self.folder / f"{self._app}.py").write_text(code, "utf-8")
        self.page.bring_to_front()  # others draw a frame a second
        self.page.set_viewport_size({**WIDE})  # type: ignore[typeddict-item]
        self._open()

    def _open(self) -> None:
        self.page.goto(self._url("show", app=self._app, theme=_PANEL_THEMES[self._theme]))

    def _url(self, path: str, **query: str) -> str:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return f"http://127.0.0.1:{self._port}/{path}?{asked}"

    def reload(self) -> None:
        self.page.reload()

    def restart(self) -> None:
        self.stop()
        self.start()
        self._open()

    def _block(self, gate: Path) -> None:
        url = self._url("block", gate=gate.name)
        threading.Thread(target=_ask, args=[url], daemon=True).start()
        deadline = time.monotonic() + 30
        while not gate.with_suffix(".blocked").exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the Panel server did not come to block on {gate}.")
            time.sleep(0.01)

    def use_theme(self, theme: Theme) -> None:
        self._theme = theme

    def narrow(self, root: Locator, width: int) -> None:
        # Panel keeps a few pixels beside the widget: those are the page's, as on a phone.
        self.page.set_viewport_size({"width": width, "height": WIDE["height"]})

    def record(self) -> None:
        # A page of Panel has no keys of its own; a dashboard around the widget might.
        self.page.evaluate(
            """() => {
                window.heardKeys = [];
                if (window.hearsKeys) return;
                window.hearsKeys = true;
                for (const type of ['keydown', 'keypress', 'keyup']) {
                    document.addEventListener(type, ({key}) => window.heardKeys.push(key));
                }
            }"""
        )

    def recorded(self) -> Any:
        return self.page.evaluate("() => window.heardKeys")


def _ask(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    # The server may be ended before it answers.
    with suppress(OSError, HTTPException), opener.open(url):
        pass


_PANEL_THEMES: dict[Theme, str] = {"light": "default", "dark": "dark"}


@contextmanager
def panel_host(browser: Browser, folder: Path) -> Iterator[PanelHost]:
    """A Panel server and a page of it until the block ends."""
    host = PanelHost(browser.context.new_page(), folder)
    try:
        host.start()
        yield host
    finally:
        host.stop()
