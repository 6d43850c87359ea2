"""What a PPO step measures on its rollout, and what its losses aim at, against the formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rlhf_lab.errors import NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.training import PPOStats, PPOTrainer
from rlhf_lab.training import ppo_update as update_module
from rlhf_lab.training.rollout import Rollout
from rlhf_lab.types import Sampling
from tests.algorithms import reference
from tests.algorithms.batches import close, flat
from tests.tiny import batch, load_tiny, same, stir
from tests.training.ppo_steps import rollout_prompts, rollouts, trainer


def one_step(ours: PPOTrainer, monkeypatch) -> tuple[Rollout, PPOStats]:
    """A step, and its rollout; the policy is then what it was when it sampled."""
    before = ours.model.state("policy")
    seen = rollouts(monkeypatch)
    stats = ours.step(rollout_prompts(ours.model))
    ours.model.load_state("policy", before)
    return seen[0], stats


def rows_of(rollout: Rollout, values: Tensor) -> list[list[float]]:
    """Response tokens alone, row by row."""
    counts = [len(g.token_ids) for g in rollout.texts.generated]
    return [row[:n].tolist() for row, n in zip(values, counts, strict=True)]


def test_log_probabilities_of_a_rollout_are_at_the_sampling_temperature(
    model: RoleModel, monkeypatch
):
    stir(model, "policy")
    sampling = Sampling(max_new_tokens=8, temperature=0.5)
    ours = trainer(model, sampling=sampling)
    rollout, _ = one_step(ours, monkeypatch)
    for role, found in (("policy", rollout.logp), ("reference", rollout.ref_logp)):
        for row, (ids, written) in enumerate(
            zip(rollout.texts.prompts, rollout.texts.generated, strict=True)
        ):
            answer = torch.tensor(written.token_ids)
            whole = torch.tensor([[*ids, *written.token_ids]])
            with model.role(role):
                logits = model.base.model(whole).logits[0, len(ids) - 1 : -1].double()
            log_probs = (logits / 0.5).log_softmax(dim=-1)
            expected = log_probs.gather(1, answer[:, None])[:, 0]
            close(found[row, : len(answer)], expected, rtol=0, atol=1e-4)


def test_scores_of_a_rollout_are_normalised_on_the_references_responses(
    model: RoleModel, monkeypatch
):
    ours = trainer(model)
    with torch.no_grad():
        model.head("reward").mean.fill_(3.0)
        model.head("reward").scale.fill_(0.5)
    rollout, stats = one_step(ours, monkeypatch)
    pairs = zip(rollout.texts.prompts, rollout.texts.generated, strict=True)
    with model.role("reward") as reward:
        raw = torch.cat([reward.scores(batch(model, [(list(p), g.token_ids)])) for p, g in pairs])
    close(rollout.scores, (raw - 3.0) / 0.5, rtol=1e-4, atol=1e-4)
    assert stats.score == pytest.approx(2 * (raw.mean().item() - 3.0), rel=1e-4)


@pytest.mark.parametrize("whiten_rewards", [False, True])
def test_advantages_are_gae_without_their_mean_and_whitened_rewards_keep_theirs(
    model: RoleModel, monkeypatch, whiten_rewards: bool
):
    stir(model, "policy")
    ours = trainer(model, gamma=0.9, lam=0.8, kl_coef=0.3, whiten_rewards=whiten_rewards)
    rollout, _ = one_step(ours, monkeypatch)
    ours.controller.coef = 0.3
    shaped = ours._rewards(rollout)
    found = ours._targets(rollout, shaped)
    rewards, values = rows_of(rollout, shaped), rows_of(rollout, rollout.values)
    if whiten_rewards:
        whitened = iter(reference.whiten(flat(rewards), keep_mean=True))
        rewards = [[next(whitened) for _ in row] for row in rewards]
    pairs = zip(rewards, values, strict=True)
    advantages = flat([reference.gae(r, v, 0.9, 0.8) for r, v in pairs])
    returns = [a + v for a, v in zip(advantages, flat(values), strict=True)]
    expected = reference.whiten(advantages, keep_mean=False)
    close(flat(rows_of(rollout, found.advantages)), expected, rtol=1e-3, atol=1e-4)
    close(flat(rows_of(rollout, found.returns)), returns, rtol=1e-3, atol=1e-4)
    assert not found.advantages[~rollout.is_response_token].any()


def test_kl_is_told_by_both_estimators_per_response(model: RoleModel, monkeypatch):
    stir(model, "policy", scale=0.1)
    rollout, stats = one_step(trainer(model), monkeypatch)
    logp, other = (rows_of(rollout, x) for x in (rollout.logp, rollout.ref_logp))
    assert stats.kl == pytest.approx(sum(flat(reference.kl_k1(logp, other))) / 12, rel=1e-4)
    assert stats.kl_k3 == pytest.approx(sum(flat(reference.kl_k3(logp, other))) / 12, rel=1e-4)
    assert abs(stats.kl - stats.kl_k3) > 1e-3


# The losses


def test_clip_ranges_are_those_of_the_settings(model: RoleModel, monkeypatch):
    seen: dict[str, set[float]] = {}
    for name in ("policy_loss", "value_loss"):
        original = getattr(update_module, name)

        def noted(*args, clip, name=name, original=original):
            seen.setdefault(name, set()).add(clip)
            return original(*args, clip=clip)

        monkeypatch.setattr(update_module, name, noted)
    trainer(model, clip=0.07, value_clip=0.31).step(rollout_prompts(model))
    assert seen == {"policy_loss": {0.07}, "value_loss": {0.31}}


def test_the_value_loss_weighs_as_much_as_the_settings_say(tiny_folder: Path):
    norms = []
    for coef in (0.1, 0.3):
        model = load_tiny(tiny_folder)
        ours = trainer(model, vf_coef=coef, epochs=1, minibatches=1)
        norms.append(ours.step(rollout_prompts(model)))
    assert norms[1].grad_norm_value == pytest.approx(3 * norms[0].grad_norm_value, rel=1e-4)
    assert norms[1].value_loss == pytest.approx(norms[0].value_loss, rel=1e-5)
    assert norms[1].grad_norm_policy == pytest.approx(norms[0].grad_norm_policy, rel=1e-5)


def test_every_response_token_weighs_the_same_however_they_share_batches(tiny_folder: Path):
    """Micro-batches of unlike numbers of tokens give the gradient of one large batch."""
    found = []
    for tokens in (60, 10_000):
        model = load_tiny(tiny_folder)
        ours = trainer(model, epochs=1, minibatches=1, tokens_per_micro_batch=tokens)
        stats = ours.step(rollout_prompts(model))
        found.append(
            [stats.grad_norm_policy, stats.grad_norm_value, stats.policy_loss, stats.value_loss]
        )
    close(found[0], found[1], rtol=1e-4, atol=1e-6)


# What is not finite


@pytest.mark.parametrize("figure", ["loss", "approx_kl", "ratio_max"])
@pytest.mark.parametrize("call", [1, 2])
def test_a_figure_that_is_not_finite_drops_its_step_though_its_gradient_is(
    model: RoleModel, monkeypatch, figure: str, call: int
):
    """Nor is it a broken certificate when the first minibatch shows it."""
    ours = trainer(model, tokens_per_micro_batch=10_000)
    loss, calls = update_module.policy_loss, []

    def broken_once(*args, **options):
        calls.append(1)
        found = loss(*args, **options)
        infinite = getattr(found, figure) + float("inf")
        return found._replace(**{figure: infinite}) if len(calls) == call else found

    monkeypatch.setattr(update_module, "policy_loss", broken_once)
    stats = ours.step(rollout_prompts(model))
    assert (stats.optimizer_steps, stats.skipped_steps) == (5, 1)
    assert ours.optimizer.steps == 5


def test_steps_that_were_taken_before_the_third_broken_one_are_taken_back(
    model: RoleModel, monkeypatch
):
    ours = trainer(model)
    before = {role: model.state(role) for role in ("policy", "value")}
    minibatch, moved = ours.updater.minibatch, []

    def poisoned_later(*args):
        found = minibatch(*args)
        moved.append(not same(model.state("policy"), before["policy"]))
        if len(moved) > 2:
            next(iter(model.parameters("policy").values())).grad.fill_(float("nan"))
        return found

    monkeypatch.setattr(ours.updater, "minibatch", poisoned_later)
    with pytest.raises(NonFiniteError, match="in 3 steps in a row"):
        ours.step(rollout_prompts(model))
    assert moved == [False, True, True, True, True]
    assert all(same(model.state(role), state) for role, state in before.items())
    assert ours.optimizer.state() == {}
