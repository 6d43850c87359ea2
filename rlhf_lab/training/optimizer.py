"""AdamW over some roles' parameters, with a state that can be stored, restored and skipped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from rlhf_lab.errors import NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.models.roles import RoleName

MAX_SKIPPED_IN_A_ROW = 3


class RoleOptimizer:
    """One AdamW for the adapters and heads of `roles`, and nothing else of the model."""

    def __init__(
        self,
        model: RoleModel,
        roles: Sequence[RoleName],
        *,
        learning_rate: float,
        max_grad_norm: float,
    ) -> None:
        self._model = model
        self._roles = tuple(roles)
        self._max_grad_norm = max_grad_norm
        self._parameters = {
            f"{role}.{name}": parameter
            for role in roles
            for name, parameter in model.parameters(role).items()
        }
        self._adam = torch.optim.AdamW(
            list(self._parameters.values()), lr=learning_rate, weight_decay=0.0, eps=1e-8
        )
        self.steps = 0
        self.skipped = 0
        self._skipped_in_a_row = 0

    def step(self) -> dict[RoleName, float] | None:
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

    def _clip(self, role: RoleName) -> float:
        own = [
            p
            for k, p in self._parameters.items()
            if k.startswith(f"{role}.") and p.grad is not None
        ]
        return float(torch.nn.utils.clip_grad_norm_(own, self._max_grad_norm)) if own else 0.0

    def state(self) -> dict[str, Tensor]:
        """A copy of AdamW's moments by parameter, on the CPU; empty before the first step."""
        found: dict[str, Tensor] = {}
        for name, parameter in self._parameters.items():
            for key, value in self._adam.state.get(parameter, {}).items():
                found[f"{name}/{key}"] = value.detach().to("cpu", copy=True)
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from stored moments; an empty state starts afresh."""
        self._adam.state.clear()
        for name, parameter in self._parameters.items():
            keys = ("step", "exp_avg", "exp_avg_sq")
            if all(f"{name}/{key}" in state for key in keys):
                self._adam.state[parameter] = {
                    key: state[f"{name}/{key}"]
                    .clone()
                    .to("cpu" if key == "step" else parameter.device)
                    for key in keys
                }

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
