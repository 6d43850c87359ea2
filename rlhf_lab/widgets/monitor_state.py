"""The training monitor without a widget: curves, alarms, samples, and a wish to stop.

It is a `TrainingListener`: a run tells it what happens, in the thread that trains. What it passes
on to a page is bounded in size and pace, so that looking on costs the training nothing: `content`
holds the samples and the points up to some step, `view` the points since then. New samples take all
points into `content`, at most every `SAMPLE_SECONDS`; without any, that happens every
`REBASE_AFTER` points.

The page sends one event, {"type": "stop"}.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypedDict

from rlhf_lab.types import Alarm, RunEnd, TrainingSample
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.monitor_history import DIGITS, History
from rlhf_lab.widgets.pace import Later, Pace, after
from rlhf_lab.widgets.rendering import render_markdown
from rlhf_lab.widgets.state import Event, WidgetState

Status = Literal["waiting", "running", "stopping", "finished", "stopped", "failed"]
Form = Literal["number", "signed", "percent", "seconds", "count"]
OVER: Final = ("finished", "stopped", "failed")

SAMPLE_SECONDS: Final = 5.0
"""Samples are long texts: they are sent no more often than this."""

RECENT_STEPS: Final = 10
"""So many steps say how long the next ones will take."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One series: its name among the figures, and what it is called."""

    name: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One small chart.

    Attributes:
        title: Above it.
        curves: What is drawn.
        unit: Of the values, as in "nats per response".
        form: How values are written.
        target: A line to aim at; None for none.
        about: One sentence on how to read it.
    """

    title: str
    curves: tuple[Curve, ...]
    unit: str = ""
    form: Form = "number"
    target: float | None = None
    about: str = ""


class AlarmView(TypedDict):
    """An alarm, however often it was raised; the message is the latest."""

    name: str
    message: str
    first: int
    last: int
    times: int


class MonitorState(WidgetState):
    """Shows a run while it goes on, and what became of it afterwards.

    Attributes:
        id: Tells this monitor from others in the same process.
        status: Where the run is.
        charts: What is drawn.
        alarms: What was alarming, in the order of the first time.
        samples: The latest.
        outcome: What was kept, once the run is over.
    """

    def __init__(
        self,
        charts: Sequence[Chart],
        *,
        title: str,
        on_stop: Callable[[], None] | None = None,
        stop_note: str = "",
        phases: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], Later] = after,
    ) -> None:
        """Show nothing yet.

        Args:
            charts: What is drawn.
            title: As in "PPO".
            on_stop: Called when somebody wants the run to end; None when that cannot be had.
            stop_note: What stopping keeps, in one sentence.
            phases: What the phases of a step are called.
            clock: Seconds, rising.
            later: How to put something off, for tests.
        """
        super().__init__()
        self.id = secrets.token_hex(8)
        self.title = title
        self.charts = tuple(charts)
        self.status: Status = "waiting"
        self.alarms: list[AlarmView] = []
        self.samples: tuple[TrainingSample, ...] = ()
        self.outcome = ""
        self.history = History([c.name for chart in charts for c in chart.curves])
        self.done = self.total = 0
        self._phases = dict(phases or {})
        self._phase = ""
        self._on_stop = on_stop
        self._stop_note = stop_note
        self._clock = clock
        self._began = self._over_at = self._step_began = clock()
        self._spent = 0.0
        self._durations: list[float] = []
        self._samples_sent_at = float("-inf")
        self._samples_stale = False
        # A run tells from the thread that trains; a page's events may come in another.
        self._lock = threading.RLock()
        self._pace = Pace(self._publish, clock=clock, later=later)
        self._renew_content()
        self._renew_view()

    # What a run tells

    def started(self, *, done: int, total: int) -> None:
        """A run begins, or goes on."""
        with self._lock:
            self._spent = self.seconds
            self._began = self._step_began = self._clock()
            self._phase = self.outcome = ""
            self.status, self.done, self.total = "running", done, total
        self._pace.now()

    def took_before(self, seconds: float) -> None:
        """What it was told of so far took so long: it came later, and cannot know."""
        with self._lock:
            self._spent = seconds
        self._pace.now()

    def phase(self, name: str) -> None:
        """A part of a step begins."""
        with self._lock:
            self._phase = name
        self._pace.ask()

    def add(self, step: int, figures: Mapping[str, float], *, done: int | None = None) -> None:
        """A point of every curve that is among the figures."""
        with self._lock:
            self.history.add(step, figures)
            if done is not None and done > self.done:
                now = self._clock()
                self._durations.append((now - self._step_began) / (done - self.done))
                del self._durations[:-RECENT_STEPS]
                self._step_began = now
                self.done = done
        self._pace.ask()

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Put an alarm before the person; the same one again is counted."""
        with self._lock:
            known = next((a for a in self.alarms if a["name"] == alarm.name), None)
            if known is None:
                seen = AlarmView(
                    name=alarm.name, message=alarm.message, first=step, last=step, times=1
                )
                self.alarms.append(seen)
            else:
                known["message"], known["last"] = alarm.message, step
                known["times"] += 1
        self._pace.ask()

    def show(self, samples: Sequence[TrainingSample]) -> None:
        """Show these responses in the place of those before."""
        with self._lock:
            self.samples = tuple(samples)
            self._samples_stale = True
        self._pace.ask()

    def ended(self, status: RunEnd, text: str) -> None:
        """The run is over."""
        with self._lock:
            self._over_at = self._clock()
            self.status, self.outcome, self._phase = status, text, ""
            self._samples_sent_at = float("-inf")
        self._pace.now()

    def together(self) -> AbstractContextManager[None]:
        """Publish once what is told inside, as when a run is told of that has been going on."""
        return self._pace.held()

    # What a person wants

    def stop(self) -> None:
        """Ask the run to end after the present step; once asked, it stays asked."""
        with self._lock:
            if self._on_stop is None or self.status != "running":
                return
            self._on_stop()
            self.status = "stopping"
            self._renew_view()

    def request_stop(self) -> Status:
        """The same from another thread, and where the run is now.

        Nothing is published: the page that asked gets this answer, and the next thing that the
        run tells carries the rest.
        """
        self.stop()
        return self.status

    def handle(self, event: Event) -> None:
        """Stop, if that is what it says."""
        if event.type == "stop":
            self.stop()

    def apply(self, events: Iterable[Mapping[str, Any]]) -> None:
        """As in every widget, but events may come in another thread than what a run tells."""
        with self._lock:
            super().apply(events)

    # Reading

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.status in OVER

    @property
    def seconds(self) -> float:
        """How long the run has taken so far, over all its parts; 0 before it began."""
        if self.status == "waiting":
            return 0.0
        end = self._over_at if self.over else self._clock()
        return self._spent + end - self._began

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at the pace of the last steps; None if nothing says so."""
        if self.status != "running" or not self._durations or not self.total:
            return None
        each = sum(self._durations) / len(self._durations)
        spent = self._clock() - self._step_began
        return max(0.0, each * (self.total - self.done) - spent)

    def _publish(self) -> None:
        with self._lock:
            due = self._clock() - self._samples_sent_at >= SAMPLE_SECONDS
            if self.history.rebase(at_once=self._samples_stale and due):
                self._renew_content()
            self._renew_view()
            self.changed()

    def _renew_content(self) -> None:
        self._samples_sent_at = self._clock()
        self._samples_stale = False
        self.content = {
            "id": self.id,
            "title": self.title,
            "charts": [asdict(chart) for chart in self.charts],
            "phases": self._phases,
            "stop_note": self._stop_note,
            "base": self.history.base,
            **self.history.based(),
            "samples": [_sample(sample) for sample in self.samples],
        }

    def _renew_view(self) -> None:
        left = self.seconds_left
        self.view = {
            "base": self.history.base,
            **self.history.since(),
            "status": self.status,
            "phase": self._phase,
            "done": self.done,
            "total": self.total,
            "seconds": round(self.seconds, 1),
            "left": None if left is None else round(left, 1),
            "alarms": [dict(alarm) for alarm in self.alarms],
            "can_stop": self._on_stop is not None,
            "outcome": self.outcome,
        }


def _sample(sample: TrainingSample) -> dict[str, Any]:
    return {
        "prompt": render_markdown(sample.prompt),
        "before": None if sample.before is None else render_markdown(sample.before),
        "before_version": sample.before_version,
        "now": render_markdown(sample.now),
        "step": sample.step,
        "score": None if sample.score is None else sendable.number(sample.score, DIGITS),
    }
