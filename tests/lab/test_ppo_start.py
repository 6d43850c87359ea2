"""What the first step of a PPO run starts from."""

from __future__ import annotations

import torch

from rlhf_lab import Lab
from rlhf_lab.models import RoleModel
from rlhf_lab.training import PPOTrainer
from tests.lab.labs import PPO
from tests.tiny import batch, logp_of, rows, same, stir


def at_the_start(lab: Lab, monkeypatch) -> dict:
    """A run of one step, and the states of all roles before it."""
    seen, step = {}, PPOTrainer.step

    def watched(self, prompts):
        seen.update({r: self.model.state(r) for r in ("policy", "reward", "value")})
        seen["moments"] = self.optimizer.state()
        return step(self, prompts)

    with monkeypatch.context() as patch:
        patch.setattr(PPOTrainer, "step", watched)
        lab.ppo(steps=1, config=PPO).run()
    return seen


def raw_and_normalised(model: RoleModel, states: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """What the value role says, and the normalised score it should start from."""
    tokens = batch(model, rows(model))
    for role in ("reward", "value"):
        model.load_state(role, states[role])
    with model.role("value") as value:
        found = value.scores(tokens)
    with model.role("reward") as reward:
        return found, model.head("reward").normalised(reward.scores(tokens))


def test_the_value_role_starts_from_the_reward_and_then_goes_on_from_itself(
    taught: Lab, monkeypatch
):
    stir(taught.model, "value", seed=7)
    first = at_the_start(taught, monkeypatch)
    assert taught.model.head("reward").scale.item() != 1
    found, expected = raw_and_normalised(taught.model, first)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert first["moments"] == {}
    stored = taught._bench.tree.load(taught.store.version("policy@1")).tensors
    second = at_the_start(taught, monkeypatch)
    assert same(second["value"], dict(stored["value"]))
    assert same(second["moments"], dict(stored["optimizer"]))
    assert not same(second["value"], first["value"])


def test_the_reference_stays_the_start_however_far_the_policy_goes(taught: Lab):
    tokens = batch(taught.model, rows(taught.model))
    start = logp_of(taught.model, tokens)
    taught.ppo(steps=2, config=PPO).run()
    assert torch.equal(logp_of(taught.model, tokens, "reference"), start)
    assert not torch.equal(logp_of(taught.model, tokens), start)
