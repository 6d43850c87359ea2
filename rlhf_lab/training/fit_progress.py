"""How far a fit of the reward is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from tqdm.auto import tqdm

from rlhf_lab.training.listeners import Listeners
from rlhf_lab.training.reward_report import KeptBy
from rlhf_lab.types import TrainingListener


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What the steps of a fit showed.

    Attributes:
        losses: Of each optimizer step, by epoch: ranking loss in nats per ranking, averaged over
            the rankings of the step; NaN where it was not finite and the step was dropped.
        heldout_losses: Negative log-likelihood per held-out ranking after each epoch; empty when
            nothing was to be chosen by it.
        kept_epoch: The epoch whose weights are in the model now; 1 is the first.
        kept_by: Why that one.
        stopped: Whether somebody ended it before it was done.
    """

    losses: tuple[tuple[float, ...], ...]
    heldout_losses: tuple[float, ...]
    kept_epoch: int
    kept_by: KeptBy
    stopped: bool = False


class FitProgress:
    """Passes on how far a fit is; a bar and a listener see the same."""

    def __init__(
        self,
        bar: tqdm[NoReturn],
        listener: TrainingListener | None,
        stopped: Callable[[], bool],
        shown: Callable[[], bool],
    ) -> None:
        self.stopped = stopped
        self._shown = shown
        self._bar = bar
        self._listeners = Listeners()
        self._steps = 0
        if listener is not None:
            self._listeners.join(listener)

    def started(self, steps: int) -> None:
        """Of so many steps at most."""
        self._listeners.started(done=0, total=steps)
        self._listeners.phase("learning")

    def step(self, loss: float) -> None:
        """One was made."""
        self._bar.update()
        self._steps += 1
        self._listeners.add(self._steps, {"loss": loss}, done=self._steps)
        if self._shown():
            self._bar.total = None  # else a notebook leaves a red bar there
            self._bar.close()

    def heldout(self, loss: float) -> None:
        """The loss on held-out rankings after an epoch."""
        self._listeners.add(self._steps, {"heldout_loss": loss})
