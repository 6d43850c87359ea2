"""From scores to advantages: reward shaping, and three estimators of the advantage."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlhf_lab.algorithms.statistics import only
from rlhf_lab.errors import ShapeError


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


def leave_one_out_advantages(
    returns: Float[Tensor, " batch"], per_prompt: int
) -> Float[Tensor, " batch"]:
    """Return of each response minus the mean of the others to the same prompt.

    Args:
        returns: Total shaped reward of each response; those to one prompt stand together.
        per_prompt: Responses to each prompt, at least 2.

    Raises:
        ShapeError: the responses do not come in whole groups of two or more.

    Source: Kool et al. (2019); Ahmadian et al. (2024), "Back to Basics", equation 7 (RLOO).
    """
    groups = _by_prompt(returns, per_prompt)
    # r - (sum - r) / (k - 1) is k / (k - 1) times the distance from the mean.
    return (per_prompt / (per_prompt - 1) * (groups - groups.mean(1, keepdim=True))).flatten()


def group_relative_advantages(
    returns: Float[Tensor, " batch"], per_prompt: int
) -> Float[Tensor, " batch"]:
    """Return of each response in standard deviations from the mean of its prompt's responses.

    Responses that all have the same return have advantage 0. Arguments and errors as for
    `leave_one_out_advantages`.

    Source: Shao et al. (2024), "DeepSeekMath", section 4.1.2 (GRPO). There the KL is a term of the
    loss; here it is part of the return, as in the two other estimators.
    """
    groups = _by_prompt(returns, per_prompt)
    centred = groups - groups.mean(1, keepdim=True)
    return (centred / (groups.std(1, keepdim=True) + 1e-4)).flatten()


def _by_prompt(returns: Tensor, per_prompt: int) -> Tensor:
    if per_prompt < 2 or len(returns) % per_prompt:
        raise ShapeError(
            f"{len(returns)} responses in groups of {per_prompt}: comparing the responses to a "
            "prompt needs at least 2 for each, and the same number for all."
        )
    return returns.reshape(-1, per_prompt)
