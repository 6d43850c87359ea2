"""Waiting for another process without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(is_so: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait until something is so; fail if it takes longer."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.05)
