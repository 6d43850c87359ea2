"""Updates of the roles: reward model and PPO, and the checkpoints that make versions."""

from rlhf_lab.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from rlhf_lab.training.config import PPOConfig, RewardConfig
from rlhf_lab.training.credit import Readers, ReadText, token_report, token_reports
from rlhf_lab.training.fit_progress import FitResult
from rlhf_lab.training.planning import Preflight, preflight
from rlhf_lab.training.ppo import PPOTrainer
from rlhf_lab.training.ppo_stats import PPOStats
from rlhf_lab.training.reward import RankedExample, RewardTrainer
from rlhf_lab.training.reward_report import RewardReport
from rlhf_lab.training.rollout import RolloutPrompt

__all__ = [
    "Checkpoint",
    "FitResult",
    "PPOConfig",
    "PPOStats",
    "PPOTrainer",
    "Preflight",
    "RankedExample",
    "ReadText",
    "Readers",
    "RewardConfig",
    "RewardReport",
    "RewardTrainer",
    "RolloutPrompt",
    "preflight",
    "read_checkpoint",
    "token_report",
    "token_reports",
    "write_checkpoint",
]
