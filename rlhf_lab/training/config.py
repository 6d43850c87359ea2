"""Settings of the updates, checked in the cell that makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rlhf_lab.algorithms import AdaptiveKL, FixedKL, KLController
from rlhf_lab.errors import ConfigError
from rlhf_lab.models.roles import LearnerName
from rlhf_lab.types import Sampling, Strength
from rlhf_lab.types.training import KL_TARGET

OptimizerName = Literal["adamw", "paged_adamw_8bit"]

# The small margins of Llama 2's report (Touvron et al. 2023).
_MARGINS: dict[Strength, float] = {
    "negligibly": 0.0,
    "slightly": 1 / 3,
    "clearly": 2 / 3,
    "much": 1.0,
}


def _positive(config: Any, *names: str) -> None:  # noqa: ANN401 - any settings dataclass
    for name in names:
        value = getattr(config, name)
        if not value > 0:
            raise ConfigError(f"{name}={value}: it must be above 0.")


def _not_negative(config: Any, *names: str) -> None:  # noqa: ANN401 - any settings dataclass
    for name in names:
        value = getattr(config, name)
        if not value >= 0:
            raise ConfigError(f"{name}={value}: it must be 0 or more.")


def _known_optimizer(config: RewardConfig | PPOConfig | SFTConfig | DPOConfig) -> None:
    """Whether it works on a device is for the optimizer to say, which knows the device."""
    if config.optimizer not in get_args(OptimizerName):
        raise ConfigError(f"optimizer={config.optimizer!r}: use 'adamw' or 'paged_adamw_8bit'.")


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """How the reward role learns from rankings.

    Attributes:
        epochs: Passes over the new rankings; with `patience`, at most.
        patience: Early stopping. Training ends when the loss on held-out rankings has not fallen
            for so many epochs, and the weights of the best epoch are kept; it takes held-out
            rankings of 8 prompts or more. None, the default: every epoch runs and the last is
            kept, as two epochs leave little to stop. Held-out accuracy, then measured on the
            prompts that chose the epoch, is a little flattered.
        learning_rate: Of AdamW, for adapter and head.
        optimizer: "adamw", or "paged_adamw_8bit" (bitsandbytes, on CUDA alone): moments of 8 bits,
            a quarter of the memory, which move out of the GPU when it is full.
        rankings_per_step: Rankings that share one optimizer step.
        replay: Old rankings mixed in, as a multiple of the new ones.
        strength_margin: How much higher a "much" better tier should score than the next one, in
            units of raw score (log-odds); "clearly" asks for two thirds and "slightly" for one
            third of it, "negligibly" and a ranking without strength for nothing. 0 leaves
            strengths aside.
        centre_coef: Weight of the squared sum of a pair's scores, which keeps raw scores near 0
            (Eisenstein et al. 2023, who use 0.01). 0, the default: PPO sees normalised scores,
            whose centre is that of the reference's responses anyway.
        tokens_per_micro_batch: Bounds memory: padded tokens in one forward pass.
        max_grad_norm: Gradient clipping.
        seed: Of the order of the rankings.
    """

    epochs: int = 2
    patience: int | None = None
    learning_rate: float = 1e-3
    optimizer: OptimizerName = "adamw"
    rankings_per_step: int = 4
    replay: float = 0.5
    strength_margin: float = 1.0
    centre_coef: float = 0.0
    tokens_per_micro_batch: int = 512
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        _positive(
            self,
            "epochs",
            "learning_rate",
            "rankings_per_step",
            "tokens_per_micro_batch",
            "max_grad_norm",
        )
        _not_negative(self, "replay", "strength_margin", "centre_coef")
        _known_optimizer(self)
        if self.patience is not None and self.patience < 1:
            raise ConfigError(
                f"patience={self.patience}: at least 1 epoch without improvement, or None to run "
                "all epochs. Use 1 or 2."
            )

    def margin(self, strength: Strength | None) -> float:
        """How much higher each tier should score than the next one."""
        return self.strength_margin * _MARGINS[strength] if strength else 0.0


@dataclass(frozen=True, kw_only=True)
class SFTConfig:
    """How the policy learns from demonstrations.

    Attributes:
        epochs: Passes over the demonstrations.
        learning_rate: Of AdamW, for the adapter.
        optimizer: As in `RewardConfig`.
        demonstrations_per_step: Demonstrations that share one optimizer step.
        keep_every: Optimizer steps between two states on disk, from which an interrupted
            update goes on.
        tokens_per_micro_batch: Bounds memory: padded tokens in one forward pass.
        max_grad_norm: Gradient clipping.
        seed: Of the order of the demonstrations.
    """

    epochs: int = 3
    learning_rate: float = 5e-4
    optimizer: OptimizerName = "adamw"
    demonstrations_per_step: int = 8
    keep_every: int = 10
    tokens_per_micro_batch: int = 512
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        _positive(self, "epochs", "learning_rate", "demonstrations_per_step", "keep_every")
        _positive(self, "tokens_per_micro_batch", "max_grad_norm")
        _known_optimizer(self)


@dataclass(frozen=True, kw_only=True)
class DPOConfig:
    """How the policy learns from rankings without a reward model and without sampling.

    Attributes:
        beta: Price of moving away from the reference: a response's implicit reward is this many
            times the log of how much likelier the policy makes it (Rafailov et al. 2023).
        epochs: Passes over the new rankings.
        learning_rate: Of AdamW, for the adapter.
        optimizer: As in `RewardConfig`.
        rankings_per_step: Rankings that share one optimizer step.
        replay: Old rankings mixed in, as a multiple of the new ones.
        tie: Davidson's tie parameter: how likely a tie between two equal responses is, as a
            multiple of either winning; 1 makes the three equally likely (Chen et al. 2024,
            "On Extending Direct Preference Optimization to Accommodate Ties").
        strength_margin: How much more implicit reward a "much" better tier should have than the
            next one; other strengths ask for shares of it, as in `RewardConfig`. 0 leaves
            strengths aside.
        keep_every: As in `SFTConfig`.
        tokens_per_micro_batch: Bounds memory: padded tokens in one forward pass.
        max_grad_norm: Gradient clipping.
        seed: Of the order of the rankings.
    """

    beta: float = 0.1
    epochs: int = 2
    learning_rate: float = 2e-4
    optimizer: OptimizerName = "adamw"
    rankings_per_step: int = 4
    replay: float = 0.5
    tie: float = 1.0
    strength_margin: float = 1.0
    keep_every: int = 10
    tokens_per_micro_batch: int = 512
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        _positive(self, "beta", "epochs", "learning_rate", "rankings_per_step", "tie")
        _positive(self, "keep_every", "tokens_per_micro_batch", "max_grad_norm")
        _not_negative(self, "replay", "strength_margin")
        _known_optimizer(self)

    @property
    def centre_coef(self) -> float:
        """Implicit rewards have a centre of their own: the reference's are 0."""
        return 0.0

    def margin(self, strength: Strength | None) -> float:
        """How much more implicit reward each tier should have than the next one."""
        return self.strength_margin * _MARGINS[strength] if strength else 0.0


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """How the policy learns from the reward role.

    Attributes:
        prompts_per_step: Prompts of one rollout.
        responses_per_prompt: Responses to each.
        sampling: Of the rollout; its temperature also divides the logits of every log-probability.
            Default: the lab's. Filters (top_k, top_p) would make the sampled KL meaningless and
            are refused.
        epochs: Passes over one rollout.
        minibatches: Optimizer steps in each pass.
        learning_rate: Of AdamW, for adapters and value head.
        optimizer: As in `RewardConfig`.
        kl: "fixed" or "adaptive" price of KL (Ziegler et al. 2019).
        kl_coef: Reward lost per nat, at the start when adaptive.
        kl_target: Nats per response that the adaptive controller aims at.
        kl_horizon: Responses over which it may change the price by about 20%.
        clip: Ratio clipping.
        value_clip: Value clipping.
        vf_coef: Weight of the value loss.
        advantage: "gae" (with the value role), or "rloo" or "grpo" (each response against others
            to its prompt, without a value role; at least 2 responses_per_prompt).
        value_trunk: Where the values of "gae" come from. "own": the value role, with an adapter
            that starts from the reward role (Stiennon et al. 2020). "policy": a head on the
            policy's own hidden states (Ziegler et al. 2019): half the forward and backward passes
            and of the optimizer's memory, but values that start at 0 and share their weights.
        gamma: Discount per token, for "gae".
        lam: GAE's lambda.
        score_clip: Normalised scores beyond this many deviations are cut; 0 for never.
        missing_eos_penalty: Taken from the score of a response without an end token.
        whiten_rewards: Scale the shaped rewards to variance 1, keeping their mean.
        approx_kl_target: Nats per token between rollout and updated policy; beyond 1.5 times that
            the step's remaining minibatches are left out.
        max_grad_norm: Gradient clipping, per role.
        on_alarm: "warn" tells of an alarm (`training.alarms`) and goes on; "return" ends the run
            at the last policy that raised none.
        tokens_per_micro_batch: Bounds memory: padded tokens in one forward pass.
        seed: Of prompts' order, sampling and minibatches. Default: the lab's.
    """

    prompts_per_step: int = 8
    responses_per_prompt: int = 4
    sampling: Sampling | None = None
    epochs: int = 1
    minibatches: int = 2
    learning_rate: float = 5e-4
    optimizer: OptimizerName = "adamw"
    kl: Literal["fixed", "adaptive"] = "adaptive"
    kl_coef: float = 0.05
    kl_target: float = KL_TARGET
    kl_horizon: float = 1000.0
    clip: float = 0.2
    value_clip: float = 0.2
    vf_coef: float = 0.1
    advantage: Literal["gae", "rloo", "grpo"] = "gae"
    value_trunk: Literal["own", "policy"] = "own"
    gamma: float = 1.0
    lam: float = 0.95
    score_clip: float = 5.0
    missing_eos_penalty: float = 0.0
    whiten_rewards: bool = False
    approx_kl_target: float = 0.1
    max_grad_norm: float = 1.0
    on_alarm: Literal["warn", "return"] = "warn"
    tokens_per_micro_batch: int = 512
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check every range, and refuse filters on the rollout."""
        _positive(self, "prompts_per_step", "responses_per_prompt", "epochs", "minibatches")
        _positive(self, "learning_rate", "kl_target", "kl_horizon", "clip", "value_clip")
        _positive(self, "approx_kl_target", "max_grad_norm", "tokens_per_micro_batch")
        _not_negative(self, "kl_coef", "vf_coef", "score_clip", "missing_eos_penalty")
        _known_optimizer(self)
        for name in ("gamma", "lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)}: it must lie between 0 and 1.")
        if self.kl not in ("fixed", "adaptive"):
            raise ConfigError(f"kl={self.kl!r}: use 'fixed' or 'adaptive'.")
        if self.on_alarm not in ("warn", "return"):
            raise ConfigError(f"on_alarm={self.on_alarm!r}: use 'warn' or 'return'.")
        if self.advantage not in ("gae", "rloo", "grpo"):
            raise ConfigError(f"advantage={self.advantage!r}: use 'gae', 'rloo' or 'grpo'.")
        if self.value_trunk not in ("own", "policy"):
            raise ConfigError(f"value_trunk={self.value_trunk!r}: use 'own' or 'policy'.")
        if self.advantage != "gae" and self.responses_per_prompt < 2:
            raise ConfigError(
                f"advantage={self.advantage!r} with responses_per_prompt="
                f"{self.responses_per_prompt}: it compares the responses to a prompt with each "
                "other, so it needs at least 2."
            )
        if self.minibatches > self.rollouts_per_step:
            raise ConfigError(
                f"minibatches={self.minibatches} for {self.rollouts_per_step} rollouts: each needs "
                "at "
                "least one."
            )
        if self.sampling and (self.sampling.top_k or self.sampling.top_p < 1):
            raise ConfigError(
                f"top_k={self.sampling.top_k}, top_p={self.sampling.top_p}: a filtered rollout "
                "makes the "
                "sampled KL meaningless. Use top_k=0, top_p=1.0 for PPO; lower the temperature "
                "instead."
            )

    @property
    def value_learner(self) -> Literal["value", "policy_value"] | None:
        """What estimates values: the value role, the head on the policy's trunk, or nothing."""
        if self.advantage != "gae":
            return None
        return "value" if self.value_trunk == "own" else "policy_value"

    @property
    def learners(self) -> tuple[LearnerName, ...]:
        """Roles, and heads beside them, that a step trains."""
        return ("policy", self.value_learner) if self.value_learner else ("policy",)

    @property
    def rollouts_per_step(self) -> int:
        """Responses sampled in one step."""
        return self.prompts_per_step * self.responses_per_prompt

    def resolved(self, sampling: Sampling | None = None, seed: int = 0) -> PPOConfig:
        """The same settings, with what was left open filled in and checked."""
        return replace(
            self,
            sampling=self.sampling or sampling or Sampling(max_new_tokens=48),
            seed=seed if self.seed is None else self.seed,
        )

    def controller(self) -> KLController:
        """A fresh controller of the KL price."""
        if self.kl == "fixed":
            return FixedKL(self.kl_coef)
        return AdaptiveKL(self.kl_coef, target=self.kl_target, horizon=self.kl_horizon)
