from __future__ import annotations

import pytest
import torch

from rlhf_lab.errors import NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.training.optimizer import RoleOptimizer
from tests.tiny import batch, rows, same, stir


def optimizer(
    model: RoleModel, *roles: str, norm: float = 1.0, rate: float = 0.01
) -> RoleOptimizer:
    chosen = list(roles) or ["policy"]
    return RoleOptimizer(model, chosen, learning_rate=rate, max_grad_norm=norm)


def backward(model: RoleModel, role: str = "policy", times: float = 1.0) -> None:
    tokens = batch(model, rows(model))
    with model.role(role, train=True) as held:
        output = held.logprobs(tokens).logp if role == "policy" else held.scores(tokens)
        (times * output.sum()).backward()


def test_a_step_is_adamws_own_on_clipped_gradients(model: RoleModel):
    stir(model, "policy")
    start = model.state("policy")
    ours = optimizer(model, norm=0.5)
    backward(model)
    gradients = {k: p.grad.clone() for k, p in model.parameters("policy").items()}
    total = torch.sqrt(sum((g**2).sum() for g in gradients.values())).item()
    assert total > 0.5
    assert ours.step() == {"policy": pytest.approx(total, rel=1e-5)}
    for key, parameter in model.parameters("policy").items():
        gradient = gradients[key] * (0.5 / total)
        # The first step of Adam is lr * g / (|g| + eps).
        expected = start[key] - 0.01 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(parameter.detach(), expected, atol=1e-6, rtol=1e-4)
        assert parameter.grad is None
    assert (ours.steps, ours.skipped) == (1, 0)


def test_each_role_is_clipped_by_its_own_norm(model: RoleModel):
    stir(model, "policy", "value")
    both = optimizer(model, "policy", "value", norm=1e9)
    backward(model, "policy", 100.0)
    backward(model, "value", 1e-3)
    norms = both.step()
    assert norms["policy"] > 1000 * norms["value"] > 0


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
def test_a_gradient_that_is_not_finite_never_reaches_the_weights(model: RoleModel, poison: float):
    ours = optimizer(model, "policy", "value")
    backward(model)
    ours.step()
    weights, moments = model.state("policy"), ours.state()
    backward(model)
    backward(model, "value")
    next(iter(model.parameters("value").values())).grad.view(-1)[0] = poison
    assert ours.step() is None
    assert same(model.state("policy"), weights)
    assert same(ours.state(), moments)
    assert (ours.steps, ours.skipped) == (1, 1)
    assert all(p.grad is None for p in model.parameters("policy").values())


def spoil(model: RoleModel) -> None:
    backward(model)
    next(iter(model.parameters("policy").values())).grad.fill_(float("nan"))


def test_three_dropped_steps_in_a_row_end_the_update(model: RoleModel):
    ours = optimizer(model)
    for _ in range(2):
        spoil(model)
        ours.step()
        spoil(model)
        ours.step()
        backward(model)
        ours.step()  # one good step starts the count again
    spoil(model)
    ours.step()
    spoil(model)
    ours.step()
    spoil(model)
    with pytest.raises(NonFiniteError) as caught:
        ours.step()
    message = str(caught.value)
    assert "gradient norms {'policy': nan} in 3 steps in a row" in message
    assert "Lower learning_rate" in message
    assert (ours.steps, ours.skipped) == (2, 7)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, NonFiniteError, RuntimeError])
def test_a_block_that_does_not_finish_leaves_weights_and_moments(model: RoleModel, failure):
    ours = optimizer(model, "policy", "reward")
    backward(model)
    ours.step()
    weights = {r: model.state(r) for r in ("policy", "reward")}
    moments = ours.state()
    # The failure comes after several steps: that is the case.
    with pytest.raises(failure), ours.whole_or_nothing():  # noqa: PT012
        backward(model)
        ours.step()
        backward(model, "reward")
        ours.step()
        model.head("reward").mean.fill_(5.0)
        backward(model)
        assert not same(model.state("policy"), weights["policy"])
        raise failure
    assert all(same(model.state(r), w) for r, w in weights.items())
    assert same(ours.state(), moments)
    assert all(p.grad is None for p in model.parameters("policy").values())


def test_a_block_that_finishes_keeps_its_steps(model: RoleModel):
    ours = optimizer(model)
    start = model.state("policy")
    with ours.whole_or_nothing():
        backward(model)
        ours.step()
    assert not same(model.state("policy"), start)


def test_stored_moments_continue_exactly(model: RoleModel):
    ours = optimizer(model)
    for _ in range(2):
        backward(model)
        ours.step()
    weights, moments = model.state("policy"), ours.state()
    backward(model)
    ours.step()
    expected = model.state("policy")
    model.load_state("policy", weights)
    fresh = optimizer(model)
    fresh.load_state(moments)
    assert same(fresh.state(), moments)
    backward(model)
    fresh.step()
    assert same(model.state("policy"), expected)


def test_an_empty_state_starts_afresh(model: RoleModel):
    ours = optimizer(model)
    assert ours.state() == {}
    backward(model)
    ours.step()
    assert len(ours.state()) == 3 * len(model.parameters("policy"))
    ours.load_state({})
    assert ours.state() == {}


def test_stored_moments_are_copies(model: RoleModel):
    ours = optimizer(model)
    backward(model)
    ours.step()
    kept = ours.state()
    before = {k: v.clone() for k, v in kept.items()}
    backward(model)
    ours.step()
    assert same(kept, before)
