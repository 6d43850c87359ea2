"""From scores to advantages: reward shaping and generalised advantage estimation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlhf_lab.algorithms.statistics import only


class Advantages(NamedTuple):
    """Advantages and returns, both (batch, tokens), 0 outside the responses."""

    advantages: Tensor
    returns: Tensor


def shaped_rewards(
    scores: Float[Tensor, " batch"],
    kl: Float[Tensor, "batch tokens"],
    is_response_token: Bool[Tensor, "batch tokens"],
    kl_coef: float,
) -> Float[Tensor, "batch tokens"]:
    """Per-token reward: -kl_coef * kl everywhere, plus the score at the last response token.

    Args:
        scores: One scalar per response, already normalised and clipped.
        kl: k1 estimate log(policy / reference) per token, in nats.
        is_response_token: True for real response tokens, which come first in each row.
        kl_coef: Weight of the penalty, in reward per nat.

    Source: Ziegler et al. (2019), section 2; the gradient does not pass through the penalty.
    """
    rewards = only(-kl_coef * kl.detach(), is_response_token)
    last = is_response_token.sum(dim=1, keepdim=True) - 1
    at_end = only(scores.detach().unsqueeze(1), last >= 0)
    return rewards.scatter_add(1, last.clamp(min=0), at_end)


def generalized_advantages(
    rewards: Float[Tensor, "batch tokens"],
    values: Float[Tensor, "batch tokens"],
    is_response_token: Bool[Tensor, "batch tokens"],
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
) -> Advantages:
    """GAE over response tokens; the value of what follows the last token is 0.

    Source: Schulman et al. (2015), "High-Dimensional Continuous Control Using GAE", equation 16.
    """
    rewards, values = only(rewards, is_response_token), only(values, is_response_token)
    next_values = torch.nn.functional.pad(values[:, 1:], (0, 1))
    deltas = rewards + gamma * next_values - values
    advantages = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        # Past the end of a row delta is 0, so `running` is still 0 at its last real token.
        running = only(deltas[:, t] + gamma * lam * running, is_response_token[:, t])
        advantages[:, t] = running
    return Advantages(advantages, only(advantages + values, is_response_token))
