"""Direct preference optimisation: the policy learns from rankings, without a reward model.

The policy's own log-probabilities, against the reference's, are the scores; the loss is the one
that teaches the reward role, ties and strengths included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.algorithms import implicit_rewards
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.training.batching import MicroBatch, most_parts
from rlhf_lab.training.config import DPOConfig
from rlhf_lab.training.ranking_trainer import RankedExample, RankingTrainer


class DPOTrainer(RankingTrainer):
    """Holds the policy's optimizer; `step` learns from some rankings.

    Source: Rafailov et al. (2023), "Direct Preference Optimization"; for ties Chen et al. (2024),
    "On Extending Direct Preference Optimization to Accommodate Ties" (the Davidson variant).
    """

    def __init__(self, model: RoleModel, config: DPOConfig | None = None) -> None:
        """Prepare updates of `model`'s policy against its reference."""
        self.config = config or DPOConfig()
        super().__init__(model, "policy", self.config)

    def with_reference(
        self, examples: Sequence[RankedExample], *, progress: bool = False
    ) -> list[RankedExample]:
        """The same with the reference's log-probabilities, which learning needs.

        They come from the same layout of batches as the policy's: quantized kernels may round
        another layout differently.
        """
        found: dict[int, list[float]] = {}
        groups = self._groups(examples)
        with self.model.role("reference") as role, self.model.dense.base():
            for group in tqdm(groups, desc="Reference", disable=not progress, leave=False):
                together = [examples[i] for i in group]
                logps = self._reference_logps(role, together)
                ends = [len(e.candidates) for e in together]
                for i, part in zip(group, torch.split(logps, ends), strict=True):
                    found[i] = part.tolist()
        return [replace(e, reference_logps=found[i]) for i, e in enumerate(examples)]

    def _reference_logps(self, role: Role, examples: Sequence[RankedExample]) -> Tensor:
        return self.parts.until_they_fit(
            lambda parts: self._logps(role, examples, parts),
            most=most_parts(self._planned(examples)),
        )

    def _logps(self, role: Role, examples: Sequence[RankedExample], parts: int) -> Tensor:
        """Of whole responses, (candidates,), in the order of the examples."""
        batches = self._batches(examples, parts)
        found = torch.cat([role.logprobs(batch.tokens).logp.sum(dim=1) for batch in batches])
        order = torch.tensor([n for batch in batches for n in batch.responses])
        return found[order.argsort().to(found.device)]

    def _score(self, role: Role, batch: MicroBatch, examples: Sequence[RankedExample]) -> Tensor:
        """The implicit reward."""
        reference = [logp for e in examples for logp in e.reference_logps]
        logp = role.logprobs(batch.tokens).logp
        return implicit_rewards(
            logp,
            torch.tensor([reference[n] for n in batch.responses], device=logp.device),
            batch.tokens.is_response_token,
            self.config.beta,
        )

    def _log_tie(self) -> Tensor:
        return torch.tensor(math.log(self.config.tie), device=self.model.base.device)
