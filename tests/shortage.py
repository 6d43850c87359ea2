"""A model that runs out of memory when a forward pass has too many tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from rlhf_lab.models import RoleModel


@contextmanager
def room_for(
    tokens: int, model: RoleModel, *, when: Callable[[], bool] = lambda: True
) -> Iterator[list[int]]:
    """Forward passes over more tokens (padding included) raise what CUDA's allocator raises.

    Args:
        tokens: That fit.
        model: Whose forward passes.
        when: Whether this one is limited.

    Yields:
        The tokens of each forward pass that ran out of memory.
    """
    refused: list[int] = []

    def check(_module, _inputs, options) -> None:
        found = options["input_ids"].numel()
        if found > tokens and when():
            refused.append(found)
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {found} tokens where {tokens} fit."
            )

    hook = model.base.model.base_model.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield refused
    finally:
        hook.remove()
