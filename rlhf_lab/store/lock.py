"""One process trains in a lab at a time; the others learn who it is."""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from rlhf_lab.errors import LabInUse, StoreError
from rlhf_lab.types import utc_now


class Holder(BaseModel, frozen=True):
    """Who holds a lab, as written beside the lock."""

    pid: int
    host: str
    user: str
    since: datetime
    purpose: str


class TrainingLock:
    """Held while models of a lab are loaded and trained; ranking and looking need no lock.

    The operating system's file lock decides, and it ends with its process, however that ends: a
    crashed holder never blocks. The file that names the holder is only for people to read.

    The same object may be acquired again while it is held, by any thread of its process; it is
    free after as many releases. A second object for the same lab is refused, even in one process.

    Args:
        directory: The lab directory; made if absent.
        purpose: What to tell others, such as "PPO".
        clock: Gives the time written to the holder file.
    """

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], datetime] = utc_now,
        *,
        purpose: str = "training",
    ) -> None:
        """Touch nothing yet."""
        self._directory = Path(directory)
        self._clock = clock
        self._purpose = purpose
        self._holder_file = self._directory / "training.holder.json"
        self._lock = FileLock(self._directory / "training.lock", timeout=0, thread_local=False)
        self._guard = threading.Lock()
        self._depth = 0

    @property
    def held(self) -> bool:
        """Whether this object holds the lab."""
        return self._depth > 0

    def holder(self) -> Holder | None:
        """Who wrote the holder file last; they may have crashed since. None if unreadable."""
        try:
            return Holder.model_validate_json(self._holder_file.read_bytes())
        except (OSError, ValidationError):
            return None

    def acquire(self, purpose: str | None = None) -> None:
        """Take the lab, without waiting.

        Args:
            purpose: What to tell others from now on; default: as before.

        Raises:
            LabInUse: another process has it; the message names who, since when and what to do.
            StoreError: the directory cannot be written to.
        """
        with self._guard:
            if self._depth == 0:
                self._purpose = purpose or self._purpose
                self._take()
            self._depth += 1

    def release(self) -> None:
        """Give the lab back, once per acquire; more often does nothing."""
        with self._guard:
            if self._depth == 0:
                return
            self._depth -= 1
            if self._depth == 0:
                with suppress(OSError):
                    self._holder_file.unlink(missing_ok=True)
                self._lock.release()

    def __enter__(self) -> Self:
        """Acquire."""
        self.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        """Release."""
        self.release()

    def _take(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise LabInUse(self._who()) from error
        except (OSError, NotImplementedError) as error:
            raise StoreError(
                f"{self._directory} cannot be locked ({error}): make it writable for you, and "
                "keep it on a disk with file locks."
            ) from error
        try:
            self._write_holder()
        except BaseException:
            self._lock.release()
            raise

    def _who(self) -> str:
        holder = self.holder()
        advice = (
            "Wait for it to end, stop it there, or open another lab directory; ranking and "
            "looking at results need no lock."
        )
        if holder is None:
            return f"{self._directory} is in use by another process. {advice}"
        own = (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
        process = "this very process, through another lock object" if own else f"pid {holder.pid}"
        return (
            f"{self._directory} is in use by {process} (user {holder.user} on {holder.host}) for "
            f"{holder.purpose} since {holder.since:%Y-%m-%d %H:%M:%S %Z}. {advice}"
        )

    def _write_holder(self) -> None:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "user": _user(),
            "since": self._clock().isoformat(),
            "purpose": self._purpose,
        }
        half = self._holder_file.with_suffix(".tmp")
        try:
            half.write_text(json.dumps(holder), encoding="utf-8")
            half.replace(self._holder_file)
        except OSError as error:
            raise StoreError(
                f"{self._holder_file} cannot be written ({error}): make the lab directory "
                "writable for you, or free some disk space."
            ) from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such entry: common in containers
        return "unknown"
