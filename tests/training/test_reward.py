from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rlhf_lab.algorithms import centring_loss, pairs_of_tiers, ranking_loss
from rlhf_lab.errors import NonFiniteError, NotEnoughData
from rlhf_lab.models import Role, RoleModel
from rlhf_lab.training import RankedExample, RewardConfig, RewardTrainer, reward
from rlhf_lab.training.ranking_trainer import ordered_pairs_right
from tests.tiny import batch, load_tiny, prompt, same


def example(model: RoleModel, number: int, candidates: int = 4, ranks: Sequence[int] = ()):
    """A prompt with random answers, the longest best unless ranks say otherwise."""
    draw = random.Random(number)
    end = model.base.tokenizer.eos_token_id
    answers = [
        [*(draw.randrange(65, 90) for _ in range(2 + 3 * n)), end] for n in range(candidates)
    ]
    return RankedExample(
        judgment_id=f"j{number}",
        prompt=model.chat.encode(prompt(f"Question {number}?")),
        candidates=answers,
        ranks=list(ranks) or list(range(candidates, 0, -1)),
    )


def accuracy(trainer: RewardTrainer, examples: Sequence[RankedExample]) -> float:
    scores = trainer.scores(examples)
    right = [
        r for s, e in zip(scores, examples, strict=True) for r in ordered_pairs_right(s, e.ranks)
    ]
    return sum(right) / len(right)


def test_a_few_rankings_are_learned_by_heart(model: RoleModel):
    draw = random.Random(0)
    examples = [example(model, n, ranks=draw.sample(range(1, 5), 4)) for n in range(6)]
    trainer = RewardTrainer(model, RewardConfig(epochs=40, learning_rate=1e-2))
    assert accuracy(trainer, examples) < 0.8
    found = trainer.fit(examples, progress=False)
    assert accuracy(trainer, examples) == 1.0
    assert [len(epoch) for epoch in found.losses] == [2] * 40
    assert found.losses[-1][-1] < 0.2 < found.losses[0][0]
    assert (found.kept_epoch, found.kept_by, found.heldout_losses) == (40, "the last", ())


def test_only_the_reward_role_learns(model: RoleModel):
    others = {r: model.state(r) for r in ("policy", "value")}
    RewardTrainer(model).fit([example(model, 1)], progress=False)
    assert all(same(model.state(r), s) for r, s in others.items())


def test_each_candidate_runs_once_and_all_pairs_share_its_score(model: RoleModel, monkeypatch):
    seen: list[int] = []
    scores = Role.scores

    def counted(self, tokens):
        seen.extend(tokens.response_lengths.tolist())
        return scores(self, tokens)

    monkeypatch.setattr(Role, "scores", counted)
    one = example(model, 3, candidates=6)
    trainer = RewardTrainer(model, RewardConfig(epochs=1, tokens_per_micro_batch=100))
    trainer.fit([one], progress=False)
    assert sorted(seen) == sorted(len(c) for c in one.candidates)
    assert len(pairs_of_tiers(one.ranks).better) == 15


def test_scores_come_back_in_the_candidates_order(model: RoleModel):
    one = example(model, 3, candidates=5)
    mixed = RankedExample(
        judgment_id="m",
        prompt=one.prompt,
        candidates=[one.candidates[i] for i in (3, 0, 4, 1, 2)],
        ranks=one.ranks,
    )
    for tokens in (60, 10_000):
        trainer = RewardTrainer(model, RewardConfig(tokens_per_micro_batch=tokens))
        (scores,) = trainer.scores([mixed])
        with model.role("reward") as role:
            pairs = [(list(one.prompt), list(c)) for c in mixed.candidates]
            alone = torch.cat([role.scores(batch(model, [p])) for p in pairs])
        torch.testing.assert_close(scores, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("tokens", [100, 512])
def test_a_prompts_ranking_weighs_the_same_whatever_its_number_of_candidates(
    model: RoleModel, tokens: int
):
    """The gradient of a step is the mean over rankings of the mean over pairs, in any batches."""
    few, many = example(model, 1, candidates=2), example(model, 2, candidates=9)
    log_tie = model.head("reward").log_tie
    with model.role("reward", train=True) as role:
        losses = []
        for one in (few, many):
            rows = batch(model, [(list(one.prompt), list(c)) for c in one.candidates])
            losses.append(ranking_loss(role.scores(rows), pairs_of_tiers(one.ranks), log_tie))
        (sum(losses) / 2).backward()
    parameters = model.parameters("reward")
    expected = {k: p.grad.clone() for k, p in parameters.items()}
    for parameter in parameters.values():
        parameter.grad = None
    trainer = RewardTrainer(model, RewardConfig(epochs=1, tokens_per_micro_batch=tokens))
    seen: dict[str, torch.Tensor] = {}
    trainer.optimizer.step = lambda: seen.update({k: p.grad.clone() for k, p in parameters.items()})
    ((loss,),) = trainer.fit([few, many], progress=False).losses
    assert loss == pytest.approx(sum(x.item() for x in losses) / 2, rel=1e-5)
    for key, gradient in expected.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(seen[key], gradient, atol=1e-4 * scale + 1e-7, rtol=0)


def test_ties_move_the_tie_parameter(model: RoleModel):
    trainer = RewardTrainer(model, RewardConfig(epochs=10, learning_rate=1e-2))
    trainer.fit([example(model, n, ranks=[1, 1, 1, 2]) for n in range(4)], progress=False)
    assert model.head("reward").log_tie.item() > 0.02


def test_normalising_gives_the_references_scores_mean_0_and_deviation_1(model: RoleModel):
    examples = [example(model, n) for n in range(5)]
    trainer = RewardTrainer(model)
    raw = trainer.scores(examples)
    trainer.normalise_on(raw)
    after = torch.cat([model.head("reward").normalised(s) for s in trainer.scores(examples)])
    assert after.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert after.std().item() == pytest.approx(1.0, abs=1e-5)
    # Raw scores, which rankings are learned from, stay as they were.
    assert all(torch.equal(a, b) for a, b in zip(raw, trainer.scores(examples), strict=True))


def test_equal_scores_do_not_blow_up_the_normaliser(model: RoleModel):
    trainer = RewardTrainer(model)
    trainer.normalise_on([torch.full((4,), 2.0)])
    assert model.head("reward").normalised(torch.tensor(2.0)).item() == 0
    assert model.head("reward").scale.item() == pytest.approx(1e-3)


def test_old_rankings_are_replayed_in_every_epoch(model: RoleModel, monkeypatch):
    new, old = [example(model, n) for n in range(3)], [example(model, n) for n in range(10, 30)]
    trainer = RewardTrainer(model, RewardConfig(epochs=4, replay=2.0, rankings_per_step=5))
    steps: list[list[str]] = []
    monkeypatch.setattr(
        trainer, "step", lambda examples: steps.append([e.judgment_id for e in examples]) or 0.0
    )
    trainer.fit(new, old, progress=False)
    assert [len(s) for s in steps] == [5, 4] * 4
    epochs = [sorted(steps[n] + steps[n + 1]) for n in range(0, 8, 2)]
    fresh = {e.judgment_id for e in new}
    assert all(fresh <= set(epoch) and len(set(epoch)) == 9 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    steps.clear()
    trainer.fit(new, old[:1], progress=False)
    assert sum(map(len, steps)) == 4 * 4


def test_an_interrupted_fit_changes_nothing(model: RoleModel, monkeypatch):
    examples = [example(model, n) for n in range(4)]
    trainer = RewardTrainer(model, RewardConfig(rankings_per_step=1))
    trainer.fit(examples[:1], progress=False)
    before, moments = model.state("reward"), trainer.optimizer.state()
    step, calls = trainer.step, []

    def interrupted(part):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(part)

    monkeypatch.setattr(trainer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(examples, progress=False)
    assert same(model.state("reward"), before)
    assert same(trainer.optimizer.state(), moments)


def test_losses_that_are_not_finite_end_the_fit_with_the_weights_of_before(model: RoleModel):
    before = None
    trainer = RewardTrainer(model, RewardConfig(epochs=5))
    with torch.no_grad():
        model.head("reward").bias.fill_(float("nan"))
    before = {k: v.nan_to_num(9.0) for k, v in model.state("reward").items()}
    with pytest.raises(NonFiniteError, match="3 steps in a row"):
        trainer.fit([example(model, 1)], progress=False)
    assert same({k: v.nan_to_num(9.0) for k, v in model.state("reward").items()}, before)


def test_nothing_new_is_said(model: RoleModel):
    with pytest.raises(NotEnoughData, match="0 new rankings: rank some first"):
        RewardTrainer(model).fit([], [example(model, 1)], progress=False)


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    model: RoleModel, tiny_folder: Path
):
    first, second = ([example(model, n + k) for k in range(3)] for n in (0, 10))
    straight = RewardTrainer(model)
    straight.fit(first, progress=False)
    kept = straight.state()
    straight.fit(second, first, progress=False)
    other = RewardTrainer(load_tiny(tiny_folder))
    other.load_state(kept)
    other.fit(second, first, progress=False)
    assert same(other.model.state("reward"), model.state("reward"))


def test_pairs_are_right_half_right_or_wrong():
    assert ordered_pairs_right([3.0, 1.0, 1.0], [1, 2, 3]) == [1.0, 1.0, 0.5]
    assert ordered_pairs_right(torch.tensor([0.0, 5.0]), [1, 2]) == [0.0]
    assert ordered_pairs_right([1.0, 2.0], [1, 1]) == []


# Strength and centring


def gradient_of_a_step(model: RoleModel, config: RewardConfig, examples: Sequence[RankedExample]):
    """The gradient that reaches the optimizer, and the loss that is told."""
    trainer = RewardTrainer(model, config)
    seen: dict[str, torch.Tensor] = {}
    parameters = model.parameters("reward")

    def step() -> None:
        seen.update({k: p.grad.clone() for k, p in parameters.items()})
        trainer.optimizer.forget_gradients()

    trainer.optimizer.step = step
    ((loss,),) = trainer.fit(examples, progress=False).losses
    return seen, loss


@pytest.mark.parametrize(
    ("strength", "margin"),
    [("negligibly", 0.0), ("slightly", 0.5), ("clearly", 1.0), ("much", 1.5), (None, 0.0)],
)
def test_strength_enters_the_loss_as_a_margin(model: RoleModel, strength, margin: float):
    one = replace(example(model, 1, ranks=[1, 3, 3, 2]), strength=strength)
    config = RewardConfig(epochs=1, strength_margin=1.5)
    (scores,) = RewardTrainer(model).scores([one])
    log_tie = model.head("reward").log_tie.detach()
    _, loss = gradient_of_a_step(model, config, [one])
    expected = ranking_loss(scores, pairs_of_tiers(one.ranks), log_tie, margin)
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_strengths_can_be_left_aside(model: RoleModel):
    config = RewardConfig(epochs=1, strength_margin=0)
    one = example(model, 1)
    plain, loss = gradient_of_a_step(model, config, [one])
    strong, same_loss = gradient_of_a_step(model, config, [replace(one, strength="much")])
    assert same(plain, strong)
    assert loss == same_loss


def test_a_strong_preference_ends_further_apart_than_a_slight_one(model: RoleModel):
    start = model.state("reward")
    gaps = []
    for strength in ("slightly", "much"):
        model.load_state("reward", start)
        examples = [replace(example(model, n, 2), strength=strength) for n in range(4)]
        trainer = RewardTrainer(model, RewardConfig(epochs=15, learning_rate=1e-2))
        trainer.fit(examples, progress=False)
        gaps.append(sum((s[1] - s[0]).item() for s in trainer.scores(examples)) / 4)
    assert 0 < gaps[0] < gaps[1]


def test_centring_adds_its_gradient_but_not_to_the_loss_that_is_told(model: RoleModel):
    examples = [example(model, 1), example(model, 2, 2)]
    with torch.no_grad():
        model.head("reward").bias.fill_(2.0)
    plain, loss = gradient_of_a_step(model, RewardConfig(epochs=1), examples)
    centred, same_loss = gradient_of_a_step(
        model, RewardConfig(epochs=1, centre_coef=0.1), examples
    )
    assert loss == same_loss
    scores = RewardTrainer(model).scores(examples)
    shift = torch.zeros((), requires_grad=True)
    both = zip(scores, examples, strict=True)
    sum(centring_loss(s + shift, pairs_of_tiers(e.ranks)) for s, e in both).backward()
    # A shift of all scores is the bias alone, and rankings say nothing about it.
    assert plain["head.bias"].item() == pytest.approx(0, abs=1e-6)
    assert centred["head.bias"].item() == pytest.approx(0.1 * shift.grad.item() / 2, rel=1e-4)


# Early stopping


def watched(trainer: RewardTrainer, monkeypatch, *losses: float) -> None:
    """Let the held-out losses after the epochs be these."""
    left = iter(losses)
    monkeypatch.setattr(trainer, "heldout_loss", lambda _examples: next(left))


def heldout(model: RoleModel, prompts: int = reward.LEAST_HELDOUT_PROMPTS) -> list[RankedExample]:
    return [example(model, 100 + n, 2) for n in range(prompts)]


def test_early_stopping_keeps_the_weights_and_moments_of_the_best_epoch(
    model: RoleModel, tiny_folder: Path, monkeypatch
):
    new, old = [example(model, n) for n in range(5)], [example(model, n) for n in range(9, 14)]
    stopped = RewardTrainer(model, RewardConfig(epochs=9, patience=2))
    watched(stopped, monkeypatch, 1.0, 0.8, 0.8, 0.9)
    found = stopped.fit(new, old, heldout=heldout(model), progress=False)
    assert (len(found.losses), found.kept_epoch) == (4, 2)
    assert found.heldout_losses == (1.0, 0.8, 0.8, 0.9)
    assert found.kept_by == "lowest held-out loss"
    two = RewardTrainer(load_tiny(tiny_folder), RewardConfig(epochs=2))
    two.fit(new, old, progress=False)
    assert same(model.state("reward"), two.model.state("reward"))
    assert same(stopped.optimizer.state(), two.optimizer.state())


def test_an_update_that_only_makes_it_worse_keeps_one_epoch(model: RoleModel, monkeypatch):
    trainer = RewardTrainer(model, RewardConfig(epochs=9, patience=1))
    watched(trainer, monkeypatch, 1.0, 1.1)
    found = trainer.fit([example(model, 1)], heldout=heldout(model), progress=False)
    assert (len(found.losses), found.kept_epoch) == (2, 1)


def test_patience_runs_all_epochs_while_it_gets_better(model: RoleModel, monkeypatch):
    trainer = RewardTrainer(model, RewardConfig(epochs=3, patience=1))
    watched(trainer, monkeypatch, 1.0, 0.9, 0.8)
    found = trainer.fit([example(model, 1)], heldout=heldout(model), progress=False)
    assert (len(found.losses), found.kept_epoch) == (3, 3)


def test_few_held_out_prompts_choose_nothing(model: RoleModel, monkeypatch):
    trainer = RewardTrainer(model, RewardConfig(epochs=2, patience=1))
    monkeypatch.setattr(trainer, "heldout_loss", None)
    few = heldout(model, reward.LEAST_HELDOUT_PROMPTS - 1)
    found = trainer.fit([example(model, 1)], heldout=few + few, progress=False)
    assert (found.kept_epoch, found.heldout_losses) == (2, ())
    assert found.kept_by == "the last: too few held-out prompts"


def test_without_patience_held_out_rankings_are_not_even_scored(model: RoleModel, monkeypatch):
    trainer = RewardTrainer(model)
    monkeypatch.setattr(trainer, "heldout_loss", None)
    found = trainer.fit([example(model, 1)], heldout=heldout(model), progress=False)
    assert (found.kept_epoch, found.kept_by) == (2, "the last")


def test_held_out_rankings_give_no_gradient(model: RoleModel, tiny_folder: Path):
    plain = RewardTrainer(load_tiny(tiny_folder), RewardConfig(epochs=1))
    plain.fit([example(model, 1)], progress=False)
    measured = RewardTrainer(model, RewardConfig(epochs=1, patience=1))
    found = measured.fit([example(model, 1)], heldout=heldout(model), progress=False)
    assert same(model.state("reward"), plain.model.state("reward"))
    expected = [
        ranking_loss(s, pairs_of_tiers(e.ranks), model.head("reward").log_tie.detach()).item()
        for s, e in zip(measured.scores(heldout(model)), heldout(model), strict=True)
    ]
    assert found.heldout_losses[0] == pytest.approx(sum(expected) / len(expected), rel=1e-5)


# Numbers that are none


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_name_their_judgment(model: RoleModel, value: float):
    with torch.no_grad():
        model.head("reward").bias.fill_(value)
    with pytest.raises(
        NonFiniteError,
        match=re.escape(f"scores {[value] * 4} for judgment 'j1' (2 of 2 rankings"),
    ):
        RewardTrainer(model).scores([example(model, 1), example(model, 2)])


def test_an_update_whose_every_step_was_dropped_is_none(model: RoleModel):
    """Two steps are fewer than the optimizer bears in a row."""
    with torch.no_grad():
        model.head("reward").bias.fill_(float("nan"))
    trainer = RewardTrainer(model, RewardConfig(epochs=2))
    with pytest.raises(NonFiniteError, match=r"losses \[nan, nan\]: no step could be taken"):
        trainer.fit([example(model, 1)], progress=False)
    assert trainer.optimizer.state() == {}


def test_a_dropped_step_among_others_is_told_as_nan(model: RoleModel, monkeypatch):
    trainer = RewardTrainer(model, RewardConfig(epochs=3))
    loss, calls = trainer._loss, []

    def broken_once(*args):
        calls.append(1)
        return loss(*args) * (float("nan") if len(calls) == 2 else 1.0)

    monkeypatch.setattr(trainer, "_loss", broken_once)
    found = trainer.fit([example(model, 1)], progress=False)
    first, second, third = (epoch[0] for epoch in found.losses)
    assert first > third
    assert second != second
    assert trainer.optimizer.skipped == 1
