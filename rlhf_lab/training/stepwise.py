"""Optimizer steps that are on disk every so often, so that a long update survives its process.

What is kept is no version: it is taken up by the same update of the same examples from the same
version, and dropped by any other.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.errors import CheckpointError
from rlhf_lab.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from rlhf_lab.training.listeners import Listeners

T = TypeVar("T")
_T = TypeVar("_T", contravariant=True)


class Learner(Protocol[_T]):
    """What takes the steps."""

    def step(self, examples: Sequence[_T]) -> float:
        """One optimizer step; returns the loss."""

    def state(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Weights and optimizer."""

    def load_state(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from them."""


class StepsMade(NamedTuple):
    """Loss of each optimizer step, and whether somebody ended it before the last one."""

    losses: list[float]
    stopped: bool


@dataclass(frozen=True, kw_only=True)
class KeptSteps:
    """Where the latest state of an update is kept.

    Attributes:
        folder: Holds one checkpoint, named after the kind of update and its number of steps.
        kind: As in "sft".
        key: What the update is of; another key's state is not taken up.
    """

    folder: Path
    kind: str
    key: str

    def read(self) -> Checkpoint | None:
        """The state with most steps; None without a whole one of this key."""
        for place in self._places():
            try:
                found = read_checkpoint(place)
            except CheckpointError:
                continue
            if found.state.get("key") == self.key:
                return found
        return None

    def write(self, tensors: Mapping[str, Mapping[str, Tensor]], losses: Sequence[float]) -> None:
        """Keep the state after these steps, in the place of the one before."""
        before = self._places()
        place = self.folder / f"{self.kind}.step{len(losses)}"
        shutil.rmtree(place, ignore_errors=True)  # of another key
        state = {"key": self.key, "losses": list(losses)}
        write_checkpoint(place, Checkpoint(tensors=tensors, state=state))
        for old in before:
            if old != place:
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """Forget it: a version has come of it."""
        for place in self._places():
            shutil.rmtree(place, ignore_errors=True)

    def _places(self) -> list[Path]:
        """The one with most steps first."""
        found = self.folder.glob(f"{self.kind}.step*")
        return sorted(found, key=lambda place: int(place.name.rpartition("step")[2]), reverse=True)


def key_of(*parts: object) -> str:
    """Always the same for the same update of the same examples from the same version."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()


@dataclass(kw_only=True)
class StepwiseUpdate(Generic[T]):
    """Takes steps one by one and keeps the state every so often.

    Attributes:
        learner: Takes them.
        kept: Where the state goes.
        keep_every: Steps between two states on disk.
        told: Hears of every step.
        title: Of the bar.
        progress: Show it.
        stopped: Asked after each step whether it shall be the last one.
        shown: Asked whether somebody else shows how far it is: then the bar goes.
    """

    learner: Learner[T]
    kept: KeptSteps
    keep_every: int
    told: Listeners
    title: str
    progress: bool = True
    stopped: Callable[[], bool] = lambda: False
    shown: Callable[[], bool] = lambda: False

    def run(self, steps: Iterable[Sequence[T]]) -> StepsMade:
        """Take all steps that are not made yet.

        Whatever ends it early, the state last kept stays on disk, and the next run goes on from it.
        """
        planned = list(steps)
        losses = self._take_up(len(planned))
        self.told.started(done=len(losses), total=len(planned))
        self.told.phase("learning")
        with tqdm(
            total=len(planned),
            initial=len(losses),
            desc=self.title,
            unit="step",
            disable=not self.progress or self.shown(),
            leave=False,
        ) as bar:
            for examples in planned[len(losses) :]:
                losses.append(self.learner.step(examples))
                bar.update()
                self.told.add(len(losses), {"loss": losses[-1]}, done=len(losses))
                if self.shown():
                    bar.total = None  # else a notebook leaves a red bar there
                    bar.close()
                if self.stopped():
                    break
                if len(losses) % self.keep_every == 0 and len(losses) < len(planned):
                    self.kept.write(self.learner.state(), losses)
        return StepsMade(losses, len(losses) < len(planned))

    def _take_up(self, most: int) -> list[float]:
        found = self.kept.read()
        if found is None or len(found.state["losses"]) > most:
            return []
        self.learner.load_state(found.tensors)
        return [float(loss) for loss in found.state["losses"]]
