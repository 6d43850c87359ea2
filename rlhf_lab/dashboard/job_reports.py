"""What a running job says, brought into the store a few times a second; and whether it shall end.

The thread that trains only leaves events here. Another one writes them, so that no step waits for
the database, and hears of a wish to end the job in the same breath.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rlhf_lab.dashboard.logs import tell
from rlhf_lab.errors import StoreError
from rlhf_lab.store.job_events import EventWriter, NewEvent
from rlhf_lab.store.jobs import Jobs
from rlhf_lab.types import Alarm, Job, RunEnd, TrainingListener, TrainingSample

PAUSE = 0.25
"""Seconds between writes, and between two looks at whether the job was cancelled."""

BEAT_EVERY = 5.0
"""So often a job with nothing to tell says that its worker lives."""


class JobReport:
    """A `TrainingListener` for one job, from its beginning to its end.

    Attributes:
        job: As it was when last looked at.
        end: How the run that was listened to has ended.
    """

    def __init__(self, jobs: Jobs, job: Job, worker: str, leaving: Callable[[], bool]) -> None:
        """Write nothing yet.

        Args:
            jobs: The queue.
            job: That was taken.
            worker: Who has it.
            leaving: Whether the worker has to end.
        """
        self.job = job
        self.end: RunEnd | None = None
        self._jobs = jobs
        self._worker = worker
        self._leaving = leaving
        # A reward update that dies begins anew: its steps are no progress.
        self._keeps = job.kind != "reward"
        self._done, self._total = job.done, job.total
        self._events: list[NewEvent] = []
        self._writer = EventWriter(self._events.append)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_on, daemon=True)

    @property
    def listener(self) -> TrainingListener:
        """Itself."""
        return self

    def is_cancelled(self) -> bool:
        """Whether somebody wants the job to end."""
        return self.job.cancelled_by is not None

    def is_stopped(self) -> bool:
        """The same, or the worker has to end."""
        return self.is_cancelled() or self._leaving()

    def remember(self, facts: Mapping[str, Any]) -> None:
        """Keep what a later worker has to know, on disk when this returns."""
        self._jobs.note_resume(self.job.id, self._worker, facts)

    def __enter__(self) -> Self:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left; if that fails, nothing is missing but a picture of the job."""
        self._over.set()
        self._thread.join()
        self._try(self._write)

    # What a run tells; see `TrainingListener`

    def started(self, *, done: int, total: int) -> None:
        """A run begins, or goes on."""
        with self._lock:
            self._writer.started(done=done, total=total)
            self._total = total
            self._count(done)

    def phase(self, name: str) -> None:
        """A part of a step begins."""
        with self._lock:
            self._writer.phase(name)

    def add(self, step: int, figures: Mapping[str, float], *, done: int | None = None) -> None:
        """A step was made."""
        with self._lock:
            self._writer.add(step, figures, done=done)
            if done is not None:
                self._count(done)

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Something should be looked at."""
        with self._lock:
            self._writer.alarm(step, alarm)

    def show(self, samples: Sequence[TrainingSample]) -> None:
        """Some responses of the present step."""
        with self._lock:
            self._writer.show(samples)

    def ended(self, status: RunEnd, text: str) -> None:
        """The run is over. What became of the job, the job says itself."""
        self.end = status

    def _count(self, done: int) -> None:
        # What is kept stays done while the next worker still looks for it.
        self._done = max(done, self._done) if self._keeps else done

    # The other thread

    def _write_on(self) -> None:
        quiet = 0.0
        while not self._over.wait(PAUSE):
            quiet = 0.0 if self._events or quiet >= BEAT_EVERY else quiet + PAUSE
            self._try(self._look if quiet else self._write)

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
        except StoreError as error:  # as when another process writes for long
            tell("job report put off", job=self.job.id, error=type(error).__name__)

    def _look(self) -> None:
        self.job = self._jobs.get(self.job.id)

    def _write(self) -> None:
        with self._lock:
            events, done, total = list(self._events), self._done, self._total
        self.job = self._jobs.tell(
            self.job.id, self._worker, events, done=done, total=total, kept=self._keeps
        )
        with self._lock:
            del self._events[: len(events)]  # not before: what could not be written comes again
