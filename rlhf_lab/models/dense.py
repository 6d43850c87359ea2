"""Dense copies of the 4-bit weights, held only for the length of a job.

The NF4 weights stay the truth. Unpacking them at every matrix product is most of the time on a
CPU, so a job may unpack them once, into the compute type, and drop the copy when it ends. The
copy holds the very numbers the 4-bit kernels unpack: nothing is merged into quantized weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from peft.tuners.lora import LoraLayer


class DenseCopies:
    """Makes and drops dense copies of a model's linear layers."""

    def __init__(self, model: nn.Module, *, dtype: torch.dtype, enabled: bool) -> None:
        """Prepare copies of `model`; with `enabled=False` every context below does nothing."""
        self._model = model
        self._dtype = dtype
        self._enabled = enabled
        self._base_held = False

    def base(self) -> AbstractContextManager[None]:
        """Context in which the frozen base computes with dense weights; adapters act on top."""
        return self._base() if self._enabled and not self._base_held else nullcontext()

    def merged(self, adapter: str | None) -> AbstractContextManager[None]:
        """Context in which base and one adapter compute as single dense layers: for sampling.

        Rounding the sum to the compute type moves probabilities slightly, so log-probabilities
        used in training must not be taken here.
        """
        return self._merged(adapter) if self._enabled else nullcontext()

    @contextmanager
    def _base(self) -> Iterator[None]:
        import bitsandbytes as bnb

        layers = [m for m in self._model.modules() if isinstance(m, bnb.nn.Linear4bit)]
        self._base_held = True
        try:
            for layer in layers:
                _replace_forward(layer, _linear(self._unpacked(layer), layer.bias))
            yield
        finally:
            for layer in layers:
                _restore_forward(layer)
            self._base_held = False

    @contextmanager
    def _merged(self, adapter: str | None) -> Iterator[None]:
        from peft.tuners.lora import LoraLayer

        layers = [m for m in self._model.modules() if isinstance(m, LoraLayer)]
        try:
            for layer in layers:
                weight = self._with_adapter(layer, adapter)
                _replace_forward(layer, _linear(weight, layer.get_base_layer().bias))
            yield
        finally:
            for layer in layers:
                _restore_forward(layer)

    @torch.no_grad()
    def _with_adapter(self, layer: LoraLayer, adapter: str | None) -> Tensor:
        weight = self._unpacked(layer.get_base_layer())
        if adapter is None:
            return weight
        down, up = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
        return (weight.float() + layer.scaling[adapter] * (up @ down)).to(self._dtype)

    @torch.no_grad()
    def _unpacked(self, layer: nn.Module) -> Tensor:
        from bitsandbytes.functional import dequantize_4bit

        state = getattr(layer.weight, "quant_state", None)
        if state is None:
            return layer.weight.to(self._dtype)
        return dequantize_4bit(layer.weight.data, state).to(self._dtype)


def _linear(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        return F.linear(x.to(weight.dtype), weight, bias)

    return forward


def _replace_forward(layer: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
    # An attribute of the instance hides the method of the class; deleting it brings that back.
    layer.__dict__["forward"] = forward


def _restore_forward(layer: nn.Module) -> None:
    layer.__dict__.pop("forward", None)
