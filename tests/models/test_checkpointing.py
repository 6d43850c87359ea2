from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointError

from rlhf_lab.errors import RoleError, UnknownModel
from rlhf_lab.models import RoleModel, generate, load_base
from rlhf_lab.models.checkpointing import repeatable_layers
from rlhf_lab.models.roles import RoleName
from rlhf_lab.types import Sampling
from tests.tiny import batch, load_tiny, logp_of, rows, stir

LAYERS = 2


@pytest.fixture(params=["none", "nf4"])
def model(request: pytest.FixtureRequest, tiny_folder: Path) -> RoleModel:
    model = load_tiny(tiny_folder, quantize=request.param)
    stir(model, "policy", "reward", "value")
    return model


def loss_of(model: RoleModel, role: RoleName, held) -> Tensor:
    tokens = batch(model, rows(model))
    return held.logprobs(tokens).logp.sum() if role == "policy" else held.values(tokens).sum()


def gradients(model: RoleModel, role: RoleName) -> dict[str, Tensor]:
    with model.role(role, train=True) as held:
        loss_of(model, role, held).backward()
    found = {k: p.grad for k, p in model.parameters(role).items() if p.grad is not None}
    for parameter in model.parameters(role).values():
        parameter.grad = None
    return found


def runs_of_layers(model: RoleModel) -> list[int]:
    """How often each layer's attention has run from now on."""
    counts = [0] * LAYERS
    for number, layer in enumerate(repeatable_layers(model.base.model)):

        def count(*_: object, number: int = number) -> None:
            counts[number] += 1

        layer.self_attn.register_forward_hook(count)
    return counts


@pytest.mark.parametrize("role", ["policy", "reward", "value"])
@pytest.mark.parametrize("dense", [False, True])
def test_gradients_are_the_same_bit_by_bit(model: RoleModel, role: RoleName, dense: bool):
    context: AbstractContextManager[None] = model.dense.base() if dense else nullcontext()
    with context:
        kept = gradients(model, role)
        model.checkpointing = True
        runs = runs_of_layers(model)
        again = gradients(model, role)
    assert runs == [2] * LAYERS
    assert kept.keys() == again.keys()
    assert len(kept) >= 28
    assert all(torch.equal(kept[k], again[k]) and kept[k].any() for k in kept)


def kept_bytes(model: RoleModel) -> int:
    """Of what layers keep for the backward pass, seen by a hook outside of them."""
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        model.role("policy", train=True) as policy,
        torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t),
    ):
        loss_of(model, "policy", policy)
    return sum(seen.values())


def test_layers_keep_nothing_of_what_they_computed(model: RoleModel):
    kept = kept_bytes(model)
    model.checkpointing = True
    # Left are the final norm, the log-probabilities and the loss.
    assert kept_bytes(model) < 0.15 * kept


def test_it_can_be_asked_for_from_the_start_and_ends_with_the_block(tiny_folder: Path):
    base = load_base(str(tiny_folder), quantize="none", device="cpu", dtype=torch.float32)
    model = RoleModel(base, checkpointing=True)
    assert model.checkpointing
    layers = repeatable_layers(model.base.model)
    assert len(layers) == LAYERS
    with model.role("policy"):
        assert not any("forward" in vars(layer) for layer in layers)
    with model.role("policy", train=True):
        assert all("forward" in vars(layer) for layer in layers)
        assert not any(m.training for m in model.peft.modules())
    assert not any("forward" in vars(layer) for layer in layers)
    with pytest.raises(ZeroDivisionError), model.role("policy", train=True):
        _ = 1 / 0
    assert not any("forward" in vars(layer) for layer in layers)


def test_generation_keeps_its_cache(model: RoleModel):
    model.checkpointing = True
    prompts, sampling = [p for p, _ in rows(model)], Sampling(max_new_tokens=6)
    seen: list[bool] = []
    with model.role("policy") as policy:
        expected = generate(policy, prompts, [1, 2, 3], sampling)
    model.base.model.base_model.register_forward_hook(
        lambda module, args, output: seen.append(output.past_key_values is not None)
    )
    # Even while the role learns.
    with model.role("policy", train=True) as policy:
        assert generate(policy, prompts, [1, 2, 3], sampling) == expected
    assert seen
    assert all(seen)


def test_without_gradients_layers_run_once(model: RoleModel):
    model.checkpointing = True
    runs = runs_of_layers(model)
    logp_of(model, batch(model, rows(model)))
    assert runs == [1] * LAYERS


@pytest.mark.parametrize("then", [None, "reward"])
def test_a_backward_pass_after_the_block_raises(model: RoleModel, then: RoleName | None):
    model.checkpointing = True
    with model.role("policy", train=True) as policy:
        loss = loss_of(model, "policy", policy)
    runs = runs_of_layers(model)
    if then is None:
        with pytest.raises(RoleError, match="keep forward and backward inside"):
            loss.backward()
    else:
        with model.role(then, train=True), pytest.raises(RoleError, match="keep forward"):
            loss.backward()
    assert runs == [0] * LAYERS
    assert all(p.grad is None for p in model.peft.parameters())


@pytest.fixture
def switched(model: RoleModel) -> Iterator[Tensor]:
    """A loss of the policy whose adapter was switched behind its held role's back."""
    model.checkpointing = True
    with model.role("policy", train=True) as policy:
        loss = loss_of(model, "policy", policy)
        model.peft.set_adapter("reward")
        yield loss


def test_nothing_is_computed_again_with_another_adapter(model: RoleModel, switched: Tensor):
    with pytest.raises(RoleError, match="now others are"):
        switched.backward()
    assert all(p.grad is None for k, p in model.peft.named_parameters() if ".reward." in k)


def test_nothing_is_computed_again_with_weights_that_have_moved(model: RoleModel):
    model.checkpointing = True
    with model.role("policy", train=True) as policy:
        loss = loss_of(model, "policy", policy)
        stir(model, "policy", seed=7)
        with pytest.raises(RoleError, match="or they have changed since"):
            loss.backward()


def test_nothing_is_computed_again_on_other_copies_of_the_weights(model: RoleModel):
    model.checkpointing = True
    with model.role("policy", train=True) as policy:
        with model.dense.base():
            loss = loss_of(model, "policy", policy)
        with pytest.raises(CheckpointError):
            loss.backward()


def test_models_without_layers_to_repeat_are_refused():
    with pytest.raises(UnknownModel, match="Sequential has no layers that can be computed again"):
        repeatable_layers(nn.Sequential(nn.Linear(2, 2)))
