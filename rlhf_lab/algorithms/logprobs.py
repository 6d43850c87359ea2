"""Log-probabilities of chosen tokens without ever holding tokens x vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlhf_lab.errors import ShapeError

# Tokens, and entries of the vocabulary, whose logits exist at once.
CHUNK, BLOCK = 512, 4096


class TokenLogprobs(NamedTuple):
    """Log-probability and entropy per token, both (tokens,) in nats and fp32.

    Gradients flow through `logp` alone; `entropy` is for reading.
    """

    logp: Tensor
    entropy: Tensor


class _SelectedLogprobs(torch.autograd.Function):
    """log softmax(hidden @ weight.T / T)[target], keeping only (tokens, dim) for the backward pass.

    d logp / d hidden = (weight[target] - softmax @ weight) / T, which the forward pass can form
    block by block. The output head is frozen, so nothing else needs a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own context type is private
        hidden: Tensor,
        weight: Tensor,
        target: Tensor,
        temperature: float,
        chunk: int,
        block: int,
    ) -> tuple[Tensor, Tensor]:
        hidden, weight = hidden.detach(), weight.detach()
        logp = hidden.new_empty(hidden.shape[0], dtype=torch.float32)
        entropy = torch.empty_like(logp)
        wants_gradient = ctx.needs_input_grad[0]
        slope = torch.empty_like(hidden, dtype=torch.float32) if wants_gradient else None
        for start in range(0, hidden.shape[0], chunk):
            rows = slice(start, start + chunk)
            found = _Softmax(hidden[rows], target[rows], temperature, wants_gradient)
            for first in range(0, weight.shape[0], block):
                found.add(weight[first : first + block], first)
            logp[rows], entropy[rows] = found.logp(weight), found.entropy()
            if slope is not None:
                slope[rows] = found.slope(weight)
        if slope is not None:
            ctx.save_for_backward(slope)
        ctx.input_dtype = hidden.dtype
        ctx.mark_non_differentiable(entropy)
        return logp, entropy

    @staticmethod
    def backward(ctx: Any, grad_logp: Tensor, _grad_entropy: Tensor) -> Any:  # noqa: ANN401
        (slope,) = ctx.saved_tensors
        grad = (grad_logp.unsqueeze(1) * slope).to(ctx.input_dtype)
        return grad, None, None, None, None, None


class _Softmax:
    """Sums over the vocabulary so far, relative to the largest logit so far.

    Milakov and Gimelshein (2018), "Online normalizer calculation for softmax", extended by the
    sums that entropy and gradient need.
    """

    def __init__(
        self, hidden: Tensor, target: Tensor, temperature: float, wants_gradient: bool
    ) -> None:
        tokens = hidden.shape[0]
        self._hidden = hidden
        self._target = target
        self._temperature = temperature
        self._rows = torch.arange(tokens, device=hidden.device)
        # Any finite start will do; the first block raises it.
        self._top = torch.full((tokens,), -1e30, device=hidden.device)
        # Sums of exp(logit - top), and of the same times (logit - top).
        self._total = torch.zeros(tokens, device=hidden.device)
        self._weighted = torch.zeros(tokens, device=hidden.device)
        self._others = torch.zeros_like(hidden, dtype=torch.float32) if wants_gradient else None

    def add(self, block: Tensor, first: int) -> None:
        """Take in the logits of the vocabulary's entries from `first` on."""
        logits = _products(self._hidden, block).div_(self._temperature)
        top = torch.maximum(self._top, logits.amax(dim=1))
        drop = self._top - top
        shrink = drop.exp()
        logits.sub_(top.unsqueeze(1))
        exps = logits.exp()
        # While nothing has been added, total is 0 and drop may be huge.
        moved = torch.where(self._total > 0, drop * self._total, 0)
        self._weighted = shrink * (self._weighted + moved) + logits.mul_(exps).sum(dim=1)
        del logits
        self._total = shrink * self._total + exps.sum(dim=1)
        self._top = top
        if self._others is not None:
            # The target's own part would cancel against weight[target] where it is nearly certain.
            inside = (self._target >= first) & (self._target < first + block.shape[0])
            exps[self._rows[inside], self._target[inside] - first] = 0
            self._others.mul_(shrink.unsqueeze(1)).add_(exps.to(block.dtype) @ block)

    def logp(self, weight: Tensor) -> Tensor:
        own = (self._hidden.float() * weight[self._target].float()).sum(dim=1) / self._temperature
        return own - self._top - self._total.log()

    def entropy(self) -> Tensor:
        return self._total.log() - self._weighted / self._total

    def slope(self, weight: Tensor) -> Tensor:
        assert self._others is not None
        missing = -torch.expm1(self.logp(weight))
        pull = missing.unsqueeze(1) * weight[self._target].float()
        return (pull - self._others / self._total.unsqueeze(1)) / self._temperature


def _products(hidden: Tensor, block: Tensor) -> Tensor:
    """(tokens, entries) logits in fp32, also where both factors come in half precision.

    Products of two half-precision numbers fit into fp32, so half-precision units that add up in
    fp32 lose nothing; only a result rounded to half precision would.
    """
    is_half = block.dtype in (torch.bfloat16, torch.float16)
    if is_half and hidden.dtype == block.dtype:
        if hidden.is_cuda:
            return torch.mm(hidden, block.T, out_dtype=torch.float32)
        if block.dtype == torch.bfloat16:
            with _bf16_factors():
                return hidden.float() @ block.float().T
    return hidden.float() @ block.float().T


@contextmanager
def _bf16_factors() -> Iterator[None]:
    """Let a CPU's fp32 matrix products read their factors as bf16: for factors that are bf16."""
    matmul = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # untyped in torch
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def token_logprobs(
    hidden: Float[Tensor, "tokens dim"],
    weight: Float[Tensor, "vocabulary dim"],
    target: Int[Tensor, " targets"],
    *,
    temperature: float = 1.0,
    chunk: int = CHUNK,
    block: int = BLOCK,
) -> TokenLogprobs:
    """Log-probability of `target` under a frozen output head, in fp32 whatever comes in.

    The gradient is as exact as the type of `hidden`, in which it is returned.

    Args:
        hidden: Final hidden states at the positions that predict the targets.
        weight: The output head; it receives no gradient.
        target: Chosen token ids, one per hidden state.
        temperature: Divides the logits, as in the rollout.
        chunk: Tokens whose logits exist at once.
        block: Entries of the vocabulary whose logits exist at once. Memory is 2 * chunk * block *
            4 bytes, and for a head in half precision as much again at most.

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
            hidden, weight, target, temperature, chunk, block
        )
    return TokenLogprobs(logp, entropy)
