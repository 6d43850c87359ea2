"""Keeps a worker running beside the server: started, started again when it dies, ended with it."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from rlhf_lab.dashboard.logs import tell

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds before a worker that died is started again, twice as many each time."""

GOOD_LIFE = 60.0
"""A worker that lived for so long ends a row of deaths."""

GRACE = 120.0
"""Seconds for the present step; what is not made by then is made again next time."""

WorkerState = Literal["running", "restarting", "stopped"]


class Supervisor:
    """Has one worker running, from `start` to `stop`; a thread of its own watches over it.

    If this process dies, the worker's standard input ends, and the worker leaves by itself.

    Attributes:
        status: "running", "restarting" while it waits to start a worker again, or "stopped".
        restarts: How many workers have died.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log_level: str = "info",
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        """Start nothing yet.

        Args:
            directory: The lab's.
            log_level: Of the worker.
            first_pause: Seconds before a worker is started again after a first death.
            longest_pause: Seconds it is never longer than.
        """
        self.status: WorkerState = "stopped"
        self.restarts = 0
        self._command = [
            *(sys.executable, "-m", "rlhf_lab.dashboard.worker", str(directory)),
            *("--end-with-input", "--log-level", log_level),
        ]
        self._pauses = (first_pause, longest_pause)
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # nothing is started once it is stopped

    @property
    def pid(self) -> int | None:
        """Of the worker; None while there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start a worker, and watch over it."""
        self._stopping.clear()
        self.status = "running"
        self._thread = threading.Thread(target=self._watch, name="worker supervisor", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = GRACE) -> None:
        """Let the worker finish its present step and end; blocks until it has.

        Args:
            seconds: Time for that. After it the worker is killed, which loses that step alone.
        """
        with self._lock:
            self._stopping.set()
            self._signal(signal.SIGTERM)
        if self._thread is not None:
            self._thread.join(seconds)
            self._signal(signal.SIGKILL)
            self._thread.join()
            self._thread = None
        self.status = "stopped"

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _watch(self) -> None:
        pause, after = 0.0, ""
        while (process := self._spawn(after)) is not None:
            began = time.monotonic()
            code = process.wait()
            process.stdin.close()  # type: ignore[union-attr]
            lived = time.monotonic() - began
            after = "" if code == 0 else how_it_ended(code)
            if not self._stopping.is_set():
                pause = self._pause(pause, code, lived)
                self._stopping.wait(pause)

    def _spawn(self, after: str) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            command = [*self._command, "--after", after]
            # In a session of its own, whose share of the processors it can give away.
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
            self.status = "running"
            return self._process

    def _pause(self, before: float, code: int, lived: float) -> float:
        """How long to wait; a worker that had nothing to do left by itself, and is no death."""
        first, longest = self._pauses
        if code == 0:
            return first
        self.restarts += 1
        self.status = "restarting"
        pause = first if lived >= GOOD_LIFE else min(longest, max(first, 2 * before))
        tell("worker died", logging.WARNING, how=how_it_ended(code), pause=pause)
        return pause

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(number)


def how_it_ended(code: int) -> str:
    """The exit code of a process, in words that go on a sentence."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as systems do when memory runs out" if name == "SIGKILL" else ""
    return f"by {name}{hint}"
