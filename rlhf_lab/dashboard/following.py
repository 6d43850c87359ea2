"""A job as its monitor shows it, out of what the store has of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from rlhf_lab.lab.monitoring import (
    PPO_PHASES,
    PPO_STOP,
    REWARD_STOP,
    UPDATE_PHASES,
    ppo_charts,
    reward_charts,
)
from rlhf_lab.store.job_events import replay
from rlhf_lab.store.jobs import Jobs
from rlhf_lab.types import Job, JobState, RunEnd, utc_now
from rlhf_lab.types.training import KL_TARGET
from rlhf_lab.widgets.monitor_state import Chart, MonitorState

MOST_EVENTS = 1000
"""Read at once: a long run that is over is told of in several polls, between which others click."""

_BATCH_STOP = "Ends after the present batch of responses, which is kept."
_STOPS = {"ppo": PPO_STOP, "reward": REWARD_STOP}
_PHASES: dict[str, Mapping[str, str]] = {
    "ppo": PPO_PHASES,
    "reward": UPDATE_PHASES,
    "evaluate": {"sampling": "sampling", "kl": "measuring KL", "scoring": "scoring"},
}
_ENDS: dict[JobState, RunEnd] = {"done": "finished", "cancelled": "stopped", "failed": "failed"}


class JobFollower:
    """Feeds a monitor from the store, where the worker writes what a job tells.

    Attributes:
        job: As it was when last asked.
        state: What a monitor shows.
    """

    def __init__(
        self,
        jobs: Jobs,
        job_id: str,
        *,
        on_stop: Callable[[], None] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Show nothing before the first `poll`.

        Args:
            jobs: The lab's queue.
            job_id: Which one.
            on_stop: Called when somebody presses the stop button; None for no button.
            clock: As the store's.

        Raises:
            StoreError: there is no such job.
        """
        self.job = jobs.get(job_id)
        self._jobs = jobs
        self._on_stop = on_stop
        self._clock = clock
        self._replayed: datetime | None = None
        self._last = 0
        self._has_ended = False
        self.state = MonitorState(
            job_charts(self.job),
            title=job_title(self.job),
            on_stop=None if on_stop is None else self._stop,
            stop_note=_STOPS.get(self.job.kind, _BATCH_STOP),
            phases=_PHASES.get(self.job.kind, {}),
            clock=self._seconds,
        )

    def poll(self) -> bool:
        """Take in what is new; returns whether there may be more to come."""
        if self._has_ended:
            return False
        # First the job: what it told before it was over is stored before that.
        self.job = self._jobs.get(self.job.id)
        events = self._jobs.events(self.job.id, self._last, MOST_EVENTS)
        with self.state.together():
            for event in events:
                # The monitor's clock is that of the run, also when it is told of it later.
                self._replayed = event.created_at
                replay(event, self.state)
                self._last = event.seq
            if self.job.is_over and len(events) < MOST_EVENTS:
                self._end()
            self._replayed = None
        if self.job.is_stopping and self.state.status == "running":
            self.state.stop()
            self.state.changed()
        return not self._has_ended

    def _end(self) -> None:
        self._has_ended = True
        self._replayed = self.job.ended_at
        self.state.ended(_ENDS[self.job.state], self.job.note)

    def _stop(self) -> None:
        # Whoever cancelled it elsewhere has said so already.
        if self._on_stop is not None and not self.job.is_stopping:
            self._on_stop()

    def _seconds(self) -> float:
        return (self._replayed or self._clock()).timestamp()


def job_charts(job: Job) -> tuple[Chart, ...]:
    """What its monitor draws; nothing where a count says all."""
    if job.kind == "reward":
        return reward_charts()
    if job.kind != "ppo":
        return ()
    is_fixed = job.arguments.get("kl") == "fixed"
    return ppo_charts(None if is_fixed else job.arguments.get("kl_target", KL_TARGET))


def job_title(job: Job) -> str:
    """What it is called, as in "PPO, 8 steps"."""
    asked = job.arguments
    match job.kind:
        case "generate":
            return f"Responses to {asked['prompts']} prompts"
        case "reward":
            return "Reward update"
        case "ppo":
            return f"PPO, {asked['steps']} {'step' if asked['steps'] == 1 else 'steps'}"
        case "evaluate":
            return f"Evaluation against {asked['baseline']}"
        case "checkout":
            return f"Checkout of {asked['name']}"
    return "Undo"
