"""Telling those who look on at a run, none of whom can disturb it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tqdm.auto import tqdm

from rlhf_lab.errors import Stopped
from rlhf_lab.types import Alarm, RunEnd, TrainingListener, TrainingSample


class Listeners:
    """All listeners of a run as one; a listener that raises is told of once and left out.

    Attributes:
        otherwise: What an error would leave behind now, as a sentence.
    """

    def __init__(self, *, otherwise: str = "") -> None:
        self.otherwise = otherwise
        self._all: list[TrainingListener] = []

    def __bool__(self) -> bool:
        return bool(self._all)

    def __contains__(self, listener: TrainingListener) -> bool:
        return listener in self._all

    def join(self, listener: TrainingListener) -> None:
        """Tell this one too, from now on."""
        if listener not in self._all:
            self._all.append(listener)

    def started(self, *, done: int, total: int) -> None:
        """See `TrainingListener`, as for all that follow."""
        self._tell(lambda one: one.started(done=done, total=total))

    def phase(self, name: str) -> None:
        """A part of a step begins."""
        self._tell(lambda one: one.phase(name))

    def add(self, step: int, figures: Mapping[str, float], *, done: int | None = None) -> None:
        """A step was made."""
        self._tell(lambda one: one.add(step, figures, done=done))

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Something should be looked at."""
        self._tell(lambda one: one.alarm(step, alarm))

    def show(self, samples: Sequence[TrainingSample]) -> None:
        """Some responses of the present step."""
        self._tell(lambda one: one.show(samples))

    def show_made(self, make: Callable[[], Sequence[TrainingSample]]) -> None:
        """The same with samples that are made only if somebody sees them, once for all."""
        if not self._all:
            return
        try:
            samples = make()
        except Exception as error:  # noqa: BLE001 - a picture of a run must not end the run
            tqdm.write(f"No samples of this step: {type(error).__name__}: {error}")
        else:
            self.show(samples)

    def ended(self, status: RunEnd, text: str) -> None:
        """The run is over."""
        self._tell(lambda one: one.ended(status, text))

    def _tell(self, what: Callable[[TrainingListener], None]) -> None:
        for listener in list(self._all):
            try:
                what(listener)
            except Exception as error:  # noqa: BLE001 - a picture of a run must not end the run
                self._all.remove(listener)
                tqdm.write(
                    f"{type(listener).__name__} failed and shows no more of this run, which goes "
                    f"on: {type(error).__name__}: {error}"
                )


@contextmanager
def told_how_it_ends(listener: TrainingListener | None, *, otherwise: str) -> Iterator[Listeners]:
    """A listener for the length of an update; what ends it by an error says `otherwise`.

    That may change on the way: `told.otherwise`.
    """
    told = Listeners(otherwise=otherwise)
    if listener is not None:
        told.join(listener)
    try:
        yield told
    except KeyboardInterrupt:
        told.ended("stopped", f"Interrupted: {told.otherwise}")
        raise
    except Stopped as stopped:
        told.ended("stopped", str(stopped))
        raise
    except BaseException as error:
        told.ended("failed", f"{type(error).__name__}: {error} Now {told.otherwise}")
        raise
