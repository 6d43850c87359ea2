"""Sampling a rollout and everything the PPO update needs to know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rlhf_lab.models import BATCH_SIZE, Generated, Role, RoleModel, TokenBatch
from rlhf_lab.models.generation import generate_in_parts
from rlhf_lab.models.memory import Parts
from rlhf_lab.models.roles import RoleName
from rlhf_lab.training.batching import Rows, as_tokens, divided
from rlhf_lab.types import Sampling


class RolloutPrompt(NamedTuple):
    """A prompt in tokens and the seeds of the responses wanted for it."""

    token_ids: Sequence[int]
    seeds: Sequence[int]


class Texts(NamedTuple):
    """Sampled responses beside their prompts."""

    prompts: list[Sequence[int]]
    generated: list[Generated]

    @property
    def responses(self) -> list[list[int]]:
        """Token ids of each."""
        return [found.token_ids for found in self.generated]


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Sampled responses with their scores.

    The micro-batches are fixed here: the update computes new log-probabilities in the very layout
    in which the old ones were computed. Kernels may round differently in another, and then the
    ratio would not start at exactly 1.

    Where memory was too small, some micro-batches are parts of one that was planned. They stay
    together in every minibatch, so that the optimizer's steps are those that were planned.

    Attributes:
        texts: Prompts and responses.
        planned: Numbers of the micro-batches that each planned one was divided into.
        groups: Numbers of the responses in each micro-batch.
        batches: Tokens of each micro-batch.
        is_response_token: (responses, longest response).
        logp: Of the policy when it sampled, like all that follow in nats and of that shape.
        entropy: Of the policy.
        ref_logp: Of the reference.
        values: Before each token, on the scale of normalised scores; None if not asked for.
        scores: (responses,) normalised rewards.
    """

    texts: Texts
    planned: list[list[int]]
    groups: list[list[int]]
    batches: list[TokenBatch]
    is_response_token: Tensor
    logp: Tensor
    entropy: Tensor
    ref_logp: Tensor
    values: Tensor | None
    scores: Tensor

    @property
    def ended(self) -> Tensor:
        """(responses,): True where a response ended by itself."""
        reasons = [g.end_reason == "stop" for g in self.texts.generated]
        return torch.tensor(reasons, device=self.scores.device)

    def part(self, source: Tensor, group: int) -> Tensor:
        """What one micro-batch has of a (responses, longest response) tensor, at its width."""
        width = int(self.batches[group].response_lengths.max())
        return source[self.groups[group], :width]


def sample_texts(
    model: RoleModel, prompts: Sequence[RolloutPrompt], sampling: Sampling, parts: Parts
) -> Texts:
    """One response of the policy for each seed of each prompt.

    Raises:
        OutOfMemory: even one at a time does not fit.
    """
    rows = [(prompt.token_ids, seed) for prompt in prompts for seed in prompt.seeds]
    generated: list[Generated] = []
    with model.role("policy") as policy, model.dense.merged("policy"):
        for start in range(0, len(rows), BATCH_SIZE):
            part = rows[start : start + BATCH_SIZE]
            generated += generate_in_parts(
                policy, [ids for ids, _ in part], [s for _, s in part], sampling, parts
            )
    return Texts([ids for ids, _ in rows], generated)


def score_texts(
    model: RoleModel,
    texts: Texts,
    planned: Sequence[Rows],
    *,
    parts: int = 1,
    temperature: float,
    values: Literal["value", "policy_value"] | None = "value",
) -> Rollout:
    """Log-probabilities, values and normalised rewards.

    Args:
        model: Its policy wrote the texts.
        texts: Prompts and responses.
        planned: The micro-batches.
        parts: Into how many each of them is divided, as far as it can be.
        temperature: Of the sampling.
        values: Which role or head estimates them, if any.
    """
    responses = texts.responses
    numbers: list[list[int]] = []
    small: list[Rows] = []
    for rows in planned:
        start = len(small)
        small += divided(rows, parts)
        numbers.append(list(range(start, len(small))))
    found = [as_tokens(model, texts.prompts, responses, rows) for rows in small]
    groups, batches = [part.responses for part in found], [part.tokens for part in found]
    shape = (len(responses), max(map(len, responses)))

    def with_values(role: Role, batch: TokenBatch) -> Sequence[Tensor]:
        found, before = role.logprobs_and_values(batch, temperature=temperature)
        return [*found, before]

    def gather(
        name: RoleName, computed: Callable[[Role, TokenBatch], Sequence[Tensor]]
    ) -> list[Tensor]:
        """Run one role over all micro-batches and put its outputs into full-size tensors."""
        with model.role(name) as role:
            parts = [computed(role, batch) for batch in batches]
        return [_assemble(column, groups, shape) for column in zip(*parts, strict=True)]

    found_values = None
    if values == "policy_value":
        logp, entropy, found_values = gather("policy", with_values)
    else:
        logp, entropy = gather("policy", lambda r, b: r.logprobs(b, temperature=temperature))
    if values == "value":
        (found_values,) = gather("value", lambda r, b: [r.values(b)])
    (ref_logp,) = gather("reference", lambda r, b: r.logprobs(b, temperature=temperature)[:1])
    (scores,) = gather("reward", lambda r, b: [r.scores(b).unsqueeze(1)])
    return Rollout(
        texts=texts,
        planned=numbers,
        groups=groups,
        batches=batches,
        is_response_token=_assemble([b.is_response_token for b in batches], groups, shape),
        logp=logp,
        entropy=entropy,
        ref_logp=ref_logp,
        values=found_values,
        scores=model.head("reward").normalised(scores[:, 0]),
    )


def _assemble(
    parts: Sequence[Tensor], groups: Sequence[list[int]], shape: tuple[int, int]
) -> Tensor:
    full = torch.zeros(shape, dtype=parts[0].dtype, device=parts[0].device)
    for rows, part in zip(groups, parts, strict=True):
        full[rows, : part.shape[1]] = part
    return full
