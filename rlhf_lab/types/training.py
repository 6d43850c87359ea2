"""What training tells while it runs, to whoever looks on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rlhf_lab.types.models import Alarm

RunEnd = Literal["finished", "stopped", "failed"]
# Nats per response that an adaptive price of KL aims at, if nothing else is asked for.
KL_TARGET = 6.0


@dataclass(frozen=True, kw_only=True)
class TrainingSample:
    """One prompt of the present step, answered before the run and now.

    Attributes:
        prompt: Its text.
        now: The response sampled in this step.
        step: Which step.
        score: Normalised reward of `now`; None where there is none.
        before: A response of the version in `before_version`; None where none is stored.
        before_version: As in "policy@0".
    """

    prompt: str
    now: str
    step: int
    score: float | None = None
    before: str | None = None
    before_version: str = ""


class TrainingListener(Protocol):
    """Is told by a run what happens in it, in the thread that trains, so it must return soon.

    It sees figures and texts, no tensors: nothing it does can change what is trained. One that
    raises is left out from then on, and the run goes on.
    """

    def started(self, *, done: int, total: int) -> None:
        """A run begins, or goes on with `done` of `total` steps made."""

    def phase(self, name: str) -> None:
        """A part of a step begins, as in "rollout", "scoring", "update"."""

    def add(self, step: int, figures: Mapping[str, float], *, done: int | None = None) -> None:
        """A step was made; `done` counts those of this run. The same step twice adds figures."""

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Something should be looked at."""

    def show(self, samples: Sequence[TrainingSample]) -> None:
        """Some responses of the present step, in the place of those before."""

    def ended(self, status: RunEnd, text: str) -> None:
        """The run is over; `text` says what was kept, in one sentence."""
