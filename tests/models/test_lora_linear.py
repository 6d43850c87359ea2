from __future__ import annotations

import pytest
import torch

from rlhf_lab.models.lora_linear import lora_linear


def parts(dtype: torch.dtype, *, with_bias: bool, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    x, weight, a, b = random(2, 3, 5), random(7, 5), random(4, 5), random(7, 4)
    return x, weight, random(7) if with_bias else None, a, b


@pytest.mark.parametrize("with_bias", [False, True])
def test_it_is_the_layer_plus_the_scaled_adapter(with_bias: bool):
    x, weight, bias, a, b = parts(torch.float64, with_bias=with_bias)
    expected = torch.nn.functional.linear(x, weight, bias) + 2.5 * (x @ a.T) @ b.T
    torch.testing.assert_close(lora_linear(x, weight, bias, a, b, 2.5), expected)


@pytest.mark.parametrize("with_bias", [False, True])
def test_its_gradients_are_those_of_small_differences(with_bias: bool):
    x, weight, bias, a, b = parts(torch.float64, with_bias=with_bias)
    for tensor in (x, a, b):
        tensor.requires_grad_()
    torch.autograd.gradcheck(lambda x, a, b: lora_linear(x, weight, bias, a, b, 2.5), (x, a, b))


def test_inputs_without_gradients_get_none_and_the_adapter_its_own_type():
    x, weight, bias, a, b = parts(torch.bfloat16, with_bias=True)
    a, b = a.float().requires_grad_(), b.float().requires_grad_()
    found = lora_linear(x, weight, bias, a, b, 0.5)
    found.sum().backward()
    assert found.dtype == torch.bfloat16
    assert x.grad is None
    assert weight.grad is None
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.dtype, b.grad.dtype) == (torch.float32, torch.float32)


def test_neighbouring_layers_keep_one_copy_of_their_input():
    x, weight, bias, a, b = parts(torch.float32, with_bias=False)
    a.requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        lora_linear(x, weight, bias, a, b, 1.0)
        lora_linear(x, weight, bias, a, b, 1.0)
    inputs = [t for t in kept if t.shape == (6, 5)]
    assert len(inputs) == 2
    assert {t.data_ptr() for t in inputs} == {x.data_ptr()}
