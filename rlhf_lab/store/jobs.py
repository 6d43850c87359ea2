"""Model work that people asked for, in the order in which they asked; one worker does it.

What people ask for, and what becomes of it, is on disk when a call returns. How far a job is may
be forgotten by a power failure: its checkpoints and responses say so, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import checks
from rlhf_lab.store.database import Database
from rlhf_lab.store.job_events import NewEvent
from rlhf_lab.store.tables import JobEventRow, JobRow
from rlhf_lab.types import Job, JobEvent, JobEventKind, JobKind, JobState, check_arguments
from rlhf_lab.types.jobs import OVER

_COLUMNS = [column.name for column in JobRow.__table__.columns if column.name != "seq"]
# Each of these says only what is so now: an earlier one of the same job is of no use any more.
_PRESENT: tuple[JobEventKind, ...] = ("phase", "show")


class Jobs:
    """The queue of one lab; any number of processes may use it at once."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Work on a lab's database."""
        self._database = database
        self._clock = clock

    # For those who ask

    def ask(
        self,
        kind: JobKind,
        arguments: Mapping[str, Any] | None = None,
        by: str = "me",
        *,
        id: str | None = None,
    ) -> Job:
        """Put a job at the end of the queue.

        Args:
            kind: What is to be done.
            arguments: Its settings, as in `rlhf_lab.types.jobs.ARGUMENTS`.
            by: Who asks.
            id: Of the act; the same twice is one job.

        Raises:
            ConfigError: a setting that there is not, or outside its range; the id is that of
                another job.
        """
        wanted = check_arguments(kind, arguments or {})
        with self._database.write() as session:
            stored = None if id is None else _find(session, id)
            if stored is None:
                stored = JobRow(
                    id=id or uuid.uuid4().hex, kind=kind, arguments=wanted, state="queued",
                    asked_by=by, asked_at=self._clock(), attempts=0, deaths=0, done=0,
                    total=int(wanted.get("steps", 0)), note="", resume={},
                )  # fmt: skip
                session.add(stored)
            elif (stored.kind, stored.arguments, stored.asked_by) != (kind, wanted, by):
                raise ConfigError(
                    f"id {id!r:.60} is that of another {stored.kind} job: make a new id for "
                    "every act."
                )
            return _to_job(stored)

    def get(self, id: str) -> Job:
        """The job of this id.

        Raises:
            StoreError: there is none.
        """
        with self._database.read() as session:
            return _to_job(_need(session, id))

    def all(self, limit: int = 50) -> list[Job]:
        """The latest, newest first."""
        with self._database.read() as session:
            query = select(JobRow).order_by(JobRow.seq.desc()).limit(limit)
            return [_to_job(row) for row in session.scalars(query)]

    def open(self) -> list[Job]:
        """What is running and what waits, in the order in which it will be done."""
        with self._database.read() as session:
            return [_to_job(row) for row in session.scalars(_open())]

    def cancel(self, id: str, by: str) -> Job:
        """Take a job out of the queue, or have it end after its present step.

        One that is over stays what it is.

        Raises:
            StoreError: there is none of this id.
        """
        with self._database.write() as session:
            row = _need(session, id)
            if row.state in OVER or row.cancelled_by is not None:
                return _to_job(row)
            row.cancelled_by = by
            if row.state == "queued":
                self._end(row, "cancelled", _cancelled_in_the_queue(row))
            return _to_job(row)

    def retry(self, id: str, by: str, *, as_id: str | None = None) -> Job:
        """Ask anew for what failed or was cancelled.

        Args:
            id: Of the old job.
            by: Who asks.
            as_id: Of the new one; the same twice is one job.

        Raises:
            StoreError: there is none of this id.
            ConfigError: it is still open, or was done.
        """
        old = self.get(id)
        if old.state not in ("failed", "cancelled"):
            raise ConfigError(
                f"job {id!r:.60} is {old.state}: only what failed or was cancelled is tried again."
            )
        return self.ask(old.kind, old.arguments, by, id=as_id)

    def events(self, id: str, after: int = 0, limit: int = 1000) -> list[JobEvent]:
        """What a job told after the event of this number, in order; at most so many."""
        query = select(JobEventRow).where(JobEventRow.job_id == id, JobEventRow.seq > after)
        with self._database.read() as session:
            found = session.scalars(query.order_by(JobEventRow.seq).limit(limit))
            return [_to_event(row) for row in found]

    # For the worker

    def next(self) -> Job | None:
        """What `take` would take."""
        with self._database.read() as session:
            row = session.scalar(_open().limit(1))
            return None if row is None else _to_job(row)

    def take(self, worker: str) -> Job | None:
        """Begin with the first that waits; None if there is none, or another is running.

        Args:
            worker: Names this process.
        """
        with self._database.write() as session:
            row = session.scalar(_open().limit(1))
            if row is None or row.state == "running":
                return None
            now = self._clock()
            row.state, row.worker, row.note = "running", worker, ""
            row.started_at, row.beat_at = row.started_at or now, now
            row.attempts += 1
            return _to_job(row)

    def recover(self, why: str = "") -> list[Job]:
        """Put back what dead workers had; called by a worker that knows itself to be alone.

        Args:
            why: What is known of the last one's end, as part of a sentence.

        Returns:
            The jobs, each with one death more; those that were cancelled are over.
        """
        with self._database.write() as session:
            rows = list(session.scalars(select(JobRow).where(JobRow.state == "running")))
            for row in rows:
                row.deaths += 1
                if row.cancelled_by is not None:
                    self._end(row, "cancelled", _cancelled_in_the_queue(row))
                else:
                    row.state = "queued"
                    row.note = f"Its worker ended{why and f' ({why})'}; it goes on where that was."
            return [_to_job(row) for row in rows]

    def wait(self, id: str, note: str) -> None:
        """Say why a job that is next does not begin."""
        with self._database.lend() as session:
            row = _need(session, id)
            if row.state == "queued" and row.note != note:
                row.note = note

    def beat(self, id: str, worker: str) -> Job:
        """Say that the worker lives; returns the job, which may have been cancelled meanwhile.

        Raises:
            StoreError: the job is not this worker's.
        """
        return self.tell(id, worker)

    def tell(
        self,
        id: str,
        worker: str,
        events: Iterable[NewEvent] = (),
        *,
        done: int | None = None,
        total: int | None = None,
        kept: bool = False,
    ) -> Job:
        """Store what a job tells, and how far it is.

        Args:
            id: Of the job.
            worker: Who has it.
            events: In order.
            done: Steps made.
            total: Of how many.
            kept: Whether what is done would outlive the worker, so that it was not in vain if the
                worker dies now.

        Raises:
            StoreError: the job is not this worker's.
        """
        with self._database.lend() as session:
            row = _own(session, id, worker)
            now = row.beat_at = self._clock()
            if kept and done is not None and done > row.done:
                row.deaths = 0
            row.done = row.done if done is None else done
            row.total = row.total if total is None else total
            _add_events(session, id, list(events), now)
            return _to_job(row)

    def note_resume(self, id: str, worker: str, resume: Mapping[str, Any]) -> None:
        """Keep what the next worker has to know, before anything is done.

        Raises:
            StoreError: the job is not this worker's.
        """
        checks.check_json("resume", resume)
        with self._database.write() as session:
            _own(session, id, worker).resume = dict(resume)

    def give_back(self, id: str, worker: str, note: str) -> Job:
        """Put a job back where it was in the queue, as far as it is; one cancelled is over.

        Raises:
            StoreError: the job is not this worker's.
        """
        with self._database.write() as session:
            row = _own(session, id, worker)
            if row.cancelled_by is not None:
                self._end(row, "cancelled", _cancelled_in_the_queue(row))
            else:
                row.state, row.note, row.deaths = "queued", note, 0
            return _to_job(row)

    def finish(
        self, id: str, worker: str, state: Literal["done", "failed", "cancelled"], note: str
    ) -> Job:
        """End a job.

        Args:
            id: Of the job.
            worker: Who has it.
            state: How.
            note: What came of it, for people.

        Raises:
            StoreError: the job is not this worker's.
        """
        with self._database.write() as session:
            row = _own(session, id, worker)
            self._end(row, state, note)
            return _to_job(row)

    def _end(self, row: JobRow, state: JobState, note: str) -> None:
        row.state, row.note, row.ended_at = state, note, self._clock()


def cancel_open(session: Session, note: str, now: datetime) -> int:
    """End all that is open, as in a lab out of a backup, whose work was done or not elsewhere."""
    rows = list(session.scalars(_open()))
    for row in rows:
        row.state, row.note, row.ended_at = "cancelled", note, now
    return len(rows)


def _open() -> Any:  # noqa: ANN401 - SQLAlchemy's Select of a row
    return select(JobRow).where(JobRow.state.in_(("queued", "running"))).order_by(
        JobRow.state.desc(), JobRow.seq
    )  # fmt: skip


def _find(session: Session, id: str) -> JobRow | None:
    return session.scalar(select(JobRow).where(JobRow.id == id))


def _need(session: Session, id: str) -> JobRow:
    row = _find(session, id)
    if row is None:
        raise StoreError(f"{id!r:.60} is no job of this lab: all() lists the latest.")
    return row


def _own(session: Session, id: str, worker: str) -> JobRow:
    row = _need(session, id)
    if row.state != "running" or row.worker != worker:
        raise StoreError(
            f"job {id!r:.60} is {row.state}, with {row.worker or 'no worker'}, and not running "
            f"with {worker}: only who has taken a job says how far it is."
        )
    return row


def _cancelled_in_the_queue(row: JobRow) -> str:
    made = f"; {row.done} of {row.total} are done and kept" if row.done else ""
    return f"Cancelled by {row.cancelled_by}{made}."


def _add_events(session: Session, id: str, events: Sequence[NewEvent], now: datetime) -> None:
    replaced = {event.kind for event in events} & set(_PRESENT)
    if replaced:
        of = (JobEventRow.job_id == id, JobEventRow.kind.in_(replaced))
        session.execute(delete(JobEventRow).where(*of))
    last = {event.kind: number for number, event in enumerate(events)}
    kept = [
        event
        for n, event in enumerate(events)
        if event.kind not in _PRESENT or last[event.kind] == n
    ]
    checks.insert_rows(
        session,
        JobEventRow,
        [{"job_id": id, "kind": e.kind, "values": dict(e.values), "created_at": now} for e in kept],
    )


def _to_job(row: JobRow) -> Job:
    return Job(**{name: getattr(row, name) for name in _COLUMNS})


def _to_event(row: JobEventRow) -> JobEvent:
    return JobEvent(
        seq=row.seq,
        job_id=row.job_id,
        kind=cast(JobEventKind, row.kind),
        values=row.values,
        created_at=row.created_at,
    )
