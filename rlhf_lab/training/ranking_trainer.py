"""Learning from rankings, whatever gives the scores: a reward head, or the policy itself."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.algorithms import centring_loss, pairs_of_tiers, ranking_loss
from rlhf_lab.errors import NonFiniteError
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.models.memory import Parts, trim_heap
from rlhf_lab.models.roles import RoleName
from rlhf_lab.training.batching import (
    MicroBatch,
    Rows,
    as_tokens,
    divided,
    micro_batches,
    most_parts,
    response_groups,
)
from rlhf_lab.training.config import OptimizerName
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.types import Strength


@dataclass(frozen=True, kw_only=True)
class RankedExample:
    """One ranking in tokens.

    Attributes:
        judgment_id: Where it comes from.
        prompt: Token ids of the prompt.
        candidates: Token ids of each response, end token included.
        ranks: Tier of each candidate, 1 is best, equal is tied.
        strength: How much better each tier is than the next one, if that was said.
        reference_logps: Log-probability of each candidate by the reference, in nats; empty where
            nobody needs them.
    """

    judgment_id: str
    prompt: Sequence[int]
    candidates: Sequence[Sequence[int]]
    ranks: Sequence[int]
    strength: Strength | None = None
    reference_logps: Sequence[float] = ()

    @property
    def tokens(self) -> int:
        """Tokens of the prompt, once, and of all candidates."""
        return len(self.prompt) + sum(map(len, self.candidates))


# The examples of each optimizer step of one epoch.
Steps = list[list[RankedExample]]


class RankingConfig(Protocol):
    """The settings that learning from rankings needs; see `RewardConfig`."""

    @property
    def epochs(self) -> int:
        """Passes over the new rankings."""

    @property
    def learning_rate(self) -> float:
        """Of AdamW."""

    @property
    def optimizer(self) -> OptimizerName:
        """Which AdamW."""

    @property
    def rankings_per_step(self) -> int:
        """Rankings that share one optimizer step."""

    @property
    def replay(self) -> float:
        """Old rankings mixed in, as a multiple of the new ones."""

    @property
    def centre_coef(self) -> float:
        """Weight of the squared sum of a pair's scores."""

    @property
    def tokens_per_micro_batch(self) -> int:
        """Padded tokens in one forward pass."""

    @property
    def max_grad_norm(self) -> float:
        """Gradient clipping."""

    @property
    def seed(self) -> int:
        """Of the order of the rankings."""

    def margin(self, strength: Strength | None) -> float:
        """How much higher each tier should score than the next one."""


class RankingTrainer(ABC):
    """Holds one role's optimizer and takes steps on rankings; what a score is, subclasses say."""

    def __init__(self, model: RoleModel, role: RoleName, config: RankingConfig) -> None:
        """Prepare updates of one role of `model`."""
        self.model = model
        self._role = role
        self._settings = config
        self.optimizer = RoleOptimizer(
            model,
            [role],
            kind=config.optimizer,
            learning_rate=config.learning_rate,
            max_grad_norm=config.max_grad_norm,
        )
        self.parts = Parts(
            f"{role} micro-batches",
            remedy="Open the lab with checkpointing=True, or sample shorter responses: "
            "rlhf_lab.preflight(...) tells what fits.",
        )

    @abstractmethod
    def _score(self, role: Role, batch: MicroBatch, examples: Sequence[RankedExample]) -> Tensor:
        """Score of each response of a batch, with a graph where one is wanted.

        Args:
            role: Held.
            batch: Its `responses` are numbers of candidates, counted through the examples.
            examples: All that run together.
        """

    @abstractmethod
    def _log_tie(self) -> Tensor:
        """Log of the tie parameter of the Davidson model, on any device."""

    def step(self, examples: Sequence[RankedExample]) -> float:
        """One optimizer step; returns the ranking loss alone, NaN if the step was dropped.

        Raises:
            NonFiniteError: several steps in a row had gradients that are not finite.
            OutOfMemory: not even one response at a time fits.
        """
        groups = [[examples[i] for i in group] for group in self._groups(examples)]
        # In two parts rankings are whole, but no longer learned from in one backward pass.
        most = max(2, *(most_parts(self._planned(group)) for group in groups))
        loss = self.parts.until_they_fit(lambda parts: self._gradients(groups, parts), most=most)
        self.optimizer.step()
        trim_heap()
        return loss

    def scores(self, examples: Sequence[RankedExample], *, progress: bool = False) -> list[Tensor]:
        """Score of every candidate of each example, on the CPU.

        Raises:
            NonFiniteError: some are NaN or infinite; names the judgments.
            OutOfMemory: not even one response at a time fits.
        """
        found: dict[int, Tensor] = {}
        groups = self._groups(examples)
        with self.model.role(self._role) as role, self.model.dense.base():
            for group in tqdm(groups, desc="Scoring", disable=not progress, leave=False):
                scores = self._group_scores(role, [examples[i] for i in group])
                found |= {i: s.cpu() for i, s in zip(group, scores, strict=True)}
        broken = [i for i, scores in sorted(found.items()) if not torch.isfinite(scores).all()]
        if broken:
            raise NonFiniteError(
                f"scores {found[broken[0]].tolist()} for judgment "
                f"{examples[broken[0]].judgment_id!r} ({len(broken)} of {len(examples)} rankings "
                "have such): rewards must be finite. Lower learning_rate, or check out an earlier "
                f"{self._role} version (lab.checkout)."
            )
        return [found[i] for i in range(len(examples))]

    def heldout_loss(self, examples: Sequence[RankedExample]) -> float:
        """Mean negative log-likelihood per ranking in nats, ties included, without margins.

        Raises:
            NonFiniteError: scores that are not finite.
        """
        log_tie = self._log_tie().detach().cpu()
        losses = [
            ranking_loss(scores, pairs_of_tiers(example.ranks), log_tie)
            for scores, example in zip(self.scores(examples), examples, strict=True)
        ]
        return float(torch.stack(losses).mean())

    def replayed(self, new: Sequence[RankedExample], old: Sequence[RankedExample]) -> int:
        """How many old rankings join each epoch."""
        return min(len(old), round(self._settings.replay * len(new)))

    def epochs(
        self, new: Sequence[RankedExample], old: Sequence[RankedExample] = ()
    ) -> Iterator[Steps]:
        """The steps of each epoch: every new ranking, and a fresh sample of the old ones."""
        order = random.Random(self._settings.seed)
        size = self._settings.rankings_per_step
        for _ in range(self._settings.epochs):
            examples = [*new, *order.sample(list(old), self.replayed(new, old))]
            order.shuffle(examples)
            yield [examples[start : start + size] for start in range(0, len(examples), size)]

    def state(self) -> dict[str, Mapping[str, Tensor]]:
        """Everything a checkpoint of the role needs."""
        return {self._role: self.model.state(self._role), "optimizer": self.optimizer.state()}

    def load_state(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue from a checkpoint."""
        self.model.load_state(self._role, tensors[self._role])
        self.optimizer.load_state(tensors.get("optimizer", {}))

    def _gradients(self, groups: Sequence[Sequence[RankedExample]], parts: int) -> float:
        """Leave the gradients of one step; returns the ranking loss alone."""
        self.optimizer.forget_gradients()  # of an attempt that ran out of memory
        backward = self._backward if parts == 1 else self._backward_by_part
        share = 1 / sum(map(len, groups))
        with self.model.role(self._role, train=True) as role:
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
        scores = self._scores_in_order(role, batches, examples)
        objective, loss = self._objective(examples, scores, share)
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
            scores = self._scores_in_order(role, batches, examples)
        objective, loss = self._objective(examples, scores.requires_grad_(), share)
        objective.backward()
        assert scores.grad is not None
        for batch in batches:
            self._score(role, batch, examples).backward(scores.grad[batch.responses])
        return loss.item()

    def _objective(
        self, examples: Sequence[RankedExample], flat: Tensor, share: float
    ) -> tuple[Tensor, Tensor]:
        """What is minimised, and the ranking loss in it, for these rankings' share of a step."""
        scores = _by_example(examples, flat)
        loss = objective = share * self._loss(examples, scores)
        if centre := self._settings.centre_coef:
            objective = loss + share * centre * _centring(examples, scores)
        return objective, loss

    def _groups(self, examples: Sequence[RankedExample]) -> list[list[int]]:
        """Examples that run together: all candidates of one are in the same group."""
        return micro_batches([e.tokens for e in examples], self._settings.tokens_per_micro_batch)

    def _loss(self, examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Tensor:
        """Sum over the examples."""
        log_tie = self._log_tie()
        losses = [
            ranking_loss(s, pairs_of_tiers(e.ranks), log_tie, self._settings.margin(e.strength))
            for s, e in zip(scores, examples, strict=True)
        ]
        return torch.stack(losses).sum()

    def _group_scores(self, role: Role, examples: Sequence[RankedExample]) -> Sequence[Tensor]:
        """Scores of each example, without a graph."""
        scores = self.parts.until_they_fit(
            lambda parts: self._scores_in_order(role, self._batches(examples, parts), examples),
            most=most_parts(self._planned(examples)),
        )
        return _by_example(examples, scores)

    def _scores_in_order(
        self, role: Role, batches: Sequence[MicroBatch], examples: Sequence[RankedExample]
    ) -> Tensor:
        """(candidates,), in the order of the examples."""
        scores = torch.cat([self._score(role, batch, examples) for batch in batches])
        order = torch.tensor([n for batch in batches for n in batch.responses])
        return scores[order.argsort().to(scores.device)]

    def _planned(self, examples: Sequence[RankedExample]) -> list[Rows]:
        """Micro-batches: every candidate runs once, and all pairs share its score."""
        prompts, candidates = in_a_row(examples)
        tokens = self._settings.tokens_per_micro_batch
        return response_groups(self.model, prompts, candidates, tokens=tokens)

    def _batches(self, examples: Sequence[RankedExample], parts: int) -> list[MicroBatch]:
        prompts, candidates = in_a_row(examples)
        return [
            as_tokens(self.model, prompts, candidates, part)
            for rows in self._planned(examples)
            for part in divided(rows, parts)
        ]


def in_a_row(
    examples: Sequence[RankedExample],
) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
    """The prompt of each candidate, and the candidates."""
    prompts = [e.prompt for e in examples for _ in e.candidates]
    return prompts, [c for e in examples for c in e.candidates]


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
