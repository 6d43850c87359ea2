"""What a PPO step aims at: the reward of each token, and its advantage before whitening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rlhf_lab.algorithms import (
    Advantages,
    generalized_advantages,
    kl_k1,
    shaped_rewards,
    whiten,
)
from rlhf_lab.algorithms.statistics import finite_scores
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.rollout import Rollout


def adjusted_scores(rollout: Rollout, config: PPOConfig) -> Tensor:
    """(responses,): scores after clipping, less the penalty of responses without an end.

    Raises:
        NonFiniteError: some are NaN or infinite.
    """
    scores = finite_scores(rollout.scores)
    if config.score_clip:
        scores = scores.clamp(-config.score_clip, config.score_clip)
    return scores - config.missing_eos_penalty * ~rollout.ended


def token_rewards(rollout: Rollout, config: PPOConfig, kl_coef: float) -> Tensor:
    """Shaped rewards, (responses, longest response).

    Raises:
        NonFiniteError: some scores are NaN or infinite.
    """
    return shaped_rewards(
        adjusted_scores(rollout, config),
        kl_k1(rollout.logp, rollout.ref_logp),
        rollout.is_response_token,
        kl_coef,
    )


def value_advantages(rollout: Rollout, rewards: Tensor, config: PPOConfig) -> Advantages:
    """Advantages by the rollout's values, as GAE gives them, and returns."""
    assert rollout.values is not None
    is_token = rollout.is_response_token
    if config.whiten_rewards:
        rewards = whiten(rewards, is_token, keep_mean=True)
    return generalized_advantages(
        rewards, rollout.values, is_token, gamma=config.gamma, lam=config.lam
    )


def kept_kl_coef(config: PPOConfig, state: Mapping[str, Any]) -> float | None:
    """The price of a nat that a checkpoint's state hands on; None where the settings decide.

    Another price in the settings than the run began with means that another one is wanted now.
    """
    if config.kl == "adaptive" and config.kl_coef == state.get("kl_coef_start"):
        return float(state["kl_coef"])
    return None
