"""A PPO trainer of the tiny model, its prompts, and looks inside its steps."""

from __future__ import annotations

import dataclasses

from rlhf_lab.models import RoleModel
from rlhf_lab.training import (
    PPOConfig,
    PPOStats,
    PPOTrainer,
    RolloutPrompt,
)
from rlhf_lab.training import ppo as ppo_module
from rlhf_lab.training.rollout import Rollout
from rlhf_lab.types import Sampling
from tests.tiny import TEXTS, prompt, stir

CONFIG = PPOConfig(
    prompts_per_step=3,
    responses_per_prompt=4,
    sampling=Sampling(max_new_tokens=12, temperature=0.9),
    epochs=2,
    minibatches=3,
    learning_rate=1e-3,
    tokens_per_micro_batch=150,
    approx_kl_target=10.0,
)


def configure(**changes) -> PPOConfig:
    return dataclasses.replace(CONFIG, **changes)


def rollout_prompts(model: RoleModel, step: int = 0, seeds: int = 4) -> list[RolloutPrompt]:
    return [
        RolloutPrompt(
            model.chat.encode(prompt(text)), [1000 * step + 10 * n + s for s in range(seeds)]
        )
        for n, text in enumerate(TEXTS)
    ]


def trainer(model: RoleModel, **changes) -> PPOTrainer:
    stir(model, "reward")
    model.copy_role("reward", "value")
    return PPOTrainer(model, configure(**changes))


def timeless(stats: PPOStats) -> dict[str, float]:
    return {
        k: v
        for k, v in dataclasses.asdict(stats).items()
        if not k.startswith(("seconds", "peak_memory"))
    }


def minibatches(ours: PPOTrainer, monkeypatch) -> list:
    """What each minibatch reported, in order."""
    seen: list = []
    minibatch = ours.updater.minibatch
    monkeypatch.setattr(
        ours.updater, "minibatch", lambda *args: seen.append(minibatch(*args)) or seen[-1]
    )
    return seen


def rollouts(monkeypatch) -> list[Rollout]:
    seen: list[Rollout] = []
    score = ppo_module.score_texts
    monkeypatch.setattr(
        ppo_module, "score_texts", lambda *a, **k: seen.append(score(*a, **k)) or seen[-1]
    )
    return seen
