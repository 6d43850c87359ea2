"""Gradient checkpointing: a layer keeps its input and computes the rest again when needed.

transformers' own switch works in train mode alone and takes the cache away from generation. Here
neither matters: the layers' forward functions are replaced while a role learns, and only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rlhf_lab.errors import RoleError, UnknownModel
from rlhf_lab.models.forwards import ReplacedForwards


@contextmanager
def recomputed_layers(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Context in which each of `layers` keeps nothing but its input for the backward pass.

    The backward pass must come within the same contexts (held role, dense copies) as the forward
    pass, which it repeats layer by layer.
    """
    with ReplacedForwards() as forwards:
        for layer in layers:
            forwards.replace(layer, _recomputed(layer, layer.forward))
        yield


def repeatable_layers(model: nn.Module) -> list[nn.Module]:
    """The layers that transformers would checkpoint, too; none inside another.

    Raises:
        UnknownModel: there are none.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    found: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, GradientCheckpointingLayer) and not inside:
            found[name] = module
    if not found:
        raise UnknownModel(
            f"{type(model).__name__} has no layers that can be computed again: use "
            "checkpointing=False and lower tokens_per_micro_batch instead."
        )
    return list(found.values())


def _recomputed(layer: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*inputs: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever this layer takes
        if not torch.is_grad_enabled():
            return forward(*inputs, **options)
        learning = _learning(layer)

        def repeat(*again: Any) -> Any:  # noqa: ANN401
            # The first time, too: there it holds by itself.
            if _learning(layer) != learning:
                raise RoleError(
                    f"{len(learning)} weights of a layer were learning in the forward pass; now "
                    "others are, or they have changed since: what is computed again would not be "
                    "what the loss came from. Run backward() before anything else."
                )
            return forward(*again, **options)

        # There is no dropout whose random numbers would have to be kept.
        return checkpoint(repeat, *inputs, use_reentrant=False, preserve_rng_state=False)

    return run


def _learning(layer: nn.Module) -> list[tuple[int, int]]:
    """Which weights a gradient is wanted for, and how often each has been written to."""
    return [(id(p), p._version) for p in layer.parameters() if p.requires_grad]
