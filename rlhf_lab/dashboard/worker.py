"""The process that does a lab's model work: `python -m rlhf_lab.dashboard.worker DIRECTORY`.

It takes jobs from the lab's store, one after the other. Others may be killed at any moment, and so
may this one: whatever it has begun, the next one goes on with. There is one worker in a lab at a
time, by a lock on a file, which ends with its process; so what is marked as running when a worker
begins was left by a dead one.

SIGTERM, or the end of the server that started it, let it finish the present step, keep it, and put
the job back into the queue.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rlhf_lab.dashboard import job_kinds
from rlhf_lab.dashboard.job_reports import JobReport
from rlhf_lab.dashboard.logs import OURS, configure, tell
from rlhf_lab.errors import LabError, LabInUse, Stopped
from rlhf_lab.lab import Lab
from rlhf_lab.store import TrainingLock
from rlhf_lab.types import Job

POLL = 0.5
"""Seconds between two looks into the queue."""

HOLD = 3.0
"""Seconds without a job after which lock and model are given back, for notebooks."""

STAY = 60.0
"""Seconds without a job after which a worker that has loaded torch ends, with all its memory."""

MOST_DEATHS = 3
"""So many workers may die of a job in a row without any of it being done."""

NICENESS = 15
"""Whoever clicks goes first; nobody else is slowed down by a job."""

THREADS = max(1, (os.cpu_count() or 1) - 1)
"""Of torch on a CPU: one processor is left to whoever clicks. Threads that wait for one another in
every product of matrices lose more by sharing a processor than a further one of them gains."""

PURPOSE = "the jobs of the dashboard"


_log = logging.getLogger(OURS)


class Worker:
    """Does jobs until it is told to leave, or has had nothing to do for long."""

    def __init__(
        self, lab: Lab, *, after: str = "", hold: float = HOLD, stay: float = STAY
    ) -> None:
        """Do nothing yet.

        Args:
            lab: Where; opened for this worker alone.
            after: How the worker before this one ended, if that is known.
            hold: Seconds without a job after which the lock is given back.
            stay: Seconds without a job after which a worker that has had one ends.
        """
        self.name = f"pid {os.getpid()} on {socket.gethostname()}"
        self._lab = lab
        self._jobs = lab.store.jobs
        self._after = after
        self._hold_for, self._stay_for = hold, stay
        self._is_leaving = False  # no lock or event: a signal's handler sets it
        self._holds = False
        self._has_worked = False
        self._idle_since = time.monotonic()

    def leave(self) -> None:
        """End after the present step; may be called from a signal's handler or a thread."""
        self._is_leaving = True

    def is_leaving(self) -> bool:
        """Whether it was told to."""
        return self._is_leaving

    def run(self) -> None:
        """Work until it is time to leave."""
        for left in self._jobs.recover(self._after):
            tell("job recovered", job=left.id, kind=left.kind, deaths=left.deaths)
        while not self._is_leaving:
            job = self._jobs.next()
            if job is not None:
                self._turn_to(job)
            elif self._is_bored():
                return
            else:
                time.sleep(POLL)

    def _is_bored(self) -> bool:
        idle = time.monotonic() - self._idle_since
        if self._holds and idle >= self._hold_for:
            self._let_go()
        return self._has_worked and idle >= self._stay_for

    def _turn_to(self, job: Job) -> None:
        try:
            self._hold()
        except LabInUse as error:
            self._jobs.wait(job.id, f"Waits: {error}")
            time.sleep(POLL)
            return
        except LabError as error:
            self._refuse(job, error)
            return
        taken = self._jobs.take(self.name)
        if taken is not None:  # else it was cancelled just now
            self._do(taken)
        self._idle_since = time.monotonic()

    def _hold(self) -> None:
        if not self._holds:
            with TrainingLock(self._lab.path, purpose=PURPOSE):
                pass  # who is in the way is found out before torch is loaded
            self._has_worked = True
            self._lab.hold(PURPOSE)
            self._holds = True

    def _refuse(self, job: Job, error: LabError) -> None:
        """What stops any job from beginning is told by the one that was next."""
        self._let_go()
        if (taken := self._jobs.take(self.name)) is not None:
            self._jobs.finish(taken.id, self.name, "failed", str(error))

    def _do(self, job: Job) -> None:
        tell("job begun", job=job.id, kind=job.kind, attempt=job.attempts)
        began = time.monotonic()
        kept = job_kinds.steps_kept(self._lab, job)
        job = self._jobs.tell(job.id, self.name, done=kept, kept=True)
        if job.deaths >= MOST_DEATHS:
            ended = self._jobs.finish(job.id, self.name, "failed", _of_deaths(job, self._after))
        else:
            ended = self._end(job, self._outcome(job))
        seconds = round(time.monotonic() - began, 1)
        tell("job ended", job=job.id, kind=job.kind, state=ended.state, seconds=seconds)

    def _outcome(self, job: Job) -> job_kinds.Outcome | Exception:
        report = JobReport(self._jobs, job, self.name, self.is_leaving)
        try:
            if job_kinds.needs_model(job):
                self._make_ready()
            with report:
                return job_kinds.do(self._lab, job, report)
        except Stopped as stopped:
            return job_kinds.Outcome("stopped", str(stopped))
        except Exception as error:  # noqa: BLE001 - a job that fails must not end the worker
            return error

    def _end(self, job: Job, outcome: job_kinds.Outcome | Exception) -> Job:
        finish = self._jobs.finish
        if isinstance(outcome, LabInUse):
            return self._jobs.give_back(job.id, self.name, f"Waits: {outcome}")
        if isinstance(outcome, LabError):
            return finish(job.id, self.name, "failed", str(outcome))
        if isinstance(outcome, Exception):
            # No job should end by such an error: where it came from is for whoever repairs it.
            facts = {"job": job.id, "kind": job.kind}
            _log.error("job failed", extra={"facts": facts}, exc_info=outcome)
            self._let_go()  # it may have left anything behind
            return finish(job.id, self.name, "failed", f"{type(outcome).__name__}: {outcome}")
        if outcome.state == "done":
            return finish(job.id, self.name, "done", outcome.note)
        if (by := self._jobs.get(job.id).cancelled_by) is not None:
            return finish(job.id, self.name, "cancelled", f"Cancelled by {by}: {outcome.note}")
        note = f"{outcome.note} It goes on when the dashboard runs again."
        return self._jobs.give_back(job.id, self.name, note)

    def _make_ready(self) -> None:
        """Load the model, and let nobody look for garbage in it and in the libraries it needs.

        That is done after each phase of a step, where it would take half a second each time: of a
        step of the tiny model six parts in seven.
        """
        _ = self._lab.model
        gc.freeze()

    def _let_go(self) -> None:
        gc.unfreeze()  # else the model would stay
        self._lab.let_go()
        self._holds = False


def _of_deaths(job: Job, after: str) -> str:
    made = f" {job.done} of {job.total} are done and kept." if job.done else ""
    return (
        f"{job.deaths} workers died of it in a row{after and f', the last {after}'}.{made} Often "
        "memory ran out: ask for less at once (shorter or fewer responses), and look into the "
        "server's log."
    )


def wait_for_place(directory: Path, leaving: Callable[[], bool]) -> FileLock | None:
    """The lock of the one worker, once the one before has ended; None if told to leave.

    It is held as long as somebody keeps it, and at most until this process ends, however it does.
    """
    lock = FileLock(directory / "worker.lock", timeout=0)
    while not leaving():
        try:
            lock.acquire()
        except Timeout:
            time.sleep(POLL)
        else:
            return lock
    return None


def end_with_input(leave: Callable[[], None]) -> None:
    """Leave when standard input ends, which it does with the process at its other end."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        leave()

    threading.Thread(target=watch, daemon=True).start()


def make_way() -> None:
    """Have other processes go first, those of other sessions, too.

    Linux shares processors out between sessions before it looks at priorities within one (`man 7
    sched`, "The autogroup feature"), and browsers and terminals are sessions of their own.
    """
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # another system, or a kernel without this
            Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def main(arguments: list[str] | None = None) -> int:
    """Work in a lab until told to leave."""
    parser = argparse.ArgumentParser(prog="python -m rlhf_lab.dashboard.worker")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--end-with-input", action="store_true")
    parser.add_argument("--after", default="")
    parser.add_argument("--log-level", default="info")
    asked = parser.parse_args(arguments)
    configure(asked.log_level)
    make_way()
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))  # torch reads it when it is imported
    try:
        with Lab(asked.directory, progress=False) as lab:
            worker = Worker(lab, after=asked.after)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: worker.leave())
            if asked.end_with_input:
                end_with_input(worker.leave)
            place = wait_for_place(lab.path, worker.is_leaving)
            if place is not None:
                worker.run()
    except LabError:
        _log.exception("worker gave up")
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # All is closed. What an interpreter with torch in it tidies up takes seconds at this niceness,
    # and somebody waits for the end of the server.
    os._exit(code)
