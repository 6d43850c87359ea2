"""Teaching the reward role from rankings, round after round."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.algorithms import pairs_of_tiers, ranking_loss
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.models.memory import trim_heap
from rlhf_lab.training.batching import micro_batches, response_batches
from rlhf_lab.training.config import RewardConfig
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.types import Interval


@dataclass(frozen=True, kw_only=True)
class RankedExample:
    """One ranking in tokens.

    Attributes:
        judgment_id: Where it comes from.
        prompt: Token ids of the prompt.
        candidates: Token ids of each response, end token included.
        ranks: Tier of each candidate, 1 is best, equal is tied.
    """

    judgment_id: str
    prompt: Sequence[int]
    candidates: Sequence[Sequence[int]]
    ranks: Sequence[int]

    @property
    def tokens(self) -> int:
        """Tokens of the prompt, once, and of all candidates."""
        return len(self.prompt) + sum(map(len, self.candidates))


@dataclass(frozen=True, kw_only=True)
class RewardReport:
    """What one reward update learned.

    Attributes:
        version: The version it made.
        rankings: New training rankings, and old ones replayed.
        pairs: Ordered pairs among the new training rankings.
        loss: Mean negative log-likelihood per ranking before and after, on the training rankings.
        heldout_accuracy: Share of ordered pairs on held-out prompts whose better response scores
            higher; None when no held-out prompt was ranked.
        prequential_accuracy: The same on the new rankings, scored before learning from them.
    """

    version: str
    rankings: int
    replayed: int
    pairs: int
    loss_first: float
    loss_last: float
    heldout_accuracy: Interval | None
    prequential_accuracy: Interval | None
    seconds: float

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.version}: {self.rankings} new rankings (+ {self.replayed} replayed), "
            f"loss {self.loss_first:.2f} → {self.loss_last:.2f}, accuracy on held-out prompts "
            f"{self.heldout_accuracy or 'not measured'}, before learning "
            f"{self.prequential_accuracy}, "
            f"{self.seconds:.0f} s"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            ("new rankings", f"{self.rankings} (+ {self.replayed} replayed)"),
            ("ordered pairs", f"{self.pairs}"),
            ("loss", f"{self.loss_first:.3f} → {self.loss_last:.3f}"),
            ("accuracy on held-out prompts", str(self.heldout_accuracy or "no held-out rankings")),
            ("accuracy before learning", str(self.prequential_accuracy or "–")),
            ("seconds", f"{self.seconds:.0f}"),
        ]
        body = "".join(
            f"<tr><th style='text-align:left'>{k}</th><td>{v}</td></tr>" for k, v in rows
        )
        return f"<table><caption>{self.version}</caption>{body}</table>"


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
        progress: bool = True,
    ) -> list[float]:
        """Learn from new rankings, with old ones mixed in.

        If it does not finish (Ctrl-C included) the weights are what they were before.

        Args:
            new: Rankings not learned from yet; every epoch passes over all of them.
            old: Rankings learned from before; a fresh sample of them joins each epoch.
            progress: Show a bar.

        Returns:
            Loss of each optimizer step: nats per ranking, averaged over the rankings of the step.

        Raises:
            NotEnoughData: nothing new to learn from.
            NonFiniteError: losses that are not finite, several times in a row.
        """
        if not new:
            raise NotEnoughData(
                "0 new rankings: rank some first (`lab.rank()`), then update the reward."
            )
        steps = list(self._steps(new, old))
        losses = []
        with self.optimizer.whole_or_nothing(), self.model.dense.base():
            for step in tqdm(
                steps, desc="Reward update", unit="step", disable=not progress, leave=False
            ):
                losses.append(self._step(step))
        return losses

    def scores(self, examples: Sequence[RankedExample], *, progress: bool = False) -> list[Tensor]:
        """Raw reward of every candidate of each example, on the CPU."""
        found: dict[int, Tensor] = {}
        groups = self._groups(examples)
        with self.model.role("reward") as role, self.model.dense.base():
            for group in tqdm(groups, desc="Scoring", disable=not progress, leave=False):
                scores = self._group_scores(role, [examples[i] for i in group])
                found |= {i: s.cpu() for i, s in zip(group, scores, strict=True)}
        return [found[i] for i in range(len(examples))]

    @torch.no_grad()
    def normalise_on(self, scores: Sequence[Tensor]) -> None:
        """Make these raw scores, of the reference's responses, mean 0 and variance 1."""
        flat = torch.cat(list(scores))
        head = self.model.head("reward")
        head.mean.copy_(flat.mean())
        head.scale.copy_(flat.std().clamp(min=1e-3))

    def _steps(
        self, new: Sequence[RankedExample], old: Sequence[RankedExample]
    ) -> Iterator[list[RankedExample]]:
        order = random.Random(self.config.seed)
        replayed = min(len(old), round(self.config.replay * len(new)))
        for _ in range(self.config.epochs):
            examples = [*new, *order.sample(list(old), replayed)]
            order.shuffle(examples)
            for start in range(0, len(examples), self.config.rankings_per_step):
                yield examples[start : start + self.config.rankings_per_step]

    def _step(self, examples: Sequence[RankedExample]) -> float:
        total = 0.0
        with self.model.role("reward", train=True) as role:
            for group in self._groups(examples):
                loss = self._loss(role, [examples[i] for i in group]) / len(examples)
                loss.backward()
                total += loss.item()
            self.optimizer.step()
        trim_heap()
        return total

    def _groups(self, examples: Sequence[RankedExample]) -> list[list[int]]:
        """Examples that run together: all candidates of one are in the same group."""
        return micro_batches([e.tokens for e in examples], self.config.tokens_per_micro_batch)

    def _loss(self, role: Role, examples: Sequence[RankedExample]) -> Tensor:
        """Sum over the examples."""
        log_tie = self.model.head("reward").log_tie
        scores = self._group_scores(role, examples)
        pairs = [pairs_of_tiers(example.ranks) for example in examples]
        losses = [ranking_loss(s, p, log_tie) for s, p in zip(scores, pairs, strict=True)]
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


def ordered_pairs_right(scores: Sequence[float] | Tensor, ranks: Sequence[int]) -> list[float]:
    """For each pair that is no tie: 1 if the better one scores higher, 0.5 if equal, else 0."""
    pairs = pairs_of_tiers(ranks)
    return [
        0.5 + 0.5 * (float(scores[b] > scores[w]) - float(scores[b] < scores[w]))
        for b, w, tie in zip(pairs.better, pairs.worse, pairs.is_tie, strict=True)
        if not tie
    ]
