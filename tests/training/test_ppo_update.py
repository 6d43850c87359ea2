"""The optimizer steps of a PPO step: which are taken, and which are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import CertificateError, NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.training import ppo as ppo_module
from rlhf_lab.training import ppo_update as update_module
from tests.tiny import load_tiny, same, stir
from tests.training.ppo_steps import (
    minibatches,
    rollout_prompts,
    trainer,
)


@pytest.mark.parametrize(("quantize", "dtype"), [("none", torch.float32), ("nf4", torch.bfloat16)])
def test_the_ratio_is_exactly_1_before_the_first_optimizer_step(
    tiny_folder: Path, monkeypatch, quantize: str, dtype: torch.dtype
):
    model = load_tiny(tiny_folder, quantize=quantize, dtype=dtype)
    stir(model, "policy")
    ours = trainer(model)
    seen = minibatches(ours, monkeypatch)
    ours.step(rollout_prompts(model))
    assert (seen[0].ratio_max, seen[0].approx_kl, seen[0].clip_fraction) == (1.0, 0.0, 0.0)
    assert seen[1].ratio_max != 1.0


def test_old_logprobs_of_another_computation_are_caught(model: RoleModel, monkeypatch):
    ours = trainer(model)
    before = model.state("policy")
    score = ppo_module.score_texts

    def biased(*args, **options):
        rollout = score(*args, **options)
        return dataclasses.replace(rollout, logp=rollout.logp - 0.05 * rollout.is_response_token)

    monkeypatch.setattr(ppo_module, "score_texts", biased)
    with pytest.raises(
        CertificateError, match=r"largest ratio 1\.0513.*before the first optimizer"
    ):
        ours.step(rollout_prompts(model))
    assert same(model.state("policy"), before)


@pytest.mark.parametrize(("epochs", "count"), [(1, 1), (2, 3), (3, 4)])
@pytest.mark.parametrize("tokens", [60, 10_000])
def test_epochs_times_minibatches_optimizer_steps_are_made(
    model: RoleModel, epochs: int, count: int, tokens: int
):
    ours = trainer(model, epochs=epochs, minibatches=count, tokens_per_micro_batch=tokens)
    stats = ours.step(rollout_prompts(model))
    assert stats.optimizer_steps == epochs * count
    assert ours.optimizer.steps == epochs * count
    assert {float(v) for k, v in ours.optimizer.state().items() if k.endswith("/step")} == {
        epochs * count
    }


def test_every_response_is_in_one_minibatch_of_each_epoch_in_changing_order(
    model: RoleModel, monkeypatch
):
    # Small micro-batches, so that there are more orders of them than epochs.
    ours = trainer(model, epochs=3, tokens_per_micro_batch=60)
    dealt: list[list[int]] = []
    minibatch = ours.updater.minibatch

    def noted(rollout, targets, groups):
        dealt.append([row for g in groups for row in rollout.groups[g]])
        return minibatch(rollout, targets, groups)

    monkeypatch.setattr(ours.updater, "minibatch", noted)
    ours.step(rollout_prompts(model))
    epochs = [dealt[n : n + 3] for n in range(0, 9, 3)]
    assert all(sorted(r for part in epoch for r in part) == list(range(12)) for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) == 3


def test_a_step_beyond_the_kl_target_stops_the_epochs(model: RoleModel):
    ours = trainer(model, learning_rate=0.05, epochs=4, approx_kl_target=1e-4)
    stats = ours.step(rollout_prompts(model))
    assert stats.stopped_early
    assert 1 <= stats.optimizer_steps < 12
    assert stats.approx_kl > 1.5e-4  # what ended it is told
    assert stats.optimizer_steps == ours.optimizer.steps
    assert all(p.grad is None for p in model.parameters("policy").values())
    # The next step starts afresh.
    assert ours.step(rollout_prompts(model, 1)).optimizer_steps >= 1


def test_gradients_that_stay_broken_end_the_step_with_the_weights_of_before(
    model: RoleModel, monkeypatch
):
    ours = trainer(model)
    before = model.state("policy")
    minibatch = ours.updater.minibatch

    def poisoned(*args):
        found = minibatch(*args)
        next(iter(model.parameters("policy").values())).grad.fill_(float("nan"))
        return found

    monkeypatch.setattr(ours.updater, "minibatch", poisoned)
    with pytest.raises(NonFiniteError):
        ours.step(rollout_prompts(model))
    assert same(model.state("policy"), before)


def test_one_broken_gradient_is_skipped_and_counted(model: RoleModel, monkeypatch):
    ours = trainer(model)
    minibatch, calls = ours.updater.minibatch, []

    def once(*args):
        found = minibatch(*args)
        calls.append(1)
        if len(calls) == 2:
            next(iter(model.parameters("value").values())).grad.fill_(float("inf"))
        return found

    monkeypatch.setattr(ours.updater, "minibatch", once)
    stats = ours.step(rollout_prompts(model))
    assert (stats.optimizer_steps, stats.skipped_steps) == (5, 1)
    assert all(v.isfinite().all() for v in model.state("policy").values())
    assert stats.grad_norm_policy == stats.grad_norm_policy


def test_a_loss_that_is_not_finite_is_no_broken_certificate_but_a_dropped_step(
    model: RoleModel, monkeypatch
):
    ours = trainer(model)
    loss, calls = update_module.policy_loss, []

    def broken_at_first(*args, **options):
        found = loss(*args, **options)
        calls.append(1)
        return found._replace(loss=found.loss * float("nan")) if len(calls) == 1 else found

    monkeypatch.setattr(update_module, "policy_loss", broken_at_first)
    stats = ours.step(rollout_prompts(model))
    assert (stats.optimizer_steps, stats.skipped_steps) == (5, 1)
    assert all(v.isfinite().all() for v in model.state("policy").values())
    assert stats.policy_loss == stats.policy_loss
