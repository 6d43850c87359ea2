"""The live monitor of the update that runs, or of the last one that did."""

from __future__ import annotations

from collections.abc import Sequence

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.following import JobFollower
from rlhf_lab.dashboard.shell import Fragment, tool
from rlhf_lab.types import Job
from rlhf_lab.widgets.panel import MonitorPane

MONITORED = ("reward", "ppo")
"""Kinds of jobs that have curves."""


class Monitor:
    """Follows one job after the other; its stop button cancels the job.

    Attributes:
        shown: A card, which is not there before the first update.
    """

    def __init__(self, context: Context) -> None:
        """Follow nothing yet."""
        self._context = context
        self._follower: JobFollower | None = None
        self._job_id = ""
        self.shown = tool(Fragment())
        self.shown.visible = False

    def update(self, latest: Sequence[Job]) -> None:
        """Turn to the job that runs, if there is another one now, and show what is new of it."""
        job = followed(latest)
        if job is not None and job.id != self._job_id:
            self._follow(job)
        elif self._follower is not None:
            self._follower.poll()

    def _follow(self, job: Job) -> None:
        self._job_id = job.id
        self._follower = JobFollower(self._context.jobs, job.id, on_stop=self._stop)
        self._follower.poll()
        self.shown[:] = [MonitorPane(self._follower.state)]
        self.shown.visible = True

    def _stop(self) -> None:
        account = self._context.actor.require("cancel_job")
        self._context.jobs.cancel(self._job_id, account.name)


def followed(latest: Sequence[Job]) -> Job | None:
    """The one that runs, else the last one that was begun; None if there is none.

    Args:
        latest: Jobs, the newest first.
    """
    begun = [job for job in latest if job.kind in MONITORED and job.started_at is not None]
    running = [job for job in begun if job.state == "running"]
    return next(iter(running or begun), None)
