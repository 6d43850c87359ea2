"""Supervised fine-tuning: the policy learns to say what people wrote."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import Parts, trim_heap
from rlhf_lab.training.batching import (
    MicroBatch,
    Rows,
    as_tokens,
    divided,
    most_parts,
    response_groups,
)
from rlhf_lab.training.config import SFTConfig
from rlhf_lab.training.optimizer import RoleOptimizer


@dataclass(frozen=True, kw_only=True)
class DemonstratedExample:
    """One demonstration in tokens.

    Attributes:
        demonstration_id: Where it comes from.
        prompt: Token ids of the prompt.
        answer: Token ids of what a person wrote, end token included.
    """

    demonstration_id: str
    prompt: Sequence[int]
    answer: Sequence[int]


class SFTTrainer:
    """Holds the policy's optimizer; `step` learns from some demonstrations.

    The loss is the mean of -log p over the tokens of the answers, in nats, end tokens included;
    prompts have no part in it.

    Source: Ouyang et al. (2022), "Training language models to follow instructions with human
    feedback", section 3.5.
    """

    def __init__(self, model: RoleModel, config: SFTConfig | None = None) -> None:
        """Prepare updates of `model`'s policy."""
        self.model = model
        self.config = config or SFTConfig()
        self.optimizer = RoleOptimizer(
            model,
            ["policy"],
            kind=self.config.optimizer,
            learning_rate=self.config.learning_rate,
            max_grad_norm=self.config.max_grad_norm,
        )
        self.parts = Parts(
            "SFT micro-batches",
            remedy="Open the lab with checkpointing=True, or shorten the demonstrations: "
            "rlhf_lab.preflight(...) tells what fits.",
        )

    def steps(
        self, examples: Sequence[DemonstratedExample]
    ) -> Iterator[Sequence[DemonstratedExample]]:
        """The demonstrations of each optimizer step, shuffled anew in every epoch."""
        order = random.Random(self.config.seed)
        size = self.config.demonstrations_per_step
        for _ in range(self.config.epochs):
            shuffled = order.sample(list(examples), len(examples))
            yield from (shuffled[start : start + size] for start in range(0, len(examples), size))

    def step(self, examples: Sequence[DemonstratedExample]) -> float:
        """One optimizer step; returns the loss before it, nats per token.

        Raises:
            NonFiniteError: several steps in a row had gradients that are not finite.
            OutOfMemory: not even one demonstration at a time fits.
        """
        groups = self._planned(examples)
        loss = self.parts.until_they_fit(
            lambda parts: self._gradients(examples, groups, parts), most=most_parts(groups)
        )
        self.optimizer.step()
        trim_heap()
        return loss

    def loss(self, examples: Sequence[DemonstratedExample], *, progress: bool = False) -> float:
        """Mean of -log p over all tokens of these answers, in nats; nothing is learned.

        Raises:
            OutOfMemory: not even one demonstration at a time fits.
        """
        groups = self._planned(examples)
        sums: list[float] = []
        with self.model.role("policy") as role, self.model.dense.base():
            for rows in tqdm(groups, desc="Held-out", disable=not progress, leave=False):
                for batch in self._batches(examples, [rows], 1):
                    sums.append(-role.logprobs(batch.tokens).logp.sum().item())
        return sum(sums) / _tokens(examples)

    def state(self) -> dict[str, Mapping[str, Tensor]]:
        """Everything that going on needs."""
        return {"policy": self.model.state("policy"), "optimizer": self.optimizer.state()}

    def load_state(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from a state."""
        self.model.load_state("policy", tensors["policy"])
        self.optimizer.load_state(tensors.get("optimizer", {}))

    def _gradients(
        self, examples: Sequence[DemonstratedExample], groups: Sequence[Rows], parts: int
    ) -> float:
        """Leave the gradients of one step; every token weighs the same."""
        self.optimizer.forget_gradients()  # of an attempt that ran out of memory
        share = 1 / _tokens(examples)
        found = 0.0
        with self.model.role("policy", train=True) as role:
            for batch in self._batches(examples, groups, parts):
                loss = -share * role.logprobs(batch.tokens).logp.sum()
                loss.backward()
                found += loss.item()
        return found

    def _planned(self, examples: Sequence[DemonstratedExample]) -> list[Rows]:
        prompts, answers = [e.prompt for e in examples], [e.answer for e in examples]
        tokens = self.config.tokens_per_micro_batch
        return response_groups(self.model, prompts, answers, tokens=tokens)

    def _batches(
        self, examples: Sequence[DemonstratedExample], groups: Sequence[Rows], parts: int
    ) -> Iterator[MicroBatch]:
        prompts, answers = [e.prompt for e in examples], [e.answer for e in examples]
        for rows in groups:
            for part in divided(rows, parts):
                yield as_tokens(self.model, prompts, answers, part)


def _tokens(examples: Sequence[DemonstratedExample]) -> int:
    return sum(len(e.answer) for e in examples)
