"""Attention for short sequences on a CPU.

The fused kernel's backward pass is made for long sequences: on rows of 170 tokens it is a fifth of
a training step, several times what plain matrix products take. Beyond `SHORT` tokens the scores'
memory grows too large, and the fused kernel is the faster one again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "short_or_sdpa"
SHORT = 256


def use_short_attention(model: PreTrainedModel) -> None:
    """Let a model on a CPU attend plainly over short sequences, where its layers allow it."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    plain = model.config._attn_implementation == "sdpa" and model._supports_attention_backend
    if not plain or model.device.type != "cpu":
        return
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    **options: Any,  # noqa: ANN401 - what transformers passes to any attention
) -> tuple[Tensor, None]:
    """Attention in transformers' own form: (batch, heads, tokens, dim) to (batch, tokens, ...)."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    tokens = query.shape[2]
    short = tokens == key.shape[2] <= SHORT and not options.get("position_bias")
    if not short or (attention_mask is not None and attention_mask.dtype != torch.bool):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    if attention_mask is None:
        attention_mask = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return short_attention(query, key, value, attention_mask, scaling).transpose(1, 2), None


def short_attention(
    query: Tensor, key: Tensor, value: Tensor, may_see: Tensor, scaling: float | None = None
) -> Tensor:
    """softmax(query key' x scaling) value, holding all scores at once.

    Args:
        query: (batch, heads, tokens, dim).
        key: (batch, key heads, tokens, dim); several neighbouring heads may share a key head.
        value: As `key`.
        may_see: Broadcastable to (batch, heads, tokens, tokens); True where a token may look.
        scaling: Default: 1 / sqrt(dim).

    Returns:
        (batch, heads, tokens, dim).
    """
    batch, heads, tokens, dim = query.shape
    shared = key.shape[1]
    scaling = dim**-0.5 if scaling is None else scaling
    grouped = (query * scaling).reshape(batch, shared, -1, dim)
    scores = (grouped @ key.transpose(2, 3)).view(batch, heads, tokens, tokens)
    # Half precision in and out; the sums inside the softmax are fp32.
    weights = scores.masked_fill(~may_see, torch.finfo(scores.dtype).min).softmax(dim=-1)
    found = weights.view(batch, shared, -1, tokens) @ value
    return found.view(batch, heads, tokens, -1)
