"""What a policy's log-probabilities say of its taste: the reward that it would be best for."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from rlhf_lab.errors import ConfigError


def implicit_rewards(
    logp: Float[Tensor, "responses tokens"],
    ref_logp: Float[Tensor, " responses"],
    is_response_token: Bool[Tensor, "responses tokens"],
    beta: float,
) -> Float[Tensor, " responses"]:
    """Beta * (log policy - log reference) of whole responses, (responses,).

    With these as scores, `ranking_loss` of one ordered pair without ties is the loss of DPO:
    -log sigmoid of their difference.

    Args:
        logp: Log-probability of each response token by the policy, in nats.
        ref_logp: Of each whole response by the reference, in nats, detached.
        is_response_token: True for the real tokens of each response.
        beta: Reward of one nat.

    Raises:
        ConfigError: beta is not above 0.

    Source: Rafailov et al. (2023), "Direct Preference Optimization", equations 5 and 7.
    """
    if not beta > 0:
        raise ConfigError(f"beta={beta}: it must be above 0. Use 0.1.")
    return beta * (logp.masked_fill(~is_response_token, 0.0).sum(dim=1) - ref_logp)
