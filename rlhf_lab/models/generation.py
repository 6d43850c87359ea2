"""Sampling responses, repeatable token by token.

Every response has a random stream of its own, derived from its seed alone: it does not depend
on which other prompts happened to share the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from rlhf_lab.models.batches import rounded_width
from rlhf_lab.models.memory import Parts
from rlhf_lab.types import EndReason, Sampling

if TYPE_CHECKING:
    from rlhf_lab.models.roles import Role


# Responses sampled at a time; memory and the time to the first stored one grow with it.
BATCH_SIZE = 32


class Generated(NamedTuple):
    """Token ids of one response, end token included, and why it ended."""

    token_ids: list[int]
    end_reason: EndReason


class _OwnStreams(LogitsProcessor):
    """Draws each row's next token by inverse transform from that row's own uniform numbers."""

    def __init__(self, seeds: Sequence[int], prompt_tokens: int, steps: int) -> None:
        uniform = [np.random.Generator(np.random.Philox(seed)).random(steps) for seed in seeds]
        self._uniform = torch.tensor(np.stack(uniform))
        self._prompt_tokens = prompt_tokens

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = input_ids.shape[1] - self._prompt_tokens
        # Sums over 10^5 probabilities lose the tail in fp32; the column is small enough for fp64.
        mass = scores.double().softmax(dim=-1).cumsum(dim=-1)
        point = self._uniform[:, step, None].to(mass.device) * mass[:, -1:]
        token = torch.searchsorted(mass, point, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)


def _processors(sampling: Sampling, streams: LogitsProcessor) -> LogitsProcessorList:
    steps: list[LogitsProcessor] = [TemperatureLogitsWarper(sampling.temperature)]
    if sampling.top_k:
        steps.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        steps.append(TopPLogitsWarper(sampling.top_p))
    return LogitsProcessorList([*steps, streams])


@torch.no_grad()
def generate(
    role: Role, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling
) -> list[Generated]:
    """Sample one response per prompt in one batch.

    Args:
        role: The held policy (or reference).
        prompts: Token ids, generation prompt included.
        seeds: One per prompt; the same seed gives the same response.
        sampling: Temperature, length and filters; its own seed is not used here.

    Returns:
        Responses cut after their first end token.
    """
    role.check_held()
    model, chat = role.model.base.model, role.model.chat
    width = rounded_width(max(map(len, prompts)))
    pad = chat.tokenizer.pad_token_id
    padded = [[pad] * (width - len(p)) + list(p) for p in prompts]
    is_token = [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
    streams = _OwnStreams(seeds, width, sampling.max_new_tokens)
    with role.autocast():
        # GenerationMixin types itself by a protocol that its own subclasses do not meet.
        output = cast("Any", model).generate(
            input_ids=torch.tensor(padded, device=model.device),
            attention_mask=torch.tensor(is_token, device=model.device),
            logits_processor=_processors(sampling, streams),
            do_sample=False,  # the processor has already drawn the token
            max_new_tokens=sampling.max_new_tokens,
            eos_token_id=sorted(chat.stop_ids),
            pad_token_id=pad,
            use_cache=True,
        )
    return [_until_stop(row, chat.stop_ids) for row in output[:, width:].tolist()]


def generate_in_parts(
    role: Role,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    parts: Parts,
) -> list[Generated]:
    """The same responses as `generate` (up to rounding), in smaller batches if memory runs out.

    Raises:
        OutOfMemory: even one at a time does not fit.
    """

    def sample(count: int) -> list[Generated]:
        size = -(-len(prompts) // count)
        found: list[Generated] = []
        for start in range(0, len(prompts), size):
            some = slice(start, start + size)
            found += generate(role, prompts[some], seeds[some], sampling)
        return found

    return parts.until_they_fit(sample, most=len(prompts))


def sampling_parts(sampling: Sampling) -> Parts:
    """Whole batches at first."""
    return Parts(
        "sampling batches",
        remedy=f"Lower max_new_tokens={sampling.max_new_tokens}, use shorter prompts, or ask "
        "rlhf_lab.preflight(...) what fits.",
    )


def _until_stop(ids: list[int], stop_ids: frozenset[int]) -> Generated:
    for place, token in enumerate(ids):
        if token in stop_ids:
            return Generated(ids[: place + 1], "stop")
    return Generated(ids, "length")
