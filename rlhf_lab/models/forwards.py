"""Other ways for a model's layers to compute, for the length of a block."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from torch import nn


class ReplacedForwards(AbstractContextManager["ReplacedForwards"]):
    """Forward functions put in the place of layers' own, and taken away again at the end.

    An attribute of the instance hides the method of the class. What a surrounding job had put
    there comes back.
    """

    def __init__(self) -> None:
        self._before: list[tuple[nn.Module, Callable[..., Any] | None]] = []

    def replace(self, layer: nn.Module, forward: Callable[..., Any]) -> None:
        """From now to the end of the block, `layer` computes by `forward`."""
        self._before.append((layer, layer.__dict__.get("forward")))
        layer.__dict__["forward"] = forward

    def __exit__(self, *_error: object) -> None:
        for layer, before in reversed(self._before):
            del layer.__dict__["forward"]
            if before is not None:
                layer.__dict__["forward"] = before
