"""Running out of memory costs time, never the result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import OutOfMemory
from rlhf_lab.models import RoleModel
from rlhf_lab.training import PPOStats, PPOTrainer, RewardConfig, RewardTrainer
from rlhf_lab.training.rollout import Rollout
from tests.shortage import room_for
from tests.tiny import load_tiny, same, stir
from tests.training.ppo_steps import configure, rollout_prompts, rollouts, timeless, trainer
from tests.training.test_reward import example

FITTED = ("sampling_parts", "micro_batch_parts")
# Smaller micro-batches sum the same fp32 numbers in another order: relative differences of 1e-7 in
# logits and gradients. Adam divides them by their own size, and six steps of 1e-3 pass them on:
# 2e-6 at most was measured in the weights, which the steps move by up to 6e-3.
WEIGHTS = {"atol": 1e-5, "rtol": 0.0}


def stirred(folder: Path) -> RoleModel:
    """A policy whose adapters' gradients are none of them 0, as they are at the very start."""
    model = load_tiny(folder)
    stir(model, "policy")
    return model


def close(model: RoleModel, other: RoleModel, *roles: str, but: tuple[str, ...] = ()) -> None:
    for role in roles:
        first, second = model.state(role), other.state(role)
        for key in first.keys() - set(but):
            torch.testing.assert_close(first[key], second[key], **WEIGHTS)


def alike(first: PPOStats, second: PPOStats) -> None:
    one, other = timeless(first), timeless(second)
    for key in one.keys() - set(FITTED):
        assert one[key] == pytest.approx(other[key], rel=1e-4, abs=1e-6), key


# PPO


@pytest.fixture
def straight(tiny_folder: Path) -> tuple[PPOTrainer, PPOStats, Rollout]:
    """One step where everything fits."""
    model = stirred(tiny_folder)
    ours = trainer(model)
    with pytest.MonkeyPatch.context() as patch:
        seen = rollouts(patch)
        stats = ours.step(rollout_prompts(model))
    assert (stats.sampling_parts, stats.micro_batch_parts) == (1, 1)
    assert model.shares_prompts
    assert max(len(group) for group in seen[0].groups) > 1
    return ours, stats, seen[0]


@pytest.mark.parametrize(("room", "parts"), [(110, 2), (80, 4)])
def test_a_step_that_ran_out_of_memory_gives_the_result_of_one_that_did_not(
    tiny_folder: Path, straight, monkeypatch, room: int, parts: int
):
    other, expected, rollout = straight
    model = stirred(tiny_folder)
    ours = trainer(model)
    seen = rollouts(monkeypatch)
    with (
        room_for(room, model) as refused,
        pytest.warns(UserWarning, match="memory ran out") as told,
    ):
        stats = ours.step(rollout_prompts(model))
    assert [str(w.message).split(": ")[1].split(" are ")[0] for w in told] == [
        "sampling batches",
        "PPO micro-batches",
    ]
    assert refused
    assert stats.micro_batch_parts == parts
    assert stats.sampling_parts > 1
    assert seen[-1].texts == rollout.texts
    assert stats.optimizer_steps == expected.optimizer_steps == ours.optimizer.steps == 6
    alike(stats, expected)
    close(model, other.model, "policy", "value")


def test_running_out_between_two_optimizer_steps_takes_the_first_ones_back(
    tiny_folder: Path, straight
):
    other, expected, _ = straight
    model = stirred(tiny_folder)
    ours = trainer(model)
    late = lambda: torch.is_grad_enabled() and ours.optimizer.steps >= 2  # noqa: E731
    with room_for(100, model, when=late) as refused, pytest.warns(UserWarning, match="ran out"):
        stats = ours.step(rollout_prompts(model))
    assert len(refused) == 1
    assert (stats.sampling_parts, stats.micro_batch_parts) == (1, 2)
    assert ours.optimizer.steps == 6
    alike(stats, expected)
    close(model, other.model, "policy", "value")


def test_minibatches_are_those_that_were_planned(tiny_folder: Path, straight, monkeypatch):
    """Which responses share an optimizer step, in what order, and with what weight."""

    def dealt(ours: PPOTrainer) -> list[list[set[int]]]:
        seen, minibatch = [], ours.updater.minibatch

        def noted(rollout, targets, groups):
            seen.append([set(rollout.groups[g]) for g in groups])
            return minibatch(rollout, targets, groups)

        monkeypatch.setattr(ours.updater, "minibatch", noted)
        ours.step(rollout_prompts(ours.model))
        return seen

    whole = dealt(trainer(stirred(tiny_folder)))
    ours = trainer(stirred(tiny_folder))
    ours.micro_batch_parts.count = 2
    parted = dealt(ours)
    assert max(map(len, parted)) > max(map(len, whole))
    assert [set().union(*groups) for groups in parted] == [set().union(*g) for g in whole]
    for groups, parts in zip(whole, parted, strict=True):
        places = [next(n for n, g in enumerate(groups) if part <= g) for part in parts]
        assert places == sorted(places)


def test_the_ratio_is_exactly_1_in_parts_too(tiny_folder: Path):
    model = stirred(tiny_folder)
    ours = trainer(model, epochs=1, minibatches=1)
    ours.micro_batch_parts.count = 4
    stats = ours.step(rollout_prompts(model))
    assert (stats.ratio_max, stats.approx_kl) == (1.0, 0.0)


def test_rows_that_hold_one_response_are_divided_as_well(tiny_folder: Path):
    plain, model = stirred(tiny_folder), stirred(tiny_folder)
    plain.shares_prompts = model.shares_prompts = False
    expected = trainer(plain).step(rollout_prompts(plain))
    ours = trainer(model)
    ours.micro_batch_parts.count = 2
    alike(ours.step(rollout_prompts(model)), expected)
    close(model, plain, "policy", "value")


def test_the_next_step_does_not_run_out_again_nor_does_one_that_goes_on_from_here(
    tiny_folder: Path,
):
    model = stirred(tiny_folder)
    ours = trainer(model)
    with room_for(110, model) as refused:
        with pytest.warns(UserWarning, match="memory ran out"):
            ours.step(rollout_prompts(model))
        refused.clear()
        tensors, state = ours.state()
        stats = ours.step(rollout_prompts(model, 1))
    assert refused == []
    assert (stats.sampling_parts, stats.micro_batch_parts) == (16, 2)
    other = stirred(tiny_folder)
    resumed = trainer(other)
    resumed.load_state(tensors, json.loads(json.dumps(state)))
    with room_for(110, other) as refused:
        assert timeless(resumed.step(rollout_prompts(other, 1))) == timeless(stats)
    assert refused == []
    assert same(other.state("policy"), model.state("policy"))


def test_another_bound_is_tried_afresh_and_old_checkpoints_say_nothing(tiny_folder: Path):
    model = stirred(tiny_folder)
    ours = trainer(model)
    ours.sampling_parts.count, ours.micro_batch_parts.count = 2, 4
    tensors, state = ours.state()
    smaller = PPOTrainer(model, configure(tokens_per_micro_batch=75))
    smaller.load_state(tensors, state)
    assert (smaller.sampling_parts.count, smaller.micro_batch_parts.count) == (2, 1)
    ours.load_state(tensors, {"steps_done": 0, "kl_coef": 0.1, "kl_coef_start": 0.1})
    assert (ours.sampling_parts.count, ours.micro_batch_parts.count) == (1, 1)


@pytest.mark.filterwarnings("ignore:memory ran out")
@pytest.mark.parametrize(
    ("room", "what"),
    [(10, "sampling batches of one response"), (64, "PPO micro-batches of one response")],
)
def test_when_one_response_does_not_fit_nothing_has_changed(
    tiny_folder: Path, room: int, what: str
):
    model = stirred(tiny_folder)
    ours = trainer(model, kl_horizon=10.0)
    ours.step(rollout_prompts(model))
    tensors, state = ours.state()
    before = {group: dict(values) for group, values in tensors.items()}
    steps = ours.optimizer.steps
    # With room for 64 it is the update that does not fit; sampling and scoring are not limited.
    when = torch.is_grad_enabled if room == 64 else lambda: True
    with room_for(room, model, when=when), pytest.raises(OutOfMemory, match=what) as caught:
        ours.step(rollout_prompts(model, 1))
    message = str(caught.value)
    assert "CUDA out of memory. Tried to allocate" in message
    assert "Lower max_new_tokens=12" in message
    assert "preflight" in message
    tensors, found = ours.state()
    assert all(same(dict(tensors[group]), values) for group, values in before.items())
    assert (found, ours.optimizer.steps) == (state, steps)
    assert all(p.grad is None for p in model.parameters("policy").values())
    assert not [m for m in model.base.model.modules() if "forward" in vars(m)]


# The reward


def fitted(
    folder: Path, room: int | None = None, **changes
) -> tuple[RewardTrainer, tuple[float, ...]]:
    """Two epochs over six rankings; `room` is for forward passes that learn."""
    model = load_tiny(folder)
    stir(model, "reward")
    ours = RewardTrainer(model, RewardConfig(tokens_per_micro_batch=120, **changes))
    examples = [example(model, n, ranks=[1, 2, 2, 4]) for n in range(6)]
    if room is None:
        found = ours.fit(examples, progress=False)
    else:
        with (
            room_for(room, model, when=torch.is_grad_enabled),
            pytest.warns(UserWarning, match="reward micro-batches are divided"),
        ):
            found = ours.fit(examples, progress=False)
    return ours, tuple(loss for epoch in found.losses for loss in epoch)


@pytest.mark.parametrize(("room", "parts"), [(100, 2), (48, 8)])
@pytest.mark.parametrize("centre_coef", [0.0, 0.05])
def test_a_reward_update_in_parts_is_the_same_update(
    tiny_folder: Path, room: int, parts: int, centre_coef: float
):
    whole, expected = fitted(tiny_folder, centre_coef=centre_coef)
    ours, losses = fitted(tiny_folder, room, centre_coef=centre_coef)
    assert (whole.parts.count, ours.parts.count) == (1, parts)
    assert losses == pytest.approx(expected, rel=1e-5)
    # Rankings alone say nothing about the bias: its gradient is 0 but for rounding, which Adam
    # blows up to full steps. Centred, it has one.
    but = () if centre_coef else ("head.bias",)
    close(ours.model, whole.model, "reward", but=but)


def test_candidates_of_one_ranking_may_learn_one_by_one(tiny_folder: Path):
    """The gradient itself, before any optimizer: tie parameter and head included."""
    gradients = []
    for count in (1, 2, 8):
        model = load_tiny(tiny_folder)
        stir(model, "reward")
        ours = RewardTrainer(model, RewardConfig(tokens_per_micro_batch=120, centre_coef=0.1))
        loss = ours._gradients([[example(model, 1, ranks=[1, 2, 2, 4]), example(model, 2)]], count)
        parameters = model.parameters("reward")
        gradients.append({"loss": torch.tensor(loss)})
        gradients[-1] |= {k: p.grad.clone() for k, p in parameters.items() if p.grad is not None}
    whole = gradients[0]
    assert whole.keys() == {"loss", *model.parameters("reward")}
    for found in gradients[1:]:
        assert found.keys() == whole.keys()
        for key, gradient in whole.items():
            scale = gradient.abs().max().item()
            torch.testing.assert_close(found[key], gradient, atol=1e-5 * scale, rtol=0)


def test_scoring_rankings_in_parts_gives_the_same_scores(tiny_folder: Path):
    model = load_tiny(tiny_folder)
    stir(model, "reward")
    ours = RewardTrainer(model, RewardConfig(tokens_per_micro_batch=500))
    examples = [example(model, n) for n in range(6)]
    expected = ours.scores(examples)
    with room_for(100, model), pytest.warns(UserWarning, match="reward micro-batches"):
        found = ours.scores(examples)
    assert ours.parts.count > 1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_a_reward_update_that_does_not_fit_changes_nothing(tiny_folder: Path):
    ours, _ = fitted(tiny_folder)
    model = ours.model
    before, moments = model.state("reward"), ours.optimizer.state()
    steps = ours.optimizer.steps
    # Two steps go well before memory is short.
    late = lambda: torch.is_grad_enabled() and ours.optimizer.steps >= steps + 2  # noqa: E731
    with (
        room_for(20, model, when=late),
        pytest.raises(OutOfMemory, match="reward micro-batches of one response"),
    ):
        ours.fit([example(model, n) for n in range(20, 32)], progress=False)
    assert same(model.state("reward"), before)
    assert same(ours.optimizer.state(), moments)
    assert (ours.parts.count, ours.optimizer.steps) == (1, steps)
    assert all(p.grad is None for p in model.parameters("reward").values())


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_rankings_of_single_responses_learn_in_turn_before_memory_is_given_up(tiny_folder: Path):
    """Micro-batches of one response each: whole as they are, yet all kept at once when learning."""
    model = load_tiny(tiny_folder)
    ours = RewardTrainer(model, RewardConfig(tokens_per_micro_batch=1, epochs=1))
    tried: list[int] = []
    gradients = ours._gradients

    def short(groups, parts: int) -> float:
        tried.append(parts)
        if parts == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return gradients(groups, parts)

    ours._gradients = short
    ours.fit([example(model, 1)], progress=False)
    assert tried == [1, 2]
