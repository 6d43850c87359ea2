"""`lab.dashboard()`: the lab's dashboard, served by a process that lives as long as the notebook's.

The server is a command of its own, so that a busy kernel costs nobody a click, and so that this
layer need not know what a dashboard is made of.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from rlhf_lab.errors import ConfigError, DashboardError
from rlhf_lab.store.showing import as_html, in_frame

_LAST_LINES = 15
# Who asks again gets the one that runs; by the lab's directory.
_served: dict[Path, Dashboard] = {}
_guard = threading.Lock()


class Dashboard:
    """A dashboard that runs beside this process, and ends with it.

    Attributes:
        lab: The lab's directory.
        url: Where it is.
        admin_link: Makes the first account, once; None where there are accounts.
        log: The file with what the server says.
    """

    def __init__(self, lab: Path, words: Sequence[str], patience: float) -> None:
        """Start it and wait until it answers; `dashboard` says more."""
        self.lab = lab
        self.words = tuple(words)
        # Readable by its owner alone: links that let somebody in pass through it.
        self._folder = Path(tempfile.mkdtemp(prefix="rlhf-lab-dashboard-"))
        self.log = self._folder / "server.log"
        self._ready = self._folder / "ready.json"
        self._owner = os.getpid()
        self._process = self._start()
        try:
            told = self._wait(patience)
        except BaseException:
            self.stop(patience=1)
            raise
        self.url: str = told["url"]
        self.admin_link: str | None = told["admin_link"]

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still serves."""
        return self._process.poll() is None

    def stop(self, *, patience: float = 120) -> None:
        """End it. A step of training that is being made is made first; stopping twice is fine.

        Args:
            patience: After so many seconds it is killed: nothing that was said is lost, and a job
                goes on from its last whole step when the lab is served again.
        """
        self._tell_to_end()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: a file of the notebook's folder must not stand in for a module of the server's. A
        # session of its own: interrupting a cell must not interrupt the server. It ends when its
        # standard input closes, which happens however this process ends.
        command = [sys.executable, "-P", "-m", "rlhf_lab.cli", "serve", str(self.lab), *self.words]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*command, f"--ready-file={self._ready}", "--end-with-input"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, patience: float) -> dict[str, Any]:
        end = time.monotonic() + patience
        while (told := self._told()) is None:
            if not self.running:
                raise DashboardError(
                    f"the dashboard of {self.lab} ended with status {self._process.returncode} "
                    f"before it answered: repair what it says, and try again.\n{self._last_lines()}"
                )
            if time.monotonic() > end:
                raise DashboardError(
                    f"the dashboard of {self.lab} did not answer in {patience:g} seconds: wait "
                    f"longer with lab.dashboard(patience={2 * patience:g}), or see what holds it "
                    f"up.\n{self._last_lines()}"
                )
            time.sleep(0.05)
        return told

    def _told(self) -> dict[str, Any] | None:
        """What the server says of itself; None before it has said all of it."""
        try:
            found: dict[str, Any] = json.loads(self._ready.read_bytes())
        except (OSError, ValueError):
            return None
        return found

    def _last_lines(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:]) or "It said nothing."

    def _tell_to_end(self) -> None:
        """Wait for nothing: a notebook that closes has no time for the rest of a step."""
        if self._owner != os.getpid():  # a fork of the process that started it
            return
        self._process.terminate()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Dashboard({str(self.lab)!r}, {self.url}{'' if self.running else ', stopped'})"

    def _repr_html_(self) -> str:
        if not self.running:
            return in_frame(f"<p>The dashboard of {as_html(str(self.lab))} is stopped.</p>")
        first = (
            f"<p>Make the first account here, once: {_link(self.admin_link)}</p>"
            if self.admin_link
            else ""
        )
        return in_frame(
            f"<p>The dashboard of {as_html(str(self.lab))}: {_link(self.url)}</p>", first
        )


def dashboard(
    lab: Path,
    *,
    port: int | None = None,
    address: str | None = None,
    options: Sequence[str] = (),
    patience: float = 60,
) -> Dashboard:
    """The dashboard of a lab: the one that this process serves, or a new one.

    Args:
        lab: Its directory, absolute.
        port: Default: one that is free.
        address: Where it listens; default: for this machine alone.
        options: More words for `rlhf-lab serve`.
        patience: Seconds within which a new one has to answer.

    Raises:
        ConfigError: it is served already, and not as asked.
        DashboardError: it does not start.
    """
    words = [f"--port={port or 0}", *([f"--address={address}"] if address else []), *options]
    with _guard:
        there = _served.get(lab)
        if there is not None and there.running:
            if (port, address, tuple(options)) != (None, None, ()) and there.words != tuple(words):
                raise ConfigError(
                    f"{words}: {there.url} serves this lab already, with {list(there.words)}. Use "
                    "that one, or stop it first: lab.dashboard().stop()"
                )
            return there
        if there is not None:
            there.stop()  # it ended by itself; what it left is put away
        _require_panel()
        if not _served:
            atexit.register(_end_all)
        _served[lab] = found = Dashboard(lab, words, patience)
        return found


def _require_panel() -> None:
    if find_spec("panel") is None:
        raise DashboardError("the dashboard needs Panel: pip install 'rlhf-lab[dashboard]'")


def _end_all() -> None:
    for one in _served.values():
        one._tell_to_end()


def _link(url: str) -> str:
    """To a page of its own: the notebook stays where it is."""
    shown = as_html(url)
    return f"<a href='{shown}' target='_blank' rel='noopener noreferrer'>{shown}</a>"
