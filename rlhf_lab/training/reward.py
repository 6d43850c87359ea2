"""Teaching the reward role from rankings, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.errors import NonFiniteError, NotEnoughData
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.training.batching import MicroBatch
from rlhf_lab.training.config import RewardConfig
from rlhf_lab.training.fit_progress import FitProgress, FitResult
from rlhf_lab.training.ranking_trainer import RankedExample, RankingTrainer, Steps
from rlhf_lab.training.reward_report import KeptBy
from rlhf_lab.types import TrainingListener

# With fewer, a difference between two epochs is mostly the luck of the prompts.
LEAST_HELDOUT_PROMPTS = 8


class RewardTrainer(RankingTrainer):
    """Holds the reward role's optimizer; each `fit` continues from the last."""

    def __init__(self, model: RoleModel, config: RewardConfig | None = None) -> None:
        """Prepare updates of `model`'s reward role."""
        self.config = config or RewardConfig()
        super().__init__(model, "reward", self.config)

    def fit(
        self,
        new: Sequence[RankedExample],
        old: Sequence[RankedExample] = (),
        *,
        heldout: Sequence[RankedExample] = (),
        progress: bool = True,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
        shown: Callable[[], bool] = lambda: False,
    ) -> FitResult:
        """Learn from new rankings, with old ones mixed in; in smaller batches if memory runs out.

        If it does not finish (Ctrl-C included) the weights are what they were before.

        With `config.patience` the loss on held-out rankings is taken after every epoch; training
        ends when it has not fallen for so many epochs, and weights and optimizer go back to the
        best one. At least one epoch is kept: a version has learned its judgments. Below 8
        held-out prompts all epochs run and the last is kept.

        Args:
            new: Rankings not learned from yet; every epoch passes over all of them.
            old: Rankings learned from before; a fresh sample of them joins each epoch.
            heldout: Rankings that no gradient comes from, to choose the epoch by.
            progress: Show a bar.
            listener: Is told of every optimizer step.
            stopped: Asked after each epoch whether it shall be the last one.
            shown: Asked whether the listener shows how far it is: then the bar goes.

        Raises:
            NotEnoughData: nothing new to learn from.
            NonFiniteError: losses that are not finite, several times in a row or in every step;
                held-out scores that are not finite.
            OutOfMemory: not even one response at a time fits.
        """
        if not new:
            raise NotEnoughData(
                "0 new rankings: rank some first (`lab.rank()`), then update the reward."
            )
        epochs = list(self.epochs(new, old))
        steps, skipped = sum(map(len, epochs)), self.optimizer.skipped
        bar = tqdm(
            total=steps, desc="Reward update", unit="step", disable=not progress, leave=False
        )
        told = FitProgress(bar, listener, stopped, shown)
        told.started(steps)
        with self.optimizer.whole_or_nothing(), self.model.dense.base(), bar:
            if self.config.patience is None:
                result = self._all_epochs(epochs, told, "the last")
            elif len({tuple(e.prompt) for e in heldout}) < LEAST_HELDOUT_PROMPTS:
                result = self._all_epochs(epochs, told, "the last: too few held-out prompts")
            else:
                result = self._best_epoch(epochs, told, heldout, self.config.patience)
            if self.optimizer.skipped - skipped == sum(map(len, result.losses)):
                raise NonFiniteError(
                    f"losses {[x for epoch in result.losses for x in epoch]}: no step could be "
                    "taken, and the weights are as they were before this update. Lower "
                    "learning_rate, or look for broken responses."
                )
        return result

    def _all_epochs(self, epochs: Sequence[Steps], told: FitProgress, why: KeptBy) -> FitResult:
        losses: list[tuple[float, ...]] = []
        stopped = False
        for steps in epochs:
            losses.append(self._epoch(steps, told))
            if stopped := told.stopped() and len(losses) < len(epochs):
                break
        return FitResult(
            losses=tuple(losses),
            heldout_losses=(),
            kept_epoch=len(losses),
            kept_by="the last: stopped by hand" if stopped else why,
            stopped=stopped,
        )

    def _best_epoch(
        self,
        epochs: Sequence[Steps],
        told: FitProgress,
        heldout: Sequence[RankedExample],
        patience: int,
    ) -> FitResult:
        losses: list[tuple[float, ...]] = []
        heldout_losses: list[float] = []
        best, stopped = 0, False
        for number, steps in enumerate(epochs):
            losses.append(self._epoch(steps, told))
            heldout_losses.append(self.heldout_loss(heldout))
            told.heldout(heldout_losses[number])
            if number == 0 or heldout_losses[number] < heldout_losses[best]:
                best, best_state = number, self.state()
            elif number - best >= patience:
                break
            if stopped := told.stopped() and len(losses) < len(epochs):
                break
        if best < len(losses) - 1:
            self.load_state(best_state)
        return FitResult(
            losses=tuple(losses),
            heldout_losses=tuple(heldout_losses),
            kept_epoch=best + 1,
            kept_by="lowest held-out loss",
            stopped=stopped,
        )

    def _epoch(self, steps: Steps, told: FitProgress) -> tuple[float, ...]:
        losses = []
        for step in steps:
            losses.append(self.step(step))
            told.step(losses[-1])
        return tuple(losses)

    @torch.no_grad()
    def normalise_on(self, scores: Sequence[Tensor]) -> None:
        """Make these raw scores, of the reference's responses, mean 0 and variance 1."""
        flat = torch.cat(list(scores))
        head = self.model.head("reward")
        head.mean.copy_(flat.mean())
        head.scale.copy_(flat.std().clamp(min=1e-3))

    def _score(self, role: Role, batch: MicroBatch, examples: Sequence[RankedExample]) -> Tensor:
        """By the head, at the last token of each response."""
        return role.scores(batch.tokens)

    def _log_tie(self) -> Tensor:
        return self.model.head("reward").log_tie
