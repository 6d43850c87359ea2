"""A dense layer and its LoRA adapter as one operation.

Computed apart, the two copy their input into several types, and the adapter costs as much time as
two thirds of the layer although it is a fiftieth of the arithmetic. As one operation they keep
nothing for the backward pass but the input, which neighbouring layers share.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _LoraLinear(torch.autograd.Function):
    """x W' + bias + x A' B', for a frozen W; gradients for x, A and B."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own context type is private
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scaling: float,
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        down, up = a.to(weight.dtype), (scaling * b).to(weight.dtype)
        inner = rows @ down.T
        out = torch.nn.functional.linear(rows, weight, bias).addmm_(inner, up.T)
        ctx.save_for_backward(rows, inner, weight, down, up)
        ctx.scaling = scaling
        ctx.adapter_dtype = a.dtype
        return out.reshape(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> Any:  # noqa: ANN401
        rows, inner, weight, down, up = ctx.saved_tensors
        grad = grad_out.reshape(-1, grad_out.shape[-1])
        grad_inner = grad @ up
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(grad_inner, down)
            grad_x = grad_x.reshape(*grad_out.shape[:-1], -1)
        grad_a = (grad_inner.T @ rows).to(ctx.adapter_dtype)
        grad_b = (grad.T @ inner).to(ctx.adapter_dtype).mul_(ctx.scaling)
        return grad_x, None, None, grad_a, grad_b, None


def lora_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float
) -> Tensor:
    """(..., out): x weight' + bias + scaling x a' b', computed in the type of `weight`.

    Args:
        x: (..., in).
        weight: (out, in), frozen.
        bias: (out,) or None, frozen.
        a: (rank, in); its gradient comes in its own type.
        b: (out, rank); likewise.
        scaling: Of the adapter.

    Source: Hu et al. (2021), "LoRA", equation 3.
    """
    found: Tensor = _LoraLinear.apply(  # type: ignore[no-untyped-call]
        x.to(weight.dtype), weight, bias, a, b, scaling
    )
    return found
