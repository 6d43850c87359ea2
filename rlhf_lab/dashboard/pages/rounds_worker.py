"""Who works in the lab, where that is not simply the worker of this dashboard."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from markupsafe import Markup

from rlhf_lab.dashboard.shell import html, notice, time
from rlhf_lab.dashboard.worker import PURPOSE
from rlhf_lab.store import TrainingLock
from rlhf_lab.store.lock import Holder
from rlhf_lab.types import Job, utc_now

SILENT = timedelta(seconds=30)
"""A worker that has a job says every few seconds that it lives."""

UNTAKEN = timedelta(seconds=15)
"""A worker that has nothing to do takes a job within a second, or says why not; starting takes
some more."""


class WorkerWatch:
    """Tells who is in the way, or that nobody works."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = utc_now) -> None:
        """Look at nothing yet.

        Args:
            path: The lab's directory.
            clock: As the store's.
        """
        self._lock = TrainingLock(path)
        self._clock = clock

    def look(self, open_jobs: Sequence[Job], latest: Sequence[Job]) -> Markup:
        """What to know of the worker; nothing while it does what it should.

        Args:
            open_jobs: In the order in which they will be done.
            latest: The newest first.
        """
        holder = self._lock.holder()
        if holder is not None and holder.purpose != PURPOSE and _is_alive(holder):
            return _held(holder, is_waited_for=bool(open_jobs))
        if not open_jobs:
            return Markup()
        first, now = open_jobs[0], self._clock()
        if first.state == "running":
            is_silent = first.beat_at is not None and now - first.beat_at > SILENT
            return _silent(first) if is_silent else Markup()
        since = max([first.asked_at, *(job.ended_at for job in latest if job.ended_at)])
        return _untaken(since) if now - since > UNTAKEN and not first.note else Markup()


def _held(holder: Holder, *, is_waited_for: bool) -> Markup:
    text = html(
        """
        <strong>{{ holder.user }}</strong> works in this lab: {{ holder.purpose }}, begun
        {{ since }} (pid {{ holder.pid }} on {{ holder.host }}). Jobs wait until that is done;
        ranking goes on.
        """,
        holder=holder,
        since=time(holder.since),
    )
    return notice("warn" if is_waited_for else "info", text)


def _silent(job: Job) -> Markup:
    text = html(
        """
        The worker was last heard of {{ beat }} ({{ worker }}). If it died, it is started again, and
        the job goes on from its last whole step.
        """,
        beat=time(job.beat_at),
        worker=job.worker,
    )
    return notice("warn", text)


def _untaken(since: datetime) -> Markup:
    text = html(
        """
        Nobody takes what is in the queue, since {{ since }}: the worker is being started again, or
        this dashboard was started without one. Its log says more.
        """,
        since=time(since),
    )
    return notice("warn", text)


def _is_alive(holder: Holder) -> bool:
    """Whether who wrote the file may still be there; of other machines nothing is known."""
    return holder.host != socket.gethostname() or psutil.pid_exists(holder.pid)
