"""Dense copies of the 4-bit weights, held only for the length of a job.

The NF4 weights stay the truth. Unpacking them at every matrix product is most of the time on a
CPU, so a job may unpack them once, into the compute type, and drop the copy when it ends. The
copy holds the very numbers the 4-bit kernels unpack: nothing is merged into quantized weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from rlhf_lab.models.forwards import ReplacedForwards
from rlhf_lab.models.lora_linear import lora_linear

Forward = Callable[[Tensor], Tensor]


class DenseCopies:
    """Makes and drops dense copies of a model's linear layers."""

    def __init__(self, model: nn.Module, *, dtype: torch.dtype, enabled: bool) -> None:
        """Prepare copies of `model`; with `enabled=False` every context below does nothing."""
        self._model = model
        self._dtype = dtype
        self._enabled = enabled
        self._base_held = False

    def base(self) -> AbstractContextManager[None]:
        """Context in which base and active adapter compute as one operation on dense weights."""
        return self._base() if self._enabled and not self._base_held else nullcontext()

    def merged(self, adapter: str | None) -> AbstractContextManager[None]:
        """Context in which base and one adapter compute as single dense layers: for sampling.

        Rounding the sum to the compute type moves probabilities slightly, so log-probabilities
        used in training must not be taken here.
        """
        return self._merged(adapter) if self._enabled else nullcontext()

    @contextmanager
    def _base(self) -> Iterator[None]:
        from bitsandbytes.nn.modules import Linear4bit
        from peft.tuners.lora import LoraLayer

        adapted = [m for m in self._model.modules() if isinstance(m, LoraLayer)]
        inside = {id(layer.get_base_layer()) for layer in adapted}
        quantized = [m for m in self._model.modules() if isinstance(m, Linear4bit)]
        plain = [m for m in quantized if id(m) not in inside]
        self._base_held = True
        try:
            with ReplacedForwards() as forwards:
                for layer in adapted:
                    dense = self.unpacked(layer.get_base_layer())
                    forwards.replace(layer, _with_active_adapter(layer, dense))
                for bare in plain:
                    forwards.replace(bare, _alone(self.unpacked(bare)))
                yield
        finally:
            self._base_held = False

    @contextmanager
    def _merged(self, adapter: str | None) -> Iterator[None]:
        from peft.tuners.lora import LoraLayer

        layers = [m for m in self._model.modules() if isinstance(m, LoraLayer)]
        with ReplacedForwards() as forwards:
            for layer in layers:
                forwards.replace(layer, _alone(self._with_adapter(layer, adapter)))
            yield

    @torch.no_grad()
    def _with_adapter(self, layer: Any, adapter: str | None) -> nn.Linear:  # noqa: ANN401
        """One dense layer for a peft LoRA layer (whose parts peft leaves untyped)."""
        dense = self.unpacked(layer.get_base_layer())
        if adapter is not None:
            update = layer.lora_B[adapter].weight @ layer.lora_A[adapter].weight
            merged = dense.weight.float() + layer.scaling[adapter] * update
            dense.weight.data = merged.to(self._dtype)
        return dense

    @torch.no_grad()
    def unpacked(self, layer: Any) -> nn.Linear:  # noqa: ANN401 - 4-bit or plain linear layer
        """A linear layer's weights in the compute type; they are its own where they are plain."""
        from bitsandbytes.functional import dequantize_4bit

        weight: Tensor = layer.weight
        state = getattr(weight, "quant_state", None)
        if state is not None:
            weight = dequantize_4bit(weight.data, state)
        dense = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
        dense.weight = nn.Parameter(weight.to(self._dtype), requires_grad=False)
        dense.bias = layer.bias
        return dense


def _alone(dense: nn.Linear) -> Forward:
    return lambda x: dense(x.to(dense.weight.dtype))


def _with_active_adapter(layer: Any, dense: nn.Linear) -> Forward:  # noqa: ANN401 - as above
    """What a peft layer computes, whichever adapter is active when it is called."""

    def forward(x: Tensor) -> Tensor:
        if layer.disable_adapters:
            found: Tensor = dense(x.to(dense.weight.dtype))
            return found
        (name,) = layer.active_adapters
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        return lora_linear(x, dense.weight, dense.bias, a, b, layer.scaling[name])

    return forward
