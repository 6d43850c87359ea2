from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rlhf_lab.algorithms import length_mask, policy_loss, value_loss
from tests.algorithms import reference
from tests.algorithms.batches import FILLS, SEEDS, Ragged, close, flat

ONE_TOKEN = torch.ones(1, 1, dtype=torch.bool)


def one(value: float) -> Tensor:
    return torch.tensor([[value]])


def policy_loss_at(ratio: float, advantage: float) -> tuple[float, float, float]:
    """Loss, its slope in the log-probability, and the clipped share, for one token."""
    logp = one(math.log(ratio)).requires_grad_()
    found = policy_loss(logp, one(0.0), one(advantage), ONE_TOKEN, clip=0.2)
    (slope,) = torch.autograd.grad(found.loss, logp)
    return found.loss.item(), slope.item(), found.clip_fraction.item()


# A loss of the wrong sign, or a max for the min, fails the next five.


def test_positive_advantage_stops_rewarding_ratio_beyond_clip():
    # min(1.5 * 2, 1.2 * 2) = 2.4, flat
    close(policy_loss_at(1.5, 2.0), (-2.4, 0.0, 1.0))


def test_positive_advantage_still_pulls_up_a_ratio_that_fell_too_low():
    # min(0.5 * 2, 0.8 * 2) = 1, and d ratio / d logp = ratio
    close(policy_loss_at(0.5, 2.0), (-1.0, -1.0, 0.0))


def test_negative_advantage_stops_rewarding_ratio_below_clip():
    # min(0.5 * -2, 0.8 * -2) = -1.6, flat
    close(policy_loss_at(0.5, -2.0), (1.6, 0.0, 1.0))


def test_negative_advantage_still_pushes_down_a_ratio_that_rose_too_high():
    # min(1.5 * -2, 1.2 * -2) = -3
    close(policy_loss_at(1.5, -2.0), (3.0, 3.0, 0.0))


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.1])
@pytest.mark.parametrize("advantage", [2.0, -2.0])
def test_inside_the_clip_range_the_loss_is_the_plain_policy_gradient(ratio, advantage):
    close(policy_loss_at(ratio, advantage), (-ratio * advantage, -ratio * advantage, 0.0))


def test_a_step_along_the_gradient_makes_good_tokens_likelier():
    logp = torch.tensor([[-1.0, -1.0]], requires_grad=True)
    is_token = torch.ones(1, 2, dtype=torch.bool)
    policy_loss(logp, logp.detach(), torch.tensor([[1.0, -1.0]]), is_token).loss.backward()
    assert logp.grad is not None
    close(-logp.grad, [[0.5, -0.5]])


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_policy_loss_equals_the_reference_whatever_sits_in_the_padding(seed, fill):
    batch = Ragged(seed, fill=fill)
    logp, old, advantages = batch.rows(0.3), batch.rows(0.3), batch.rows()
    leaf = batch.pad(logp).requires_grad_()
    found = policy_loss(
        leaf, batch.pad(old), batch.pad(advantages), batch.is_response_token, clip=0.2
    )
    expected = reference.policy_loss(logp, old, advantages, clip=0.2)
    assert found._fields == tuple(expected)
    for actual, wanted in zip(found, expected.values(), strict=True):
        close(actual, wanted, rtol=2e-5)
    found.loss.backward()
    assert leaf.grad is not None
    close(
        flat(batch.unpad(leaf.grad)),
        _slopes(logp, lambda rows: reference.policy_loss(rows, old, advantages, 0.2)["loss"]),
        rtol=1e-4,
    )
    assert not batch.padding_of(leaf.grad).any()


def test_statistics_beside_the_policy_loss_worked_by_hand():
    # Ratios 2 and 1/2 under positive advantages: the first is clipped, the second is not.
    logp = torch.tensor([[math.log(2.0), math.log(0.5), 1e6]])
    is_token = length_mask(torch.tensor([2]), 3)
    found = policy_loss(logp, torch.zeros(1, 3), torch.ones(1, 3), is_token)
    close(found.loss, -(1.2 + 0.5) / 2)
    close(found.clip_fraction, 0.5)
    close(found.approx_kl, ((2 - 1 - math.log(2)) + (0.5 - 1 + math.log(2))) / 2)
    close(found.ratio_max, 2.0)


def test_padding_is_no_candidate_for_the_largest_ratio():
    logp = torch.tensor([[math.log(0.5), math.log(0.25), 0.0]])
    is_token = length_mask(torch.tensor([2]), 3)
    found = policy_loss(logp, torch.zeros(1, 3), torch.ones(1, 3), is_token)
    close(found.ratio_max, 0.5)


def test_only_the_losses_themselves_carry_gradients():
    leaf = one(0.1).requires_grad_()
    policy = policy_loss(leaf, one(0.0), one(1.0), ONE_TOKEN)
    assert [part.requires_grad for part in policy] == [True, False, False, False]
    value = value_loss(leaf, one(0.0), one(1.0), ONE_TOKEN)
    assert [part.requires_grad for part in value] == [True, False]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_broken_response_token_shows_in_the_losses(broken):
    # Masking is for padding alone; hiding this would let it pass for a good step.
    assert not policy_loss(one(broken), one(0.0), one(-1.0), ONE_TOKEN).loss.isfinite()
    assert not value_loss(one(broken), one(0.0), one(1.0), ONE_TOKEN).loss.isfinite()


def value_loss_at(value: float, old: float, target: float) -> tuple[float, float, float]:
    """Loss, its slope in the value, and the clipped share, for one token."""
    leaf = one(value).requires_grad_()
    found = value_loss(leaf, one(old), one(target), ONE_TOKEN, clip=0.2)
    (slope,) = torch.autograd.grad(found.loss, leaf)
    return found.loss.item(), slope.item(), found.clip_fraction.item()


# A loss of the wrong sign, or a min for the max, fails the next three.


def test_value_that_moved_beyond_clip_towards_its_return_is_held():
    # plain (1.5 - 2)^2 = 0.25, clipped (1.2 - 2)^2 = 0.64
    close(value_loss_at(1.5, 1.0, 2.0), (0.32, 0.0, 1.0))


def test_value_that_overshot_its_return_is_still_pulled_back():
    # plain (1.5 - 1.2)^2 = 0.09, clipped (1.2 - 1.2)^2 = 0
    close(value_loss_at(1.5, 1.0, 1.2), (0.045, 0.3, 0.0))


def test_value_within_clip_has_the_plain_squared_error():
    # (1.1 - 2)^2 = 0.81
    close(value_loss_at(1.1, 1.0, 2.0), (0.405, -0.9, 0.0))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_value_loss_equals_the_reference_whatever_sits_in_the_padding(seed, fill):
    batch = Ragged(seed, fill=fill)
    values, old, returns = batch.rows(0.4), batch.rows(0.4), batch.rows()
    leaf = batch.pad(values).requires_grad_()
    found = value_loss(leaf, batch.pad(old), batch.pad(returns), batch.is_response_token, clip=0.2)
    close([part.item() for part in found], reference.value_loss(values, old, returns, clip=0.2))
    found.loss.backward()
    assert leaf.grad is not None
    close(
        flat(batch.unpad(leaf.grad)),
        _slopes(values, lambda rows: reference.value_loss(rows, old, returns, 0.2)[0]),
        rtol=1e-4,
    )
    assert not batch.padding_of(leaf.grad).any()


def test_losses_are_means_over_tokens_and_not_over_responses():
    is_token = length_mask(torch.tensor([3, 1]), 3)
    targets = torch.tensor([[0.0, 0.0, 0.0], [4.0, 1e6, 1e6]])
    zeros = torch.zeros(2, 3)
    # One of four tokens has an advantage of 4 (an error of 16); rows first would give -2 (and 4).
    close(policy_loss(zeros, zeros, targets, is_token).loss, -1.0)
    close(value_loss(zeros, zeros, targets, is_token).loss, 2.0)


def _slopes(rows: list[list[float]], loss) -> list[float]:
    """Central differences of a float64 loss in each of its inputs."""
    step, slopes = 1e-6, []
    for i, row in enumerate(rows):
        for t in range(len(row)):
            ends = []
            for sign in (1, -1):
                moved = [list(r) for r in rows]
                moved[i][t] += sign * step
                ends.append(loss(moved))
            slopes.append((ends[0] - ends[1]) / (2 * step))
    return slopes
