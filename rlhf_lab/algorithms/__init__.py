"""Pure tensor functions of RLHF: they know torch and nothing else of this project but its errors.

Masks say what True means (`is_response_token`), and whatever sits where they are False never
reaches a result: every function fills those places at its entrance.
"""

from rlhf_lab.algorithms.advantages import (
    Advantages,
    generalized_advantages,
    group_relative_advantages,
    leave_one_out_advantages,
    shaped_rewards,
)
from rlhf_lab.algorithms.calibration import Calibration, ReliabilityBin, pairwise_calibration
from rlhf_lab.algorithms.implicit_reward import implicit_rewards
from rlhf_lab.algorithms.intervals import bootstrap_mean, share_interval
from rlhf_lab.algorithms.kl import AdaptiveKL, FixedKL, KLController, kl_k1, kl_k3
from rlhf_lab.algorithms.logprobs import TokenLogprobs, token_logprobs
from rlhf_lab.algorithms.losses import PolicyLoss, ValueLoss, policy_loss, value_loss
from rlhf_lab.algorithms.ranking_loss import (
    Pairs,
    centring_loss,
    davidson_log_probs,
    pairs_of_tiers,
    ranking_loss,
)
from rlhf_lab.algorithms.statistics import (
    explained_variance,
    length_mask,
    masked_mean,
    masked_variance,
    whiten,
)

__all__ = [
    "AdaptiveKL",
    "Advantages",
    "Calibration",
    "FixedKL",
    "KLController",
    "Pairs",
    "PolicyLoss",
    "ReliabilityBin",
    "TokenLogprobs",
    "ValueLoss",
    "bootstrap_mean",
    "centring_loss",
    "davidson_log_probs",
    "explained_variance",
    "generalized_advantages",
    "group_relative_advantages",
    "implicit_rewards",
    "kl_k1",
    "kl_k3",
    "leave_one_out_advantages",
    "length_mask",
    "masked_mean",
    "masked_variance",
    "pairs_of_tiers",
    "pairwise_calibration",
    "policy_loss",
    "ranking_loss",
    "shaped_rewards",
    "share_interval",
    "token_logprobs",
    "value_loss",
    "whiten",
]
