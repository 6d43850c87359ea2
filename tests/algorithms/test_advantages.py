from __future__ import annotations

import math

import pytest
import torch

from rlhf_lab.algorithms import (
    generalized_advantages,
    group_relative_advantages,
    leave_one_out_advantages,
    length_mask,
    shaped_rewards,
)
from rlhf_lab.errors import ShapeError
from tests.algorithms import reference
from tests.algorithms.batches import FILLS, SEEDS, Ragged, close, flat


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_shaped_rewards_equal_the_reference_whatever_sits_in_the_padding(seed, fill):
    batch = Ragged(seed, fill=fill)
    scores, kl = batch.scores(), batch.rows()
    found = shaped_rewards(torch.tensor(scores), batch.pad(kl), batch.is_response_token, 0.05)
    close(flat(batch.unpad(found)), flat(reference.shaped_rewards(scores, kl, 0.05)))
    assert not batch.padding_of(found).any()


def test_the_score_arrives_at_the_last_real_token_and_the_penalty_at_each():
    kl = torch.tensor([[1.0, -2.0, 3.0], [4.0, 1e6, 1e6]])
    is_token = length_mask(torch.tensor([3, 1]), 3)
    found = shaped_rewards(torch.tensor([10.0, 20.0]), kl, is_token, 0.5)
    # -0.5 * 1, -0.5 * -2, -0.5 * 3 + 10; -0.5 * 4 + 20
    assert found.tolist() == [[-0.5, 1.0, 8.5], [18.0, 0.0, 0.0]]


@pytest.mark.parametrize("score", [5.0, math.nan, math.inf])
def test_an_empty_response_gets_no_reward_whatever_its_score(score):
    kl = torch.tensor([[1.0, 1.0], [1e6, 1e6]])
    is_token = length_mask(torch.tensor([2, 0]), 2)
    found = shaped_rewards(torch.tensor([1.0, score]), kl, is_token, 1.0)
    assert found.tolist() == [[-1.0, 0.0], [0.0, 0.0]]


def test_no_gradient_passes_through_the_rewards():
    scores, kl = torch.ones(1, requires_grad=True), torch.ones(1, 2, requires_grad=True)
    found = shaped_rewards(scores, kl, torch.ones(1, 2, dtype=torch.bool), 0.1)
    assert not found.requires_grad


def test_gae_of_three_tokens_worked_by_hand():
    rewards = torch.tensor([[0.1, -0.2, 1.0, 1e6]])
    values = torch.tensor([[0.5, 0.4, 0.3, 1e6]])
    is_token = length_mask(torch.tensor([3]), 4)
    # delta_2 = 1.0 + 0 - 0.3 = 0.7, for nothing follows the last token
    # delta_1 = -0.2 + 0.3 - 0.4 = -0.3
    # delta_0 = 0.1 + 0.4 - 0.5 = 0.0
    # A_2 = 0.7;  A_1 = -0.3 + 0.95 * 0.7 = 0.365;  A_0 = 0.0 + 0.95 * 0.365 = 0.34675
    found = generalized_advantages(rewards, values, is_token)
    close(found.advantages, [[0.34675, 0.365, 0.7, 0.0]])
    close(found.returns, [[0.84675, 0.765, 1.0, 0.0]])  # A + value
    # The same where the row fills the tensor: there is nothing to mistake for what follows.
    full = generalized_advantages(rewards[:, :3], values[:, :3], is_token[:, :3])
    close(full.advantages, [[0.34675, 0.365, 0.7]])
    # With gamma = 0.9 and lambda = 0.5, so gamma * lambda = 0.45:
    # delta_2 = 0.7;  delta_1 = -0.2 + 0.27 - 0.4 = -0.33;  delta_0 = 0.1 + 0.36 - 0.5 = -0.04
    # A_1 = -0.33 + 0.45 * 0.7 = -0.015;  A_0 = -0.04 + 0.45 * -0.015 = -0.04675
    found = generalized_advantages(rewards, values, is_token, gamma=0.9, lam=0.5)
    close(found.advantages, [[-0.04675, -0.015, 0.7, 0.0]])


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.8)])
def test_gae_equals_the_reference_whatever_sits_in_the_padding(seed, fill, gamma, lam):
    batch = Ragged(seed, fill=fill)
    rewards, values = batch.rows(), batch.rows()
    found = generalized_advantages(
        batch.pad(rewards), batch.pad(values), batch.is_response_token, gamma=gamma, lam=lam
    )
    pairs = zip(rewards, values, strict=True)
    expected = [reference.gae(r, v, gamma, lam) for r, v in pairs]
    close(flat(batch.unpad(found.advantages)), flat(expected), rtol=1e-4)
    returns = [a + v for a, v in zip(flat(expected), flat(values), strict=True)]
    close(flat(batch.unpad(found.returns)), returns, rtol=1e-4)
    assert not batch.padding_of(found.advantages).any()
    assert not batch.padding_of(found.returns).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_with_lambda_one_returns_are_the_rewards_to_come(seed):
    batch = Ragged(seed)
    rewards = batch.rows()
    found = generalized_advantages(
        batch.pad(rewards), batch.pad(batch.rows()), batch.is_response_token, lam=1.0
    )
    to_come = [sum(row[t:]) for row in rewards for t in range(len(row))]
    close(flat(batch.unpad(found.returns)), to_come, rtol=1e-4, atol=3e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_with_lambda_zero_an_advantage_looks_one_token_ahead(seed):
    batch = Ragged(seed)
    rewards, values = batch.rows(), batch.rows()
    found = generalized_advantages(
        batch.pad(rewards), batch.pad(values), batch.is_response_token, lam=0.0
    )
    ahead = [
        r + following - v
        for rs, vs in zip(rewards, values, strict=True)
        for r, v, following in zip(rs, vs, [*vs[1:], 0.0], strict=True)
    ]
    close(flat(batch.unpad(found.advantages)), ahead, rtol=1e-4)


def test_better_than_expected_is_a_positive_advantage():
    is_token = torch.ones(1, 2, dtype=torch.bool)
    better = generalized_advantages(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2), is_token)
    worse = generalized_advantages(torch.zeros(1, 2), torch.ones(1, 2), is_token)
    assert (better.advantages > 0).all()
    assert (worse.advantages < 0).all()


def test_leave_one_out_worked_by_hand():
    # 1 against the mean of 2 and 6; 2 against 3.5; 6 against 1.5. Then -1 against 1 and back.
    close(leave_one_out_advantages(torch.tensor([1.0, 2.0, 6.0]), 3), [-3.0, -1.5, 4.5])
    close(leave_one_out_advantages(torch.tensor([-1.0, 1.0, 5.0, 5.0]), 2), [-2.0, 2.0, 0.0, 0.0])


def test_group_relative_worked_by_hand():
    # 1, 2, 3 have mean 2 and sample deviation 1; equal returns say nothing.
    found = group_relative_advantages(torch.tensor([1.0, 2.0, 3.0, 7.0, 7.0, 7.0]), 3)
    close(found, [-1 / 1.0001, 0.0, 1 / 1.0001, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("per_prompt", [2, 3, 4])
def test_comparisons_within_a_prompt_equal_the_reference(seed, per_prompt):
    generator = torch.Generator().manual_seed(seed)
    returns = torch.randn(5, per_prompt, generator=generator)
    groups = returns.double().tolist()
    for ours, theirs in (
        (leave_one_out_advantages, reference.leave_one_out),
        (group_relative_advantages, reference.group_relative),
    ):
        expected = [value for group in groups for value in theirs(group)]
        close(ours(returns.flatten(), per_prompt), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compared", [leave_one_out_advantages, group_relative_advantages])
@pytest.mark.parametrize(("count", "per_prompt"), [(4, 1), (5, 2)])
def test_responses_without_others_to_compare_with_are_refused(compared, count, per_prompt):
    with pytest.raises(ShapeError, match=f"{count} responses in groups of {per_prompt}"):
        compared(torch.zeros(count), per_prompt)
