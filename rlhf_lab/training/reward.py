"""Teaching the reward role from rankings, round after round."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.algorithms import centring_loss, pairs_of_tiers, ranking_loss
from rlhf_lab.errors import NonFiniteError, NotEnoughData
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.models.memory import trim_heap
from rlhf_lab.training.batching import micro_batches, response_batches
from rlhf_lab.training.config import RewardConfig
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.training.reward_report import KeptBy
from rlhf_lab.types import Strength

# With fewer, a difference between two epochs is mostly the luck of the prompts.
LEAST_HELDOUT_PROMPTS = 8


@dataclass(frozen=True, kw_only=True)
class RankedExample:
    """One ranking in tokens.

    Attributes:
        judgment_id: Where it comes from.
        prompt: Token ids of the prompt.
        candidates: Token ids of each response, end token included.
        ranks: Tier of each candidate, 1 is best, equal is tied.
        strength: How much better each tier is than the next one, if that was said.
    """

    judgment_id: str
    prompt: Sequence[int]
    candidates: Sequence[Sequence[int]]
    ranks: Sequence[int]
    strength: Strength | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the prompt, once, and of all candidates."""
        return len(self.prompt) + sum(map(len, self.candidates))


# The examples of each optimizer step of one epoch.
Steps = list[list[RankedExample]]


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
    """

    losses: tuple[tuple[float, ...], ...]
    heldout_losses: tuple[float, ...]
    kept_epoch: int
    kept_by: KeptBy


class RewardTrainer:
    """Holds the reward role's optimizer; each `fit` continues from the last."""

    def __init__(self, model: RoleModel, config: RewardConfig | None = None) -> None:
        """Prepare updates of `model`'s reward role."""
        self.model = model
        self.config = config or RewardConfig()
        self.optimizer = RoleOptimizer(
            model,
            ["reward"],
            learning_rate=self.config.learning_rate,
            max_grad_norm=self.config.max_grad_norm,
        )

    def fit(
        self,
        new: Sequence[RankedExample],
        old: Sequence[RankedExample] = (),
        *,
        heldout: Sequence[RankedExample] = (),
        progress: bool = True,
    ) -> FitResult:
        """Learn from new rankings, with old ones mixed in.

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

        Raises:
            NotEnoughData: nothing new to learn from.
            NonFiniteError: losses that are not finite, several times in a row or in every step;
                held-out scores that are not finite.
        """
        if not new:
            raise NotEnoughData(
                "0 new rankings: rank some first (`lab.rank()`), then update the reward."
            )
        epochs = list(self._epochs(new, old))
        steps, skipped = sum(map(len, epochs)), self.optimizer.skipped
        bar = tqdm(
            total=steps, desc="Reward update", unit="step", disable=not progress, leave=False
        )
        with self.optimizer.whole_or_nothing(), self.model.dense.base(), bar:
            if self.config.patience is None:
                result = self._all_epochs(epochs, bar, "the last")
            elif len({tuple(e.prompt) for e in heldout}) < LEAST_HELDOUT_PROMPTS:
                result = self._all_epochs(epochs, bar, "the last: too few held-out prompts")
            else:
                result = self._best_epoch(epochs, bar, heldout, self.config.patience)
            if self.optimizer.skipped - skipped == sum(map(len, result.losses)):
                raise NonFiniteError(
                    f"losses {[x for epoch in result.losses for x in epoch]}: no step could be "
                    "taken, and the weights are as they were before this update. Lower "
                    "learning_rate, or look for broken responses."
                )
        return result

    def _all_epochs(self, epochs: Sequence[Steps], bar: tqdm[NoReturn], why: KeptBy) -> FitResult:
        losses = tuple(self._epoch(steps, bar) for steps in epochs)
        return FitResult(losses=losses, heldout_losses=(), kept_epoch=len(losses), kept_by=why)

    def _best_epoch(
        self,
        epochs: Sequence[Steps],
        bar: tqdm[NoReturn],
        heldout: Sequence[RankedExample],
        patience: int,
    ) -> FitResult:
        losses: list[tuple[float, ...]] = []
        heldout_losses: list[float] = []
        best = 0
        for number, steps in enumerate(epochs):
            losses.append(self._epoch(steps, bar))
            heldout_losses.append(self.heldout_loss(heldout))
            if number == 0 or heldout_losses[number] < heldout_losses[best]:
                best, best_state = number, self.state()
            elif number - best >= patience:
                break
        if best < len(losses) - 1:
            self.load_state(best_state)
        return FitResult(
            losses=tuple(losses),
            heldout_losses=tuple(heldout_losses),
            kept_epoch=best + 1,
            kept_by="lowest held-out loss",
        )

    def _epoch(self, steps: Steps, bar: tqdm[NoReturn]) -> tuple[float, ...]:
        losses = []
        for step in steps:
            losses.append(self._step(step))
            bar.update()
        return tuple(losses)

    def heldout_loss(self, examples: Sequence[RankedExample]) -> float:
        """Mean negative log-likelihood per ranking in nats, ties included, without margins.

        Raises:
            NonFiniteError: scores that are not finite.
        """
        log_tie = self.model.head("reward").log_tie.detach().cpu()
        losses = [
            ranking_loss(scores, pairs_of_tiers(example.ranks), log_tie)
            for scores, example in zip(self.scores(examples), examples, strict=True)
        ]
        return float(torch.stack(losses).mean())

    def scores(self, examples: Sequence[RankedExample], *, progress: bool = False) -> list[Tensor]:
        """Raw reward of every candidate of each example, on the CPU.

        Raises:
            NonFiniteError: some are NaN or infinite; names the judgments.
        """
        found: dict[int, Tensor] = {}
        groups = self._groups(examples)
        with self.model.role("reward") as role, self.model.dense.base():
            for group in tqdm(groups, desc="Scoring", disable=not progress, leave=False):
                scores = self._group_scores(role, [examples[i] for i in group])
                found |= {i: s.cpu() for i, s in zip(group, scores, strict=True)}
        broken = [i for i, scores in sorted(found.items()) if not torch.isfinite(scores).all()]
        if broken:
            raise NonFiniteError(
                f"scores {found[broken[0]].tolist()} for judgment "
                f"{examples[broken[0]].judgment_id!r} ({len(broken)} of {len(examples)} rankings "
                "have such): rewards must be finite. Lower learning_rate, or check out an earlier "
                "reward version (lab.checkout)."
            )
        return [found[i] for i in range(len(examples))]

    @torch.no_grad()
    def normalise_on(self, scores: Sequence[Tensor]) -> None:
        """Make these raw scores, of the reference's responses, mean 0 and variance 1."""
        flat = torch.cat(list(scores))
        head = self.model.head("reward")
        head.mean.copy_(flat.mean())
        head.scale.copy_(flat.std().clamp(min=1e-3))

    def replayed(self, new: Sequence[RankedExample], old: Sequence[RankedExample]) -> int:
        """How many old rankings join each epoch."""
        return min(len(old), round(self.config.replay * len(new)))

    def _epochs(
        self, new: Sequence[RankedExample], old: Sequence[RankedExample]
    ) -> Iterator[Steps]:
        order = random.Random(self.config.seed)
        size = self.config.rankings_per_step
        for _ in range(self.config.epochs):
            examples = [*new, *order.sample(list(old), self.replayed(new, old))]
            order.shuffle(examples)
            yield [examples[start : start + size] for start in range(0, len(examples), size)]

    def _step(self, examples: Sequence[RankedExample]) -> float:
        """One optimizer step; returns the ranking loss alone."""
        total = 0.0
        centre = self.config.centre_coef
        with self.model.role("reward", train=True) as role:
            for group in self._groups(examples):
                part = [examples[i] for i in group]
                scores = self._group_scores(role, part)
                loss = objective = self._loss(part, scores) / len(examples)
                if centre:
                    objective = loss + centre * _centring(part, scores) / len(examples)
                objective.backward()
                total += loss.item()
            self.optimizer.step()
        trim_heap()
        return total

    def _groups(self, examples: Sequence[RankedExample]) -> list[list[int]]:
        """Examples that run together: all candidates of one are in the same group."""
        return micro_batches([e.tokens for e in examples], self.config.tokens_per_micro_batch)

    def _loss(self, examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Tensor:
        """Sum over the examples."""
        log_tie = self.model.head("reward").log_tie
        losses = [
            ranking_loss(s, pairs_of_tiers(e.ranks), log_tie, self.config.margin(e.strength))
            for s, e in zip(scores, examples, strict=True)
        ]
        return torch.stack(losses).sum()

    def _group_scores(self, role: Role, examples: Sequence[RankedExample]) -> Sequence[Tensor]:
        """Scores of each example: every candidate runs once, and all pairs share its score."""
        batches = response_batches(
            self.model,
            [e.prompt for e in examples for _ in e.candidates],
            [c for e in examples for c in e.candidates],
            tokens=self.config.tokens_per_micro_batch,
        )
        scores = torch.cat([role.scores(batch.tokens) for batch in batches])
        order = torch.tensor([n for batch in batches for n in batch.responses])
        in_order = scores[order.argsort().to(scores.device)]
        return torch.split(in_order, [len(e.candidates) for e in examples])

    def state(self) -> dict[str, Mapping[str, Tensor]]:
        """Everything a checkpoint of the reward needs."""
        return {"reward": self.model.state("reward"), "optimizer": self.optimizer.state()}

    def load_state(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue from a checkpoint."""
        self.model.load_state("reward", tensors["reward"])
        self.optimizer.load_state(tensors.get("optimizer", {}))


def _centring(examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Tensor:
    """Sum over the examples."""
    losses = [
        centring_loss(s, pairs_of_tiers(e.ranks)) for s, e in zip(scores, examples, strict=True)
    ]
    return torch.stack(losses).sum()


def ordered_pairs_right(scores: Sequence[float] | Tensor, ranks: Sequence[int]) -> list[float]:
    """For each pair that is no tie: 1 if the better one scores higher, 0.5 if equal, else 0."""
    pairs = pairs_of_tiers(ranks)
    return [
        0.5 + 0.5 * (float(scores[b] > scores[w]) - float(scores[b] < scores[w]))
        for b, w, tie in zip(pairs.better, pairs.worse, pairs.is_tie, strict=True)
        if not tie
    ]
