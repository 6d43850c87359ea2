"""AdamW over some roles' parameters, with a state that can be stored, restored and skipped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter

from rlhf_lab.errors import ConfigError, NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.models.roles import LearnerName
from rlhf_lab.training.config import OptimizerName

if TYPE_CHECKING:
    from bitsandbytes.optim.adamw import PagedAdamW8bit

MAX_SKIPPED_IN_A_ROW = 3


class RoleOptimizer:
    """One AdamW for the adapters and heads of `roles`, and nothing else of the model."""

    def __init__(
        self,
        model: RoleModel,
        roles: Sequence[LearnerName],
        *,
        learning_rate: float,
        max_grad_norm: float,
        kind: OptimizerName = "adamw",
    ) -> None:
        """Prepare steps on the parameters of `roles`.

        Raises:
            ConfigError: this kind does not work on the model's device.
        """
        self._model = model
        self._roles = tuple(roles)
        self._max_grad_norm = max_grad_norm
        self._parameters = {
            f"{role}.{name}": parameter
            for role in roles
            for name, parameter in model.parameters(role).items()
        }
        make = _torch_adamw if kind == "adamw" else _paged_adamw_8bit
        self._adam = make(list(self._parameters.values()), learning_rate, model.base.device)
        self.steps = 0
        self.skipped = 0
        self._skipped_in_a_row = 0

    def step(self) -> dict[LearnerName, float] | None:
        """Clip each role's gradient, step, and forget the gradients.

        A gradient that is not finite never reaches the weights: the step is dropped.

        Returns:
            Gradient norm of each role before clipping; None when the step was dropped.

        Raises:
            NonFiniteError: several steps in a row had to be dropped.
        """
        norms = {role: self._clip(role) for role in self._roles}
        if not all(map(math.isfinite, norms.values())):
            self.skip(f"gradient norms {norms}")
            return None
        self._adam.step()
        self.forget_gradients()
        self.steps += 1
        self._skipped_in_a_row = 0
        return norms

    def forget_gradients(self) -> None:
        """Drop accumulated gradients without a step."""
        self._adam.zero_grad(set_to_none=True)

    def skip(self, found: str) -> None:
        """Drop accumulated gradients because of something found that is not finite.

        Raises:
            NonFiniteError: it was not the first time in a row.
        """
        self.forget_gradients()
        self.skipped += 1
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
            raise NonFiniteError(
                f"{found} in {self._skipped_in_a_row} steps in a row: the weights were left as "
                "they were before this update. Lower learning_rate, or look for broken responses."
            )

    def _clip(self, role: LearnerName) -> float:
        own = [
            p
            for k, p in self._parameters.items()
            if k.startswith(f"{role}.") and p.grad is not None
        ]
        return float(torch.nn.utils.clip_grad_norm_(own, self._max_grad_norm)) if own else 0.0

    def state(self) -> dict[str, Tensor]:
        """A copy of AdamW's moments by parameter, on the CPU; empty before the first step."""
        return {
            f"{name}/{key}": torch.as_tensor(value).detach().to("cpu", copy=True)
            for name, parameter in self._parameters.items()
            for key, value in self._adam.state.get(parameter, {}).items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from stored moments; an empty state, or another optimizer's, starts afresh."""
        stored: dict[str, dict[str, Tensor]] = {}
        for place, value in state.items():
            name, _, key = place.rpartition("/")
            stored.setdefault(name, {})[key] = value
        for index, (name, parameter) in enumerate(self._parameters.items()):
            if not self._filled(index, parameter, stored.get(name, {})):
                self._adam.state.pop(parameter, None)

    def _filled(self, index: int, parameter: Parameter, stored: Mapping[str, Tensor]) -> bool:
        """Write a parameter's moments into the places this optimizer keeps them in, if they fit."""
        if not stored:
            return False
        places = self._adam.state.get(parameter) or self._fresh(index, parameter)
        if places.keys() != stored.keys():
            return False
        for key, place in places.items():
            if isinstance(place, Tensor):
                place.copy_(stored[key])  # in place: what is paged stays paged
            else:
                places[key] = stored[key].item()
        self._adam.state[parameter] = places
        return True

    def _fresh(self, index: int, parameter: Parameter) -> dict[str, Any]:
        """The places for a parameter's moments before its first step."""
        if isinstance(self._adam, torch.optim.AdamW):
            moments = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
            return {"step": torch.zeros(()), **moments}
        self._adam.init_state(self._adam.param_groups[0], parameter, 0, index)
        found: dict[str, Any] = self._adam.state[parameter]
        return found

    @contextmanager
    def whole_or_nothing(self) -> Iterator[None]:
        """Put weights, moments and counts back if the block does not finish, Ctrl-C included."""
        weights = {role: self._model.state(role) for role in self._roles}
        moments = self.state()
        counts = self.steps, self.skipped, self._skipped_in_a_row
        try:
            yield
        except BaseException:
            self.forget_gradients()
            for role, state in weights.items():
                self._model.load_state(role, state)
            self.load_state(moments)
            self.steps, self.skipped, self._skipped_in_a_row = counts
            raise


def _torch_adamw(
    parameters: list[Parameter], learning_rate: float, _device: torch.device
) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0, eps=1e-8)


def _paged_adamw_8bit(
    parameters: list[Parameter], learning_rate: float, device: torch.device
) -> PagedAdamW8bit:
    """Refused where bitsandbytes would quietly keep its moments unpaged.

    Source: Dettmers et al. (2022), "8-bit Optimizers via Block-wise Quantization"; Dettmers et al.
    (2023), "QLoRA", section 3, for the paging.
    """
    if device.type != "cuda":
        raise ConfigError(
            f"optimizer='paged_adamw_8bit' on {device.type!r}: it pages moments out of a CUDA "
            "device's memory, so it needs one. Use optimizer='adamw'."
        )
    return _bitsandbytes_adamw(parameters, learning_rate)


def _bitsandbytes_adamw(parameters: list[Parameter], learning_rate: float) -> PagedAdamW8bit:
    from bitsandbytes.optim.adamw import PagedAdamW8bit

    return PagedAdamW8bit(parameters, lr=learning_rate, weight_decay=0.0, eps=1e-8)
