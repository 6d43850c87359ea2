"""Log-probabilities of chosen tokens without ever holding tokens x vocabulary."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlhf_lab.errors import ShapeError


class TokenLogprobs(NamedTuple):
    """Log-probability and entropy per token, both (tokens,) in nats and fp32.

    Gradients flow through `logp` alone; `entropy` is for reading.
    """

    logp: Tensor
    entropy: Tensor


class _SelectedLogprobs(torch.autograd.Function):
    """log softmax(hidden @ weight.T / T)[target], keeping only (tokens, dim) for the backward pass.

    d logp / d hidden = (weight[target] - softmax @ weight) / T, which the forward pass can form
    chunk by chunk. The output head is frozen, so nothing else needs a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own context type is private
        hidden: Tensor,
        weight: Tensor,
        target: Tensor,
        temperature: float,
        chunk: int,
    ) -> tuple[Tensor, Tensor]:
        weight = weight.detach().float()
        logp = hidden.new_empty(hidden.shape[0], dtype=torch.float32)
        entropy = torch.empty_like(logp)
        wants_gradient = ctx.needs_input_grad[0]
        slope = torch.empty_like(hidden, dtype=torch.float32) if wants_gradient else None
        for start in range(0, hidden.shape[0], chunk):
            rows = slice(start, start + chunk)
            logits = hidden[rows].detach().float() @ weight.T
            log_probs = logits.div_(temperature).log_softmax(dim=-1)
            del logits
            logp[rows] = log_probs.gather(1, target[rows, None]).squeeze(1)
            probs = log_probs.exp()
            if slope is not None:
                slope[rows] = (weight[target[rows]] - probs @ weight) / temperature
            entropy[rows] = -probs.mul_(log_probs).sum(dim=-1)
            # Here, not by the next chunk's names: else four such tensors would exist at once.
            del log_probs, probs
        if slope is not None:
            ctx.save_for_backward(slope)
        ctx.input_dtype = hidden.dtype
        ctx.mark_non_differentiable(entropy)
        return logp, entropy

    @staticmethod
    def backward(ctx: Any, grad_logp: Tensor, _grad_entropy: Tensor) -> Any:  # noqa: ANN401
        (slope,) = ctx.saved_tensors
        return (grad_logp.unsqueeze(1) * slope).to(ctx.input_dtype), None, None, None, None


def token_logprobs(
    hidden: Float[Tensor, "tokens dim"],
    weight: Float[Tensor, "vocabulary dim"],
    target: Int[Tensor, " targets"],
    *,
    temperature: float = 1.0,
    chunk: int = 128,
) -> TokenLogprobs:
    """Log-probability of `target` under a frozen output head, in fp32 whatever comes in.

    Args:
        hidden: Final hidden states at the positions that predict the targets.
        weight: The output head; it receives no gradient.
        target: Chosen token ids, one per hidden state.
        temperature: Divides the logits, as in the rollout.
        chunk: Tokens whose logits exist at once; memory is 2 * chunk * vocabulary * 4 bytes, and
            for a head in lower precision its fp32 copy.

    Raises:
        ShapeError: hidden and target differ in length.
    """
    if hidden.shape[0] != target.shape[0]:
        raise ShapeError(
            f"{hidden.shape[0]} hidden states for {target.shape[0]} targets: "
            "pass the one state that predicts each token."
        )
    with torch.autocast(hidden.device.type, enabled=False):
        logp, entropy = _SelectedLogprobs.apply(  # type: ignore[no-untyped-call]
            hidden, weight, target, temperature, chunk
        )
    return TokenLogprobs(logp, entropy)
