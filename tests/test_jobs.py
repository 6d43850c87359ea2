"""What jobs may be asked with."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import ConfigError
from rlhf_lab.training import PPOConfig, RewardConfig
from rlhf_lab.types import check_arguments
from rlhf_lab.types.jobs import ARGUMENTS, Number

OF_PPO = {"steps", "temperature", "max_new_tokens"}


def test_defaults_are_filled_in_where_the_work_has_none_of_its_own():
    assert check_arguments("ppo", {}) == {"steps": 8}
    assert check_arguments("reward", {"epochs": None}) == {}
    assert check_arguments("evaluate", {}) == {"baseline": "policy@0", "prompts": 64}
    assert check_arguments("undo", {}) == {}
    checkout = check_arguments("checkout", {"name": "policy@2", "with_reward": False})
    assert checkout == {"name": "policy@2", "with_reward": False}


def test_numbers_are_stored_as_what_they_are():
    found = check_arguments("ppo", {"steps": 3.0, "kl_coef": 1})
    assert (found, type(found["steps"]), type(found["kl_coef"])) == (
        {"steps": 3, "kl_coef": 1.0}, int, float
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("fly", {}, r"'fly' is no kind of job: use one of generate, reward, ppo, .*, undo"),
        ("undo", {"of": 1}, "'of' is no setting of undo jobs: they take to"),
        ("undo", {"to": "reward@0"}, "to='reward@0': name a version, as policy@NUMBER"),
        ("ppo", {"step": 1}, "'step' is no setting of ppo jobs: they take steps, learning_rate"),
        ("ppo", {"steps": 0}, "steps=0: a whole number at least 1, at most 100000"),
        ("ppo", {"steps": 2.5}, "steps=2.5: a whole number"),
        ("ppo", {"steps": True}, "steps=True: a whole number"),
        ("ppo", {"steps": "8"}, "steps='8': a whole number"),
        ("ppo", {"learning_rate": 0}, "learning_rate=0: a number more than 0, at most 1"),
        ("ppo", {"learning_rate": float("nan")}, "learning_rate=nan: a number"),
        ("ppo", {"kl": "off"}, "kl='off': use 'adaptive' or 'fixed'"),
        ("generate", {"k": 10}, "k=10: a whole number at least 2, at most 9"),
        ("generate", {"heldout": 1}, "heldout=1: a number at least 0, less than 1"),
        ("evaluate", {"baseline": "reward@0"}, "baseline='reward@0': name a version, as policy@"),
        ("checkout", {}, "a checkout job needs name=..., the name of a version"),
        ("checkout", {"name": "../x"}, "name='../x': name a version"),
        ("checkout", {"name": "policy@1\n"}, "name a version"),
        ("checkout", {"name": "policy@1", "with_reward": 1}, "with_reward=1: use True or False"),
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_asked_for(kind, arguments, said):
    with pytest.raises(ConfigError, match=said):
        check_arguments(kind, arguments)


@pytest.mark.parametrize("kind", ["ppo", "reward"])
def test_every_number_that_passes_is_one_that_the_work_takes(kind):
    """The ranges here, which need no torch, are not wider than those of the configurations."""
    config = {"ppo": PPOConfig, "reward": RewardConfig}[kind]
    numbers = {n: a for n, a in ARGUMENTS[kind].items() if isinstance(a, Number)}
    for name, number in numbers.items():
        if name in OF_PPO:
            continue
        least = max(number.least, number.above + 1e-9 if number.above > -1 else number.least)
        # As many minibatches as responses are the least there can be.
        beside = {"minibatches": 1} if kind == "ppo" else {}
        value = number.check(name, int(least) if number.whole else least)
        config(**{name: value, **beside})
