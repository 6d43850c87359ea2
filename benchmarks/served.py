"""A dashboard as a process: started, killed and started again on the same port."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 120.0


class Served:
    """`rlhf-lab serve` over a lab.

    Attributes:
        port: The same after every start.
        url: Where it answers.
    """

    def __init__(self, lab: Path, folder: Path) -> None:
        """Start nothing yet.

        Args:
            lab: The lab's directory.
            folder: For the log.
        """
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._lab = lab
        self._folder = folder
        self._origins = [f"127.0.0.1:{self.port}"]
        self._process: subprocess.Popen[bytes] | None = None

    def allow(self, origins: list[str]) -> None:
        """From the next start on, pages of these hosts may open websockets, too."""
        self._origins += origins

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [sys.executable, "-m", "rlhf_lab.cli", "serve", str(self._lab)]
        command += ["--port", str(self.port)]
        for origin in self._origins:
            command += ["--allow-websocket-origin", origin]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self.health():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self._folder / "server.log").read_text("utf-8", "replace")
                raise SystemExit(f"the server did not start:\n{log_text[-3000:]}")
            time.sleep(0.1)

    def health(self) -> dict[str, Any]:
        """What /healthz says; nothing if the server does not answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/healthz", timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):
            return {}
        return found

    def worker(self) -> int | None:
        """Process id of the worker; None while there is none."""
        if self._process is None:
            return None
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                if "rlhf_lab.dashboard.worker" in child.cmdline():
                    return int(child.pid)
        return None

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> int:
        """Have it end by itself; returns its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
