from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import ConfigError, NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.training import PPOConfig, PPOTrainer, RewardConfig, RewardTrainer
from rlhf_lab.training import optimizer as module
from rlhf_lab.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from rlhf_lab.training.optimizer import RoleOptimizer
from tests.tiny import batch, load_tiny, rows, same, stir


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


def test_places_of_moments_are_filled_and_not_replaced(model: RoleModel):
    """A buffer that can leave the GPU would be an ordinary tensor otherwise."""
    ours = optimizer(model)
    backward(model)
    ours.step()
    kept = ours.state()
    places = [p.data_ptr() for s in ours._adam.state.values() for p in s.values()]
    backward(model)
    ours.step()
    ours.load_state(kept)
    assert same(ours.state(), kept)
    assert [p.data_ptr() for s in ours._adam.state.values() for p in s.values()] == places


# In 8 bits


def test_paged_moments_are_refused_where_nothing_can_be_paged(model: RoleModel):
    expected = r"^optimizer='paged_adamw_8bit' on 'cpu': .* CUDA .*Use optimizer='adamw'\.$"
    with pytest.raises(ConfigError, match=expected):
        PPOTrainer(model, PPOConfig(optimizer="paged_adamw_8bit"))
    with pytest.raises(ConfigError, match=expected):
        RewardTrainer(model, RewardConfig(optimizer="paged_adamw_8bit"))


@pytest.fixture
def wide(tiny_folder: Path, monkeypatch) -> RoleModel:
    """Adapters of 4,096 numbers and more, as from which bitsandbytes keeps bytes.

    Its kernels for a CPU are the same but for the paging, which is what the refusal is about.
    """
    monkeypatch.setattr(
        module, "_paged_adamw_8bit", lambda p, rate, _: module._bitsandbytes_adamw(p, rate)
    )
    wide = load_tiny(tiny_folder, rank=128)
    stir(wide, "policy", "value")
    return wide


def in_bytes(model: RoleModel, *roles: str) -> RoleOptimizer:
    chosen = list(roles) or ["policy"]
    return RoleOptimizer(
        model, chosen, learning_rate=0.01, max_grad_norm=1.0, kind="paged_adamw_8bit"
    )


on_a_cpu = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")


@on_a_cpu
def test_moments_in_bytes_continue_exactly_through_a_checkpoint(wide: RoleModel, tmp_path: Path):
    ours = in_bytes(wide, "policy", "value")
    assert ours.state() == {}
    for _ in range(2):
        backward(wide)
        backward(wide, "value")
        assert ours.step() is not None
    moments = ours.state()
    assert {str(v.dtype) for k, v in moments.items() if k.endswith("/state1")} == {
        "torch.uint8",
        "torch.float32",  # small ones
    }
    assert {v.item() for k, v in moments.items() if k.endswith("/step")} == {2}
    write_checkpoint(tmp_path / "kept", Checkpoint(tensors={"optimizer": moments}))
    weights = {role: wide.state(role) for role in ("policy", "value")}
    backward(wide)
    backward(wide, "value")
    ours.step()
    expected = {role: wide.state(role) for role in weights}
    for role, state in weights.items():
        wide.load_state(role, state)
    fresh = in_bytes(wide, "policy", "value")
    fresh.load_state(read_checkpoint(tmp_path / "kept").tensors["optimizer"])
    assert same(fresh.state(), moments)
    backward(wide)
    backward(wide, "value")
    fresh.step()
    assert all(same(wide.state(role), state) for role, state in expected.items())


@on_a_cpu
@pytest.mark.parametrize("before", [0, 1])
def test_moments_in_bytes_are_put_back_when_a_block_does_not_finish(wide: RoleModel, before: int):
    ours = in_bytes(wide)
    for _ in range(before):
        backward(wide)
        ours.step()
    weights, moments = wide.state("policy"), ours.state()
    with pytest.raises(KeyboardInterrupt), ours.whole_or_nothing():  # noqa: PT012
        backward(wide)
        ours.step()
        raise KeyboardInterrupt
    assert same(wide.state("policy"), weights)
    assert same(ours.state(), moments)
    assert ours.steps == before


@on_a_cpu
def test_a_step_with_moments_in_bytes_goes_where_adamws_goes(wide: RoleModel):
    start = wide.state("policy")
    moves = []
    for ours in (optimizer(wide), in_bytes(wide)):
        wide.load_state("policy", start)
        for _ in range(3):
            backward(wide)
            ours.step()
        after = wide.state("policy")
        moves.append(torch.cat([(after[k] - start[k]).flatten() for k in start]))
    assert torch.cosine_similarity(*moves, dim=0) > 0.95


@on_a_cpu
def test_going_over_to_the_other_optimizer_starts_moments_afresh(wide: RoleModel):
    plain, small = optimizer(wide), in_bytes(wide)
    for ours in (plain, small):
        backward(wide)
        ours.step()
    kept = plain.state(), small.state()
    plain.load_state(kept[1])
    small.load_state(kept[0])
    assert plain.state() == small.state() == {}
    for ours in (plain, small):
        backward(wide)
        assert ours.step() is not None
