"""Teaching the reward role from rankings, round after round."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.algorithms import centring_loss, pairs_of_tiers, ranking_loss
from rlhf_lab.errors import NonFiniteError, NotEnoughData
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.models.memory import Parts, trim_heap
from rlhf_lab.training.batching import (
    MicroBatch,
    Rows,
    as_tokens,
    divided,
    micro_batches,
    most_parts,
    response_groups,
)
from rlhf_lab.training.config import RewardConfig
from rlhf_lab.training.fit_progress import FitProgress, FitResult
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.training.reward_report import KeptBy
from rlhf_lab.types import Strength, TrainingListener

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


class RewardTrainer:
    """Holds the reward role's optimizer; each `fit` continues from the last."""

    def __init__(self, model: RoleModel, config: RewardConfig | None = None) -> None:
        """Prepare updates of `model`'s reward role."""
        self.model = model
        self.config = config or RewardConfig()
        self.optimizer = RoleOptimizer(
            model,
            ["reward"],
            kind=self.config.optimizer,
            learning_rate=self.config.learning_rate,
            max_grad_norm=self.config.max_grad_norm,
        )
        self.parts = Parts(
            "reward micro-batches",
            remedy="Open the lab with checkpointing=True, or sample shorter responses: "
            "rlhf_lab.preflight(...) tells what fits.",
        )

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
        epochs = list(self._epochs(new, old))
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
            losses.append(self._step(step))
            told.step(losses[-1])
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
            OutOfMemory: not even one response at a time fits.
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
        groups = [[examples[i] for i in group] for group in self._groups(examples)]
        # In two parts rankings are whole, but no longer learned from in one backward pass.
        most = max(2, *(most_parts(self._planned(group)) for group in groups))
        loss = self.parts.until_they_fit(lambda parts: self._gradients(groups, parts), most=most)
        self.optimizer.step()
        trim_heap()
        return loss

    def _gradients(self, groups: Sequence[Sequence[RankedExample]], parts: int) -> float:
        """Leave the gradients of one step; returns the ranking loss alone."""
        self.optimizer.forget_gradients()  # of an attempt that ran out of memory
        backward = self._backward if parts == 1 else self._backward_by_part
        share = 1 / sum(map(len, groups))
        with self.model.role("reward", train=True) as role:
            return sum(
                backward(role, group, self._batches(group, parts), share) for group in groups
            )

    def _backward(
        self,
        role: Role,
        examples: Sequence[RankedExample],
        batches: Sequence[MicroBatch],
        share: float,
    ) -> float:
        """Keep what all micro-batches of some rankings need until their one backward pass."""
        objective, loss = self._objective(examples, _scores_in_order(role, batches), share)
        objective.backward()
        return loss.item()

    def _backward_by_part(
        self,
        role: Role,
        examples: Sequence[RankedExample],
        batches: Sequence[MicroBatch],
        share: float,
    ) -> float:
        """The same gradients for one micro-batch's memory and one forward pass more.

        A ranking's loss needs the scores of all its candidates, which may be in several parts.
        So they are computed first, without a graph; the slope of the loss by each score is then
        carried back through one part at a time.
        """
        with torch.no_grad():
            scores = _scores_in_order(role, batches)
        objective, loss = self._objective(examples, scores.requires_grad_(), share)
        objective.backward()
        assert scores.grad is not None
        for batch in batches:
            role.scores(batch.tokens).backward(scores.grad[batch.responses])
        return loss.item()

    def _objective(
        self, examples: Sequence[RankedExample], flat: Tensor, share: float
    ) -> tuple[Tensor, Tensor]:
        """What is minimised, and the ranking loss in it, for these rankings' share of a step."""
        scores = _by_example(examples, flat)
        loss = objective = share * self._loss(examples, scores)
        if centre := self.config.centre_coef:
            objective = loss + share * centre * _centring(examples, scores)
        return objective, loss

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
        """Scores of each example, without a graph."""
        scores = self.parts.until_they_fit(
            lambda parts: _scores_in_order(role, self._batches(examples, parts)),
            most=most_parts(self._planned(examples)),
        )
        return _by_example(examples, scores)

    def _planned(self, examples: Sequence[RankedExample]) -> list[Rows]:
        """Micro-batches: every candidate runs once, and all pairs share its score."""
        prompts, candidates = _in_a_row(examples)
        tokens = self.config.tokens_per_micro_batch
        return response_groups(self.model, prompts, candidates, tokens=tokens)

    def _batches(self, examples: Sequence[RankedExample], parts: int) -> list[MicroBatch]:
        prompts, candidates = _in_a_row(examples)
        return [
            as_tokens(self.model, prompts, candidates, part)
            for rows in self._planned(examples)
            for part in divided(rows, parts)
        ]

    def state(self) -> dict[str, Mapping[str, Tensor]]:
        """Everything a checkpoint of the reward needs."""
        return {"reward": self.model.state("reward"), "optimizer": self.optimizer.state()}

    def load_state(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue from a checkpoint."""
        self.model.load_state("reward", tensors["reward"])
        self.optimizer.load_state(tensors.get("optimizer", {}))


def _in_a_row(
    examples: Sequence[RankedExample],
) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
    """The prompt of each candidate, and the candidates."""
    prompts = [e.prompt for e in examples for _ in e.candidates]
    return prompts, [c for e in examples for c in e.candidates]


def _scores_in_order(role: Role, batches: Sequence[MicroBatch]) -> Tensor:
    """(candidates,), in the order of the examples."""
    scores = torch.cat([role.scores(batch.tokens) for batch in batches])
    order = torch.tensor([n for batch in batches for n in batch.responses])
    return scores[order.argsort().to(scores.device)]


def _by_example(examples: Sequence[RankedExample], scores: Tensor) -> Sequence[Tensor]:
    return torch.split(scores, [len(e.candidates) for e in examples])


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
