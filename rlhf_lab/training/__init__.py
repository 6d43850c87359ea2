"""Updates of the roles: SFT, reward model, PPO and DPO, and the checkpoints that make versions."""

from rlhf_lab.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from rlhf_lab.training.config import DPOConfig, PPOConfig, RewardConfig, SFTConfig
from rlhf_lab.training.credit import Readers, ReadText, token_report, token_reports
from rlhf_lab.training.dpo import DPOTrainer
from rlhf_lab.training.dpo_report import DPOReport
from rlhf_lab.training.fit_progress import FitResult
from rlhf_lab.training.planning import Preflight, preflight
from rlhf_lab.training.ppo import PPOTrainer
from rlhf_lab.training.ppo_stats import PPOStats
from rlhf_lab.training.ranking_trainer import RankedExample
from rlhf_lab.training.reward import RewardTrainer
from rlhf_lab.training.reward_report import RewardReport
from rlhf_lab.training.rollout import RolloutPrompt
from rlhf_lab.training.sft import DemonstratedExample, SFTTrainer
from rlhf_lab.training.sft_report import SFTReport

__all__ = [
    "Checkpoint",
    "DPOConfig",
    "DPOReport",
    "DPOTrainer",
    "DemonstratedExample",
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
    "SFTConfig",
    "SFTReport",
    "SFTTrainer",
    "preflight",
    "read_checkpoint",
    "token_report",
    "token_reports",
    "write_checkpoint",
]
