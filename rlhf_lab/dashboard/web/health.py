"""`/healthz`: whether the server can do its work, for whatever watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import rlhf_lab
from rlhf_lab.dashboard.web.security import LabHandler
from rlhf_lab.errors import LabError
from rlhf_lab.store import PreferenceStore

# Seconds: who watches gives up soon after, and a database that hangs is as good as gone.
LONGEST_WAIT = 2.0
# What a worker is when all is well; the last for a server that was told to have none.
_WELL = ("running", "none")


class Health:
    """What is asked again and again, and must cost next to nothing.

    Args:
        store: Read from, to see that it can be.
        worker: Says how the worker is, in a word.
    """

    def __init__(self, store: PreferenceStore, worker: Callable[[], str]) -> None:
        self._store = store
        self.worker = worker
        self._asked: asyncio.Future[str] | None = None

    async def database(self) -> str:
        """How it is in a few words, "ok" if well; never later than after `LONGEST_WAIT`.

        While a question is under way nobody puts another one: a database that hangs would soon
        hold every thread.
        """
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(asyncio.to_thread(self._read))
        await asyncio.wait([self._asked], timeout=LONGEST_WAIT)
        return self._asked.result() if self._asked.done() else "does not answer"

    def _read(self) -> str:
        try:
            self._store.get_setting("head.policy")
        except LabError:
            return "cannot be read"  # its words name paths, which are nobody's business here
        return "ok"


class HealthHandler(LabHandler):
    """Tells anybody, without sign-in, and so tells nothing about the lab or its people."""

    async def get(self) -> None:
        """200 if people can work, even while no model can; 503 if they cannot."""
        health: Health = self.application.settings["health"]
        database, worker = await health.database(), health.worker()
        well = database == "ok" and worker in _WELL
        self.set_status(200 if database == "ok" else 503)
        self.write(
            {
                "status": "ok" if well else "degraded",
                "database": database,
                "worker": worker,
                "version": rlhf_lab.__version__,
            }
        )
