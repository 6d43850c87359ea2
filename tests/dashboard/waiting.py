"""Waiting for what runs beside a test, without guessing how long it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def until(is_so: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait until something is so; fail if it takes longer."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.05)


def result_of(coroutine: Coroutine[object, object, Result]) -> Result:
    """What it returns, run in a thread of its own.

    Playwright keeps a loop running in the main thread once any test has opened a browser, and a
    thread runs one loop at most.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
