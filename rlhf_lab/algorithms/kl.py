"""How far the policy has moved: KL estimates and the controllers of its price."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from rlhf_lab.errors import ConfigError


def kl_k1(
    logp: Float[Tensor, "*shape"], ref_logp: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Sampled KL(policy || reference) in nats per token; single entries may be negative.

    Source: Schulman (2020), "Approximating KL Divergence", estimator k1.
    """
    return logp - ref_logp


def kl_k3(
    logp: Float[Tensor, "*shape"], ref_logp: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Sampled KL(policy || reference) in nats per token; never negative, lower variance than k1.

    Source: Schulman (2020), "Approximating KL Divergence", estimator k3.
    """
    log_ratio = ref_logp - logp
    return torch.expm1(log_ratio) - log_ratio


class KLController(Protocol):
    """Gives the price of a nat, and may change it after each step."""

    coef: float

    def update(self, kl: float, samples: int) -> None:
        """Take note of the KL per response in nats, measured on `samples` responses."""


@dataclass
class FixedKL:
    """The same price throughout."""

    coef: float

    def update(self, kl: float, samples: int) -> None:
        """Nothing to adapt."""


@dataclass
class AdaptiveKL:
    """Moves the price so that the KL per response approaches its target.

    Attributes:
        coef: Present price, in reward per nat.
        target: Wanted KL in nats per response.
        horizon: Responses over which an error at its bound of 0.2 would change the price by 20%.

    Source: Ziegler et al. (2019), section 2.2: error clipped to +-0.2.
    """

    coef: float
    target: float
    horizon: float

    def __post_init__(self) -> None:
        """Refuse a target or horizon that cannot work."""
        if not (self.target > 0 and self.horizon > 0):
            raise ConfigError(
                f"target={self.target}, horizon={self.horizon}: both must be above 0. "
                "Six nats and 10,000 responses are usual for long runs."
            )

    def update(self, kl: float, samples: int) -> None:
        """Raise the price when `kl` is above target, lower it when below; NaN tells nothing.

        More samples than the horizon count as one horizon: the price would turn negative at five.
        """
        if math.isnan(kl):
            return
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.coef *= 1.0 + error * min(samples / self.horizon, 1.0)
