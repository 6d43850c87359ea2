from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit
from peft.tuners.lora import LoraLayer
from torch import Tensor

from rlhf_lab.models import RoleModel
from tests.tiny import batch, load_tiny, logp_of, rows, stir

# Largest difference in a log-probability, by the type that both sides compute in.
BOUNDS = {torch.float32: 1e-4, torch.bfloat16: 0.15}


@pytest.fixture(params=BOUNDS, ids=str)
def quantized(request: pytest.FixtureRequest, tiny_folder: Path) -> RoleModel:
    model = load_tiny(tiny_folder, quantize="nf4", dtype=request.param)
    stir(model, "policy")
    return model


def gap(first: Tensor, second: Tensor) -> float:
    return (first - second).abs().max().item()


def replaced(model: RoleModel) -> list[str]:
    return [k for k, m in model.base.model.named_modules() if "forward" in vars(m)]


def packed(model: RoleModel) -> list[Tensor]:
    layers = [m for m in model.base.model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == 14
    return [layer.weight.data.clone() for layer in layers]


@pytest.mark.parametrize("kind", ["base", "merged"])
def test_dense_copies_compute_what_the_4_bit_kernels_do(quantized: RoleModel, kind: str):
    tokens = batch(quantized, rows(quantized))
    before = packed(quantized)
    kernels = logp_of(quantized, tokens)
    context = quantized.dense.base() if kind == "base" else quantized.dense.merged("policy")
    with context:
        assert len(replaced(quantized)) == 14
        dense = logp_of(quantized, tokens)
    assert gap(dense, kernels) <= BOUNDS[quantized.base.dtype]
    # The truth stays as it was: nothing is merged into quantized weights.
    assert all(torch.equal(b, a) for b, a in zip(before, packed(quantized), strict=True))
    assert torch.equal(logp_of(quantized, tokens), kernels)


def test_merged_copies_hold_the_adapter_they_name(quantized: RoleModel):
    tokens = batch(quantized, rows(quantized))
    with_adapter, bare = logp_of(quantized, tokens), logp_of(quantized, tokens, "reference")
    bound = BOUNDS[quantized.base.dtype]
    assert gap(with_adapter, bare) > 2 * bound
    with quantized.dense.merged(None):
        assert gap(logp_of(quantized, tokens), bare) <= bound


@pytest.mark.parametrize("kind", ["base", "merged"])
@pytest.mark.parametrize("failing", [False, True])
def test_forwards_are_restored_however_the_block_ends(
    quantized: RoleModel, kind: str, failing: bool
):
    context = quantized.dense.base() if kind == "base" else quantized.dense.merged("policy")
    if failing:
        with pytest.raises(KeyboardInterrupt), context:
            raise KeyboardInterrupt
    else:
        with context:
            pass
    assert replaced(quantized) == []


def test_forwards_are_restored_when_a_copy_cannot_be_made(quantized: RoleModel, monkeypatch):
    layers = [m for m in quantized.base.model.modules() if isinstance(m, LoraLayer)]
    unpacked = quantized.dense.unpacked

    def out_of_memory(layer):
        if layer is layers[3].get_base_layer():
            raise MemoryError
        return unpacked(layer)

    monkeypatch.setattr(quantized.dense, "unpacked", out_of_memory)
    for context in (quantized.dense.base(), quantized.dense.merged("policy")):
        with pytest.raises(MemoryError), context:
            pass
        assert replaced(quantized) == []


def test_jobs_inside_jobs_share_one_copy(quantized: RoleModel):
    tokens = batch(quantized, rows(quantized))
    with quantized.dense.base():
        outer, bare = logp_of(quantized, tokens), logp_of(quantized, tokens, "reference")
        names = replaced(quantized)
        with quantized.dense.base():
            assert replaced(quantized) == names
        assert replaced(quantized) == names
        with quantized.dense.merged("policy"):
            assert replaced(quantized) == names
            assert not torch.equal(logp_of(quantized, tokens, "reference"), bare)
        assert torch.equal(logp_of(quantized, tokens), outer)
    assert replaced(quantized) == []


def policy_gradients(model: RoleModel) -> dict[str, Tensor]:
    with model.role("policy", train=True) as policy:
        policy.logprobs(batch(model, rows(model))).logp.sum().backward()
    found = {k: p.grad.clone() for k, p in model.parameters("policy").items()}
    for parameter in model.parameters("policy").values():
        parameter.grad = None
    return found


def test_gradients_pass_through_4_bit_and_dense_weights_alike(quantized: RoleModel):
    kernels = policy_gradients(quantized)
    # A pass without gradients comes first in every job; it must not change how the next is run.
    logp_of(quantized, batch(quantized, rows(quantized)))
    again = policy_gradients(quantized)
    with quantized.dense.base():
        dense = policy_gradients(quantized)
    bound = {torch.float32: 1e-4, torch.bfloat16: 0.1}[quantized.base.dtype]
    assert len(kernels) == 28
    for key, gradient in kernels.items():
        assert gradient.any()
        assert torch.equal(again[key], gradient)
        assert gap(dense[key], gradient) <= bound * gradient.abs().max().item()


def test_unquantized_models_need_no_copies_of_the_base(tiny_folder: Path):
    model = load_tiny(tiny_folder)
    stir(model, "policy")
    tokens = batch(model, rows(model))
    plain = logp_of(model, tokens)
    layers = [m.get_base_layer() for m in model.base.model.modules() if isinstance(m, LoraLayer)]
    for layer in layers:
        assert model.dense.unpacked(layer).weight.data_ptr() == layer.weight.data_ptr()
    with model.dense.base():
        assert gap(logp_of(model, tokens), plain) <= 1e-5
    with model.dense.merged("policy"):
        assert gap(logp_of(model, tokens), plain) <= 1e-5
