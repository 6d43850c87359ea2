from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import CertificateError, UnknownModel
from rlhf_lab.models import RoleModel, TokenBatch, checkpointing
from rlhf_lab.training import certify as module
from rlhf_lab.training import plain_model
from rlhf_lab.training.certify import certify
from tests.tiny import load_tiny, same, stir

RECOMPUTED = "gradient with checkpointing against without"


def found(certificate) -> dict[str, bool]:
    return {check.name: check.passed for check in certificate.checks}


@pytest.mark.parametrize(("quantize", "dtype"), [("none", torch.float32), ("nf4", torch.bfloat16)])
def test_a_sound_model_passes_every_check_and_is_left_as_it_was(
    tiny_folder: Path, quantize: str, dtype: torch.dtype
):
    model = load_tiny(tiny_folder, quantize=quantize, dtype=dtype)
    stir(model, "policy", "reward", "value")
    before = {role: model.state(role) for role in ("policy", "reward", "value")}
    certificate = certify(model)
    assert certificate.passed, str(certificate)
    assert len(certificate.checks) == 7
    certificate.require()
    # One code path and one layout: not nearly the same but the same.
    assert certificate.checks[0].found == 0.0
    assert certificate.checks[0].bound == 1e-4
    recomputed = certificate.checks[5]
    assert recomputed.name == RECOMPUTED
    assert (recomputed.found, recomputed.bound) == (0.0, 0.0)
    assert not model.checkpointing
    assert all(same(model.state(role), state) for role, state in before.items())
    assert all(p.grad is None for p in model.peft.parameters())
    assert str(certificate).count("\n  ok  ") == 7
    assert certificate._repr_html_().count("✓") == 7


def test_a_gradient_that_is_scaled_wrongly_is_found(model: RoleModel, monkeypatch):
    """Every output is right; only the backward pass of the joined layer is not."""
    from rlhf_lab.models.lora_linear import _LoraLinear

    stir(model, "policy")
    backward = _LoraLinear.backward

    def wrong(ctx, grad):
        x, weight, bias, a, b, scaling = backward(ctx, grad)
        return x, weight, bias, a, None if b is None else 1.01 * b, scaling

    monkeypatch.setattr(_LoraLinear, "backward", staticmethod(wrong))
    certificate = certify(model)
    assert [n for n, passed in found(certificate).items() if not passed] == [
        "gradient against a plain model"
    ]
    with pytest.raises(CertificateError, match=r"gradient against a plain model: \d.*at most 1"):
        certificate.require()


def test_the_gradient_is_held_against_one_in_float64(model: RoleModel):
    """One in fp32 would be the worse of the two: its head adds up the whole vocabulary."""
    stir(model, "policy")
    with model.dense.base():
        gradients = plain_model.plain_gradients(model, module._rows(model))
    assert gradients.keys() == model.parameters("policy").keys()
    assert {g.dtype for g in gradients.values()} == {torch.float64}


def test_checkpointing_that_changes_the_gradient_is_found(model: RoleModel, monkeypatch):
    """Outputs are right, and so are gradients without checkpointing."""
    stir(model, "policy")

    def cut_off(run, states, *inputs, **options):
        return run(states.detach(), *inputs)

    monkeypatch.setattr(checkpointing, "checkpoint", cut_off)
    failed = [name for name, passed in found(certify(model)).items() if not passed]
    assert failed == [RECOMPUTED]


@pytest.mark.parametrize("used", [False, True])
def test_the_certificate_before_training_compares_checkpointing_where_it_is_used(
    model: RoleModel, used: bool
):
    model.checkpointing = used
    certificate = certify(model, compare_gradients=False)
    assert certificate.passed
    assert (RECOMPUTED in found(certificate)) == used
    assert model.checkpointing == used


def test_models_whose_layers_cannot_be_repeated_are_not_asked(model: RoleModel, monkeypatch):
    def none_of_them(_model):
        raise UnknownModel("it has no layers that can be computed again")

    monkeypatch.setattr(module, "repeatable_layers", none_of_them)
    assert RECOMPUTED not in found(certify(model, compare_gradients=False))
    assert RECOMPUTED not in found(certify(model))


def test_a_model_that_looks_at_padding_is_found(model: RoleModel, monkeypatch):
    stir(model, "policy", "reward", "value")
    everything = property(lambda self: torch.ones_like(self.input_ids))
    places = property(lambda self: self.input_ids.shape[1] - 1 - 0 * self.starts)
    monkeypatch.setattr(TokenBatch, "attention_mask", everything)
    monkeypatch.setattr(TokenBatch, "last_places", places)
    failed = [name for name, passed in found(certify(model)).items() if not passed]
    assert failed == ["what stands in the padding", "more padding"]


def test_a_gradient_in_another_role_is_found(model: RoleModel, monkeypatch):
    stir(model, "policy", "reward")
    leak = next(iter(model.parameters("value").values()))
    output = module.OUTPUTS["policy"]

    def leaking(role, batch):
        leak.requires_grad_()
        return output(role, batch) + 0 * leak.sum()

    monkeypatch.setitem(module.OUTPUTS, "policy", leaking)
    certificate = certify(model, compare_gradients=False)
    assert found(certificate)["parameters of other roles with a gradient"] is False


def test_nan_agrees_with_nothing(model: RoleModel):
    with torch.no_grad():
        next(iter(model.parameters("reward").values())).fill_(float("nan"))
    certificate = certify(model, compare_gradients=False)
    assert not certificate.passed
    with pytest.raises(CertificateError, match="inf"):
        certificate.require()


def test_large_models_are_not_asked_for_a_second_one(model: RoleModel, monkeypatch):
    monkeypatch.setattr(plain_model, "LARGEST", 10)
    assert "gradient against a plain model" not in found(certify(model))
