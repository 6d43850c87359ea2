from __future__ import annotations

from functools import partial

import pytest
import torch

from rlhf_lab.algorithms import policy_loss, value_loss
from rlhf_lab.models import RoleModel
from rlhf_lab.training import PPOTrainer
from tests.tiny import same, stir
from tests.training.ppo_steps import configure, rollout_prompts, rollouts, timeless, trainer


def test_values_on_the_policys_trunk_need_no_value_role(model: RoleModel, monkeypatch):
    ours = trainer(model, value_trunk="policy", learning_rate=0.01)
    value, policy, head = (model.state(r) for r in ("value", "policy", "policy_value"))
    seen = rollouts(monkeypatch)
    stats = ours.step(rollout_prompts(model))
    assert seen[0].values is not None
    assert torch.equal(seen[0].values, torch.zeros_like(seen[0].values))
    assert same(model.state("value"), value)
    assert not same(model.state("policy"), policy)
    assert not same(model.state("policy_value"), head)
    assert stats.value_loss
    assert stats.value_loss > 0
    assert stats.grad_norm_value
    later = [ours.step(rollout_prompts(model, step=n)) for n in range(1, 6)]
    assert later[-1].value_loss
    assert later[-1].value_loss < 0.8 * stats.value_loss


def test_a_shared_trunk_gets_the_sum_of_both_losses_gradients(model: RoleModel, monkeypatch):
    # Against the two losses one after the other, each with a forward pass of its own.
    ours = trainer(model, value_trunk="policy", minibatches=1, epochs=1)
    seen = rollouts(monkeypatch)
    ours.step(rollout_prompts(model))
    (rollout,) = seen
    targets = ours._targets(rollout, ours._rewards(rollout))
    groups = range(len(rollout.groups))
    ours.updater.minibatch(rollout, targets, groups)
    learned = model.parameters("policy") | model.parameters("policy_value")
    together = {k: p.grad.clone() for k, p in learned.items() if p.grad is not None}
    ours.optimizer.forget_gradients()
    tokens = rollout.is_response_token.sum()
    with model.role("policy", train=True) as policy:
        for group, batch in enumerate(rollout.batches):
            is_token, share = batch.is_response_token, batch.is_response_token.sum() / tokens
            part = partial(rollout.part, group=group)
            logp = policy.logprobs(batch, temperature=0.9).logp
            acting = policy_loss(
                logp, part(rollout.logp), part(targets.advantages), is_token, clip=0.2
            )
            (share * acting.loss).backward()
            assert rollout.values is not None
            assert targets.returns is not None
            values = policy.logprobs_and_values(batch)[1]
            valuing = value_loss(values, part(rollout.values), part(targets.returns), is_token)
            (share * 0.1 * valuing.loss).backward()
    for key, gradient in together.items():
        torch.testing.assert_close(gradient, learned[key].grad, rtol=1e-4, atol=1e-7)
    assert "weight" in {k.split(".")[-1] for k in together}


def test_training_on_one_trunk_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    model: RoleModel,
):
    ours = trainer(model, value_trunk="policy")
    ours.step(rollout_prompts(model))
    kept = ours.state()
    assert "value" not in kept[0]
    expected = ours.step(rollout_prompts(model, step=1))
    model.head("policy_value").start_at_zero()
    again = PPOTrainer(model, configure(value_trunk="policy"))
    again.load_state(*kept)
    assert timeless(again.step(rollout_prompts(model, step=1))) == timeless(expected)


@pytest.mark.parametrize("then", ["own", "policy"])
def test_another_place_for_the_values_starts_them_afresh(model: RoleModel, then: str):
    first = {"own": "policy", "policy": "own"}[then]
    before = trainer(model, value_trunk=first)
    before.step(rollout_prompts(model))
    stir(model, "value", seed=9)
    after = PPOTrainer(model, configure(value_trunk=then))
    after.load_state(*before.state())
    if then == "policy":
        assert not model.head("policy_value").weight.any()
    else:
        adapters = [
            {k: v for k, v in model.state(role).items() if not k.startswith("head.")}
            for role in ("reward", "value")
        ]
        assert same(*adapters)
    assert after.step(rollout_prompts(model, step=1)).value_loss is not None
