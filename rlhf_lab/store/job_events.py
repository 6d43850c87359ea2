"""Between the calls of a `TrainingListener` and the events of a job, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from rlhf_lab.store.rows import pack_figures, unpack_figures
from rlhf_lab.types import (
    Alarm,
    JobEvent,
    JobEventKind,
    RunEnd,
    TrainingListener,
    TrainingSample,
)


class NewEvent(NamedTuple):
    """What a job tells, before it is stored."""

    kind: JobEventKind
    values: Mapping[str, Any]


class EventWriter:
    """A `TrainingListener` that makes an event of each call."""

    def __init__(self, write: Callable[[NewEvent], None]) -> None:
        """Pass events on to `write`, in the thread that trains."""
        self._write = write

    def started(self, *, done: int, total: int) -> None:
        """See `TrainingListener`, as for all that follow."""
        self._write(NewEvent("started", {"done": done, "total": total}))

    def phase(self, name: str) -> None:
        """A part of a step begins."""
        self._write(NewEvent("phase", {"name": name}))

    def add(self, step: int, figures: Mapping[str, float], *, done: int | None = None) -> None:
        """A step was made."""
        packed = pack_figures(figures)
        self._write(NewEvent("add", {"step": step, "figures": packed, "done": done}))

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Something should be looked at."""
        self._write(NewEvent("alarm", {"step": step, **alarm._asdict()}))

    def show(self, samples: Sequence[TrainingSample]) -> None:
        """Some responses of the present step."""
        self._write(NewEvent("show", {"samples": [asdict(sample) for sample in samples]}))

    def ended(self, status: RunEnd, text: str) -> None:
        """The run is over."""
        self._write(NewEvent("ended", {"status": status, "text": text}))


def replay(event: JobEvent, listener: TrainingListener) -> None:
    """Make the call that an event was made of."""
    values = event.values
    match event.kind:
        case "started":
            listener.started(done=values["done"], total=values["total"])
        case "phase":
            listener.phase(values["name"])
        case "add":
            figures = unpack_figures(values["figures"])
            listener.add(values["step"], figures, done=values["done"])
        case "alarm":
            listener.alarm(values["step"], Alarm(values["name"], values["message"]))
        case "show":
            listener.show([TrainingSample(**sample) for sample in values["samples"]])
        case "ended":
            listener.ended(values["status"], values["text"])
