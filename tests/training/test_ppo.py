from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlhf_lab.models import RoleModel
from rlhf_lab.training import (
    PPOTrainer,
    RankedExample,
    RewardConfig,
    RewardTrainer,
)
from rlhf_lab.training.rollout import Rollout
from tests.tiny import TEXTS, load_tiny, prompt, same, stir
from tests.training.ppo_steps import (
    configure,
    rollout_prompts,
    rollouts,
    timeless,
    trainer,
)


@pytest.mark.parametrize("advantage", ["rloo", "grpo"])
def test_responses_compared_with_each_other_need_no_value_role(
    model: RoleModel, monkeypatch, advantage: str
):
    ours = trainer(model, advantage=advantage, kl_coef=0.0)
    value, policy = model.state("value"), model.state("policy")
    seen = rollouts(monkeypatch)
    stats = ours.step(rollout_prompts(model))
    assert same(model.state("value"), value)
    assert not same(model.state("policy"), policy)
    assert seen[0].values is None
    assert (stats.value_loss, stats.explained_variance, stats.grad_norm_value) == (None,) * 3
    assert "value_loss" not in stats.as_metrics()
    assert "value" not in ours.state()[0]
    # Every token of a response has the advantage of the whole, from its own prompt's responses.
    advantages = ours._targets(seen[0], ours._rewards(seen[0])).advantages
    scores = seen[0].scores.reshape(3, 4)
    expected = scores - (scores.sum(1, keepdim=True) - scores) / 3
    if advantage == "grpo":
        expected = (scores - scores.mean(1, keepdim=True)) / (scores.std(1, keepdim=True) + 1e-4)
    expected = expected.reshape(12, 1) * seen[0].is_response_token
    torch.testing.assert_close(advantages, expected, rtol=1e-4, atol=1e-5)


def test_going_over_to_gae_starts_the_value_role_from_the_reward(model: RoleModel):
    before = trainer(model, advantage="rloo")
    before.step(rollout_prompts(model))
    stir(model, "value", seed=9)
    after = PPOTrainer(model, configure(advantage="gae"))
    after.load_state(*before.state())
    adapters = [
        {k: v for k, v in model.state(role).items() if not k.startswith("head.")}
        for role in ("reward", "value")
    ]
    assert same(*adapters)
    assert after.steps_done == 1
    assert after.step(rollout_prompts(model, step=1)).value_loss is not None


def test_only_policy_and_value_learn(model: RoleModel):
    ours = trainer(model)
    frozen = {"reward": model.state("reward")}
    moving = {r: model.state(r) for r in ("policy", "value")}
    base = {k: v.clone() for k, v in model.base.model.state_dict().items() if "lora" not in k}
    ours.step(rollout_prompts(model))
    assert same(model.state("reward"), frozen["reward"])
    assert not any(same(model.state(r), s) for r, s in moving.items())
    after = model.base.model.state_dict()
    assert all(torch.equal(after[k], v) for k, v in base.items())


@pytest.mark.parametrize("after", [0, 2])
def test_an_interrupt_in_the_update_leaves_everything_as_before(
    model: RoleModel, monkeypatch, after: int
):
    ours = trainer(model)
    ours.step(rollout_prompts(model))
    tensors, state = ours.state()
    before = {group: dict(values) for group, values in tensors.items()}
    coef, done = ours.controller.coef, ours.steps_done
    step = ours.optimizer.step

    def interrupted():
        if ours.optimizer.steps == 6 + after:
            raise KeyboardInterrupt
        return step()

    monkeypatch.setattr(ours.optimizer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ours.step(rollout_prompts(model, 1))
    tensors, found = ours.state()
    assert all(same(dict(tensors[g]), v) for g, v in before.items())
    assert (ours.controller.coef, ours.steps_done, found) == (coef, done, state)
    assert all(p.grad is None for p in model.parameters("policy").values())
    assert not [m for m in model.base.model.modules() if "forward" in vars(m)]


def test_an_interrupt_after_the_kl_price_moved_takes_that_back_too(model: RoleModel, monkeypatch):
    ours = trainer(model, kl_horizon=10.0)
    coef = ours.controller.coef
    before = model.state("policy")
    update = type(ours.controller).update

    def moved_then_stopped(self, kl, samples):
        update(self, kl, samples)
        assert self.coef != coef
        raise KeyboardInterrupt

    monkeypatch.setattr(type(ours.controller), "update", moved_then_stopped)
    with pytest.raises(KeyboardInterrupt):
        ours.step(rollout_prompts(model))
    assert ours.controller.coef == coef
    assert same(model.state("policy"), before)
    assert ours.steps_done == 0


def test_an_interrupted_step_can_be_repeated_as_if_nothing_had_been(
    model: RoleModel, tiny_folder: Path, monkeypatch
):
    other = load_tiny(tiny_folder)
    straight = timeless(trainer(other).step(rollout_prompts(other)))
    ours = trainer(model)
    with monkeypatch.context() as patch:
        patch.setattr(ours, "_stats", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ours.step(rollout_prompts(model))
    assert timeless(ours.step(rollout_prompts(model))) == straight
    assert same(model.state("policy"), other.state("policy"))


def test_the_same_seeds_give_the_same_figures_and_weights(model: RoleModel, tiny_folder: Path):
    figures, weights = [], []
    for one in (model, load_tiny(tiny_folder)):
        ours = trainer(one)
        figures.append([timeless(ours.step(rollout_prompts(one, n))) for n in range(2)])
        weights.append(
            {**one.state("policy"), **{f"v{k}": t for k, t in one.state("value").items()}}
        )
    assert figures[0] == figures[1]
    assert same(*weights)


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    model: RoleModel, tiny_folder: Path
):
    ours = trainer(model)
    ours.step(rollout_prompts(model))
    tensors, state = ours.state()
    straight = timeless(ours.step(rollout_prompts(model, 1)))
    other = load_tiny(tiny_folder)
    resumed = trainer(other)
    resumed.load_state(tensors, state)
    assert resumed.steps_done == 1
    assert timeless(resumed.step(rollout_prompts(other, 1))) == straight
    assert same(other.state("policy"), model.state("policy"))


def test_kl_is_0_at_the_start_and_its_price_adapts(model: RoleModel):
    ours = trainer(model, kl_target=2.0, kl_horizon=100.0, kl_coef=0.4)
    stats = ours.step(rollout_prompts(model))
    assert (stats.kl, stats.kl_k3, stats.kl_coef, stats.step) == (0.0, 0.0, 0.4, 1)
    # An error of -1 is clipped to -0.2; 12 samples of a horizon of 100.
    assert ours.controller.coef == pytest.approx(0.4 * (1 - 0.2 * 0.12))
    assert ours.step(rollout_prompts(model, 1)).kl != 0.0
    fixed = trainer(model, kl="fixed", kl_coef=0.4)
    fixed.step(rollout_prompts(model))
    assert fixed.controller.coef == 0.4


def shaped(ours: PPOTrainer, rollout: Rollout) -> torch.Tensor:
    return ours._rewards(rollout)


def test_rewards_are_the_clipped_score_at_the_end_minus_the_priced_kl(
    model: RoleModel, monkeypatch
):
    stir(model, "policy")
    ours = trainer(model, kl="fixed", kl_coef=0.3, score_clip=0.01)
    seen = rollouts(monkeypatch)
    ours.step(rollout_prompts(model))
    (rollout,) = seen
    rewards = shaped(ours, rollout)
    assert rollout.scores.abs().min() > 0.01
    for row, found in enumerate(rollout.texts.generated):
        count = len(found.token_ids)
        expected = -0.3 * (rollout.logp[row, :count] - rollout.ref_logp[row, :count])
        expected[-1] += 0.01 * rollout.scores[row].sign()
        torch.testing.assert_close(rewards[row, :count], expected, atol=1e-6, rtol=1e-5)
        assert not rewards[row, count:].any()
    assert rollout.is_response_token.sum(dim=1).tolist() == [
        len(g.token_ids) for g in rollout.texts.generated
    ]


def test_scores_are_clipped_only_when_asked_and_the_penalty_comes_after(
    model: RoleModel, monkeypatch
):
    ours = trainer(model, kl_coef=0.0)
    seen = rollouts(monkeypatch)
    ours.step(rollout_prompts(model))
    (rollout,) = seen
    ended = rollout.ended
    assert 0 < ended.sum() < len(ended)
    totals = {}
    for name, changes in {
        "free": {"score_clip": 0.0},
        "clipped": {"score_clip": 0.02},
        "penalised": {"score_clip": 0.02, "missing_eos_penalty": 1.5},
    }.items():
        ours.config = configure(kl_coef=0.0, **changes)
        ours.controller.coef = 0.0
        totals[name] = shaped(ours, rollout).sum(dim=1)
    torch.testing.assert_close(totals["free"], rollout.scores, atol=1e-6, rtol=0)
    clipped = rollout.scores.clamp(-0.02, 0.02)
    torch.testing.assert_close(totals["clipped"], clipped, atol=1e-6, rtol=0)
    expected = clipped - 1.5 * (~ended).float()
    torch.testing.assert_close(totals["penalised"], expected, atol=1e-6, rtol=0)


def test_the_reward_reads_the_end_token_the_policy_wrote(model: RoleModel, monkeypatch):
    ours = trainer(model)
    seen = rollouts(monkeypatch)
    ours.step(rollout_prompts(model))
    (rollout,) = seen
    end = model.base.tokenizer.eos_token_id
    for rows, tokens in zip(rollout.groups, rollout.batches, strict=True):
        last = tokens.of_responses(tokens.input_ids, tokens.last_places)
        assert [int(t) == end for t in last] == [bool(rollout.ended[r]) for r in rows]


def test_figures_agree_with_the_rollout(model: RoleModel, monkeypatch):
    stir(model, "policy")
    ours = trainer(model)
    seen = rollouts(monkeypatch)
    stats = ours.step(rollout_prompts(model))
    (rollout,) = seen
    lengths = [len(g.token_ids) for g in rollout.texts.generated]
    k1 = (rollout.logp - rollout.ref_logp).sum(dim=1)
    assert stats.response_length == pytest.approx(sum(lengths) / 12)
    assert stats.score == pytest.approx(rollout.scores.mean().item(), abs=1e-6)
    assert stats.score_std == pytest.approx(rollout.scores.std().item(), rel=1e-5)
    assert stats.kl == pytest.approx(k1.mean().item(), rel=1e-4, abs=1e-6)
    assert stats.entropy == pytest.approx(rollout.entropy.sum().item() / sum(lengths), rel=1e-5)
    assert stats.ended == pytest.approx(rollout.ended.float().mean().item())
    assert stats.objective == pytest.approx(stats.score - 0.05 * stats.kl, abs=1e-4)
    assert 0 < stats.clip_fraction < 1 or stats.ratio_max < 1.2
    assert str(stats).startswith("step   1  score ")
    assert all(isinstance(v, float) for v in stats.as_metrics().values())


def like_short_answers(model: RoleModel) -> None:
    """Teach the reward role that shorter answers are better."""
    end = model.base.tokenizer.eos_token_id
    examples = [
        RankedExample(
            judgment_id=str(n),
            prompt=model.chat.encode(prompt(TEXTS[n % 3])),
            candidates=[[*(97 + (7 * n + 3 * i) % 26 for i in range(c)), end] for c in (1, 4, 9)],
            ranks=[1, 2, 3],
        )
        for n in range(9)
    ]
    rewards = RewardTrainer(model, RewardConfig(epochs=20, learning_rate=1e-2))
    rewards.fit(examples, progress=False)
    rewards.normalise_on(rewards.scores(examples))


def test_the_policy_learns_what_the_reward_likes(model: RoleModel):
    like_short_answers(model)
    model.copy_role("reward", "value")
    ours = PPOTrainer(model, configure(learning_rate=1e-2, kl_coef=0.01, approx_kl_target=0.2))
    history = [ours.step(rollout_prompts(model, n)) for n in range(15)]

    def mean(figure: str, part: slice) -> float:
        values = [getattr(s, figure) for s in history[part]]
        return sum(values) / len(values)

    first, last = slice(0, 3), slice(-3, None)
    assert mean("score", last) > mean("score", first) + 0.5
    assert mean("response_length", last) < mean("response_length", first) - 2
    assert mean("kl", last) > 0.5
    assert [s.step for s in history] == list(range(1, 16))
