"""How often something may be published: a person sees no more, and a connection bears no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PER_SECOND = 10


class Later(Protocol):
    """Something that was put off."""

    def cancel(self) -> None:
        """It does not happen after all."""


def after(seconds: float, action: Callable[[], None]) -> Later:
    """Do something later, in a thread of its own that keeps no process alive."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


class Pace:
    """Does something at most so often, the last time it was asked for never being left out."""

    def __init__(
        self,
        action: Callable[[], None],
        *,
        per_second: float = PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], Later] = after,
    ) -> None:
        """Hold `action` back where it would come too early."""
        self._action = action
        self._gap = 1 / per_second
        self._clock = clock
        self._later = later
        self._next = float("-inf")
        self._waiting: Later | None = None
        self._held = False
        self._missed = False
        self._lock = threading.RLock()

    def ask(self) -> None:
        """Do it now, or as soon as it may be done; asked several times until then, it is once."""
        with self._lock:
            if self._held:
                self._missed = True
                return
            if self._waiting is not None:
                return
            wait = self._next - self._clock()
            if wait <= 0:
                self.now()
            else:
                self._waiting = self._later(wait, self.now)

    def now(self) -> None:
        """Do it at once; what was put off is done with it."""
        with self._lock:
            if self._held:
                self._missed = True
                return
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
            self._next = self._clock() + self._gap
        self._action()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Do it once in the end, if it is asked for at all; for when much comes together."""
        with self._lock:
            self._held, self._missed = True, False
        try:
            yield
        finally:
            with self._lock:
                self._held, missed = False, self._missed
            if missed:
                self.now()
