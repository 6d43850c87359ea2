from __future__ import annotations

import pytest
import torch

from rlhf_lab.models import RoleModel
from rlhf_lab.models import attention as module
from rlhf_lab.models.attention import short_attention
from tests.tiny import batch, rows, stir


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("key_heads", [1, 2, 6])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_outputs_and_gradients_equal_the_fused_kernel(key_heads: int, scaling: float | None):
    torch.manual_seed(0)
    query = random(2, 6, 5, 4)
    key, value = random(2, key_heads, 5, 4), random(2, key_heads, 5, 4)
    may_see = torch.ones(5, 5, dtype=torch.bool).tril().repeat(2, 1, 1, 1)
    may_see[1, 0, 3:, 1] = False
    found = []
    for attend in (
        lambda: short_attention(query, key, value, may_see, scaling),
        lambda: torch.nn.functional.scaled_dot_product_attention(
            query, key, value, may_see, scale=scaling, enable_gqa=True
        ),
    ):
        out = attend()
        gradients = torch.autograd.grad((out**2).sum(), (query, key, value))
        found.append([out, *gradients])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_short_rows_of_a_model_attend_plainly_and_give_what_the_fused_kernel_gives(
    model: RoleModel, monkeypatch
):
    stir(model, "policy")
    tokens = batch(model, rows(model))
    used = []
    plain = module.short_attention
    monkeypatch.setattr(module, "short_attention", lambda *a: used.append(a) or plain(*a))

    def logp_and_gradients() -> list[torch.Tensor]:
        with model.role("policy", train=True) as policy:
            logp = policy.logprobs(tokens).logp
            logp.sum().backward()
        parameters = model.parameters("policy").values()
        gradients = [p.grad.clone() for p in parameters if p.grad is not None]
        for parameter in parameters:
            parameter.grad = None
        return [logp.detach(), *gradients]

    short = logp_and_gradients()
    layers = model.base.model.config.num_hidden_layers
    assert len(used) == layers
    monkeypatch.setattr(module, "SHORT", 8)
    fused = logp_and_gradients()
    assert len(used) == layers
    assert len(short) > 20
    for ours, theirs in zip(short, fused, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_batch_without_padding_is_causal_too(model: RoleModel):
    # transformers leaves the mask out when nothing is padded.
    ids = torch.tensor([[5, 6, 7, 8]])
    changed = torch.tensor([[5, 6, 7, 9]])
    with model.role("policy"), torch.no_grad():
        states = [
            model.base.model.base_model(input_ids=i).last_hidden_state for i in (ids, changed)
        ]
    assert torch.equal(states[0][:, :3], states[1][:, :3])
    assert not torch.equal(states[0][:, 3], states[1][:, 3])
