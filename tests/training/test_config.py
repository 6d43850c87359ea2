from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from rlhf_lab.algorithms import AdaptiveKL, FixedKL
from rlhf_lab.errors import ConfigError
from rlhf_lab.training import PPOConfig, RewardConfig
from rlhf_lab.types import Sampling, Strength

POSITIVE = [
    "prompts_per_step",
    "responses_per_prompt",
    "epochs",
    "minibatches",
    "learning_rate",
    "kl_target",
    "kl_horizon",
    "clip",
    "value_clip",
    "approx_kl_target",
    "max_grad_norm",
    "tokens_per_micro_batch",
]
NOT_NEGATIVE = ["kl_coef", "vf_coef", "score_clip", "missing_eos_penalty"]


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_ppo_settings_that_must_be_above_zero(name: str, value: float):
    with pytest.raises(ConfigError, match=rf"^{name}={value}: it must be above 0"):
        PPOConfig(**{name: value})


@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_ppo_settings_that_may_be_zero_but_not_less(name: str):
    assert getattr(PPOConfig(**{name: 0}), name) == 0
    with pytest.raises(ConfigError, match=rf"^{name}=-0\.5: it must be 0 or more"):
        PPOConfig(**{name: -0.5})


@pytest.mark.parametrize("name", ["gamma", "lam"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_discounts_lie_between_0_and_1(name: str, value: float):
    with pytest.raises(ConfigError, match=rf"^{name}={value}: it must lie between 0 and 1"):
        PPOConfig(**{name: value})


@pytest.mark.parametrize("config", [PPOConfig, RewardConfig])
def test_other_optimizers_are_refused(config):
    with pytest.raises(ConfigError, match=r"^optimizer='sgd': use 'adamw' or 'paged_adamw_8bit'"):
        config(optimizer="sgd")


def test_other_kl_controllers_are_refused():
    with pytest.raises(ConfigError, match=r"^kl='linear': use 'fixed' or 'adaptive'"):
        PPOConfig(kl="linear")


def test_other_answers_to_an_alarm_are_refused():
    with pytest.raises(ConfigError, match=r"^on_alarm='stop': use 'warn' or 'return'"):
        PPOConfig(on_alarm="stop")


def test_other_advantages_are_refused():
    with pytest.raises(ConfigError, match=r"^advantage='td': use 'gae', 'rloo' or 'grpo'"):
        PPOConfig(advantage="td")


@pytest.mark.parametrize("advantage", ["rloo", "grpo"])
def test_one_response_has_no_others_to_be_compared_with(advantage: str):
    with pytest.raises(ConfigError, match=r"responses_per_prompt=1: .* needs at least 2"):
        PPOConfig(advantage=advantage, responses_per_prompt=1, prompts_per_step=4)


def test_more_minibatches_than_rollouts_are_refused():
    PPOConfig(prompts_per_step=2, responses_per_prompt=2, minibatches=4)
    with pytest.raises(
        ConfigError, match=r"^minibatches=5 for 4 rollouts: each needs at least one"
    ):
        PPOConfig(prompts_per_step=2, responses_per_prompt=2, minibatches=5)


@pytest.mark.parametrize("filters", [{"top_k": 50}, {"top_p": 0.9}])
def test_filtered_rollouts_are_refused(filters: dict):
    with pytest.raises(ConfigError) as caught:
        PPOConfig(sampling=Sampling(**filters))
    message = str(caught.value)
    assert next(f"{k}={v}" for k, v in filters.items()) in message
    assert "makes the sampled KL meaningless" in message
    assert "Use top_k=0, top_p=1.0" in message


def test_the_controller_is_the_one_asked_for():
    assert PPOConfig(kl="fixed", kl_coef=0.3).controller() == FixedKL(0.3)
    adaptive = PPOConfig(kl_coef=0.3, kl_target=2.0, kl_horizon=50.0).controller()
    assert adaptive == AdaptiveKL(0.3, target=2.0, horizon=50.0)


@pytest.mark.parametrize(
    "name",
    ["epochs", "learning_rate", "rankings_per_step", "tokens_per_micro_batch", "max_grad_norm"],
)
def test_reward_settings_that_must_be_above_zero(name: str):
    with pytest.raises(ConfigError, match=rf"^{name}=0: it must be above 0"):
        RewardConfig(**{name: 0})


@pytest.mark.parametrize("name", ["replay", "strength_margin", "centre_coef"])
def test_reward_settings_that_may_be_switched_off_but_not_be_negative(name: str):
    assert getattr(RewardConfig(**{name: 0}), name) == 0
    for value in (-1, float("nan")):
        with pytest.raises(ConfigError, match=rf"^{name}={value}: it must be 0 or more"):
            RewardConfig(**{name: value})


@pytest.mark.parametrize("patience", [0, -1])
def test_patience_is_an_epoch_or_more_or_none(patience: int):
    assert RewardConfig().patience is None
    assert RewardConfig(patience=1).patience == 1
    with pytest.raises(ConfigError, match=f"^patience={patience}: at least 1 epoch.* or None"):
        RewardConfig(patience=patience)


def test_margins_are_thirds_and_nothing_said_asks_for_nothing():
    config = RewardConfig(strength_margin=1.5)
    margins = [config.margin(s) for s in (None, *get_args(Strength))]
    assert margins == [0.0, 0.0, 0.5, 1.0, 1.5]


@pytest.mark.parametrize("config", [PPOConfig(), RewardConfig()])
def test_settings_are_frozen_and_keyword_only(config):
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.epochs = 9
    with pytest.raises(TypeError):
        type(config)(1)


def test_other_places_for_the_values_are_refused():
    with pytest.raises(ConfigError, match=r"^value_trunk='shared': use 'own' or 'policy'"):
        PPOConfig(value_trunk="shared")


def test_the_defaults_are_those_that_are_documented():
    """docs/ppo.md names them; a change here is a change there."""
    config = PPOConfig()
    assert (config.clip, config.value_clip, config.vf_coef, config.max_grad_norm) == (
        0.2, 0.2, 0.1, 1.0,
    )  # fmt: skip
    assert (config.gamma, config.lam, config.advantage) == (1.0, 0.95, "gae")
    assert (config.kl, config.missing_eos_penalty, config.whiten_rewards) == (
        "adaptive",
        0.0,
        False,
    )
    assert RewardConfig().max_grad_norm == 1.0
