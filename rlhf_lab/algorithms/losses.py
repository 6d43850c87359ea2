"""The two losses of PPO."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlhf_lab.algorithms.kl import kl_k3
from rlhf_lab.algorithms.statistics import masked_mean, only


class PolicyLoss(NamedTuple):
    """The clipped objective (to minimise) and what to read beside it, all scalars.

    `approx_kl` is k3 of old policy against new, in nats per token; `ratio_max` the largest
    probability ratio of any response token, 0 if there is none.
    """

    loss: Tensor
    clip_fraction: Tensor
    approx_kl: Tensor
    ratio_max: Tensor


class ValueLoss(NamedTuple):
    """The clipped squared error (to minimise) and the share of tokens where clipping acted."""

    loss: Tensor
    clip_fraction: Tensor


def policy_loss(
    logp: Float[Tensor, "batch tokens"],
    old_logp: Float[Tensor, "batch tokens"],
    advantages: Float[Tensor, "batch tokens"],
    is_response_token: Bool[Tensor, "batch tokens"],
    *,
    clip: float = 0.2,
) -> PolicyLoss:
    """-min(ratio * A, clip(ratio, 1 - clip, 1 + clip) * A), averaged over response tokens.

    Source: Schulman et al. (2017), "Proximal Policy Optimization Algorithms", equation 7.
    """
    log_ratio = only(logp - old_logp, is_response_token)
    advantages = only(advantages, is_response_token)
    ratio = log_ratio.exp()
    unclipped = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - clip, 1 + clip)
    loss = masked_mean(torch.maximum(unclipped, clipped), is_response_token)
    with torch.no_grad():
        return PolicyLoss(
            loss=loss,
            clip_fraction=masked_mean((clipped > unclipped).float(), is_response_token),
            approx_kl=masked_mean(kl_k3(torch.zeros_like(log_ratio), log_ratio), is_response_token),
            ratio_max=only(ratio, is_response_token).max(),
        )


def value_loss(
    values: Float[Tensor, "batch tokens"],
    old_values: Float[Tensor, "batch tokens"],
    returns: Float[Tensor, "batch tokens"],
    is_response_token: Bool[Tensor, "batch tokens"],
    *,
    clip: float = 0.2,
) -> ValueLoss:
    """0.5 * max of plain and clipped squared error, averaged over response tokens.

    Source: Ziegler et al. (2019), code release, with `cliprange_value`.
    """
    values = only(values, is_response_token)
    old_values = only(old_values, is_response_token)
    returns = only(returns, is_response_token)
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    plain_error, clipped_error = (values - returns) ** 2, (clipped - returns) ** 2
    loss = 0.5 * masked_mean(torch.maximum(plain_error, clipped_error), is_response_token)
    acted = (clipped_error > plain_error).float().detach()
    return ValueLoss(loss, masked_mean(acted, is_response_token))
