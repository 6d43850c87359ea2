from __future__ import annotations

import math

import jaxtyping
import pytest
import torch

from rlhf_lab.algorithms import (
    explained_variance,
    length_mask,
    masked_mean,
    masked_variance,
    whiten,
)
from rlhf_lab.algorithms.statistics import finite_scores, only
from rlhf_lab.errors import NonFiniteError, ShapeError
from tests.algorithms import reference
from tests.algorithms.batches import FILLS, SEEDS, Ragged, close, flat


def test_length_mask_is_true_for_as_many_tokens_as_the_row_has():
    found = length_mask(torch.tensor([3, 0, 2]), 3)
    assert found.tolist() == [[True, True, True], [False, False, False], [True, True, False]]


@pytest.mark.parametrize("seed", SEEDS)
def test_length_mask_counts_back_to_the_lengths(seed):
    batch = Ragged(seed)
    found = length_mask(torch.tensor(batch.lengths), max(batch.lengths))
    assert torch.equal(found, batch.is_response_token)


@pytest.mark.parametrize("fill", FILLS)
def test_only_leaves_zero_where_the_mask_is_false(fill):
    values = torch.tensor([1.0, fill, -2.0])
    assert only(values, torch.tensor([True, False, True])).tolist() == [1.0, 0.0, -2.0]


def test_only_refuses_a_mask_of_another_shape_although_it_would_broadcast():
    with pytest.raises(
        ShapeError, match=r"values \(2, 3\) and mask \(2, 1\) differ: pass one mask entry per value"
    ):
        only(torch.zeros(2, 3), torch.ones(2, 1, dtype=torch.bool))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_pass_when_finite_and_are_counted_when_not(value: float):
    scores = torch.tensor([1.0, -2.0])
    assert finite_scores(scores) is scores
    with pytest.raises(NonFiniteError, match=r"scores \[.*\] for 2 of 3 responses: .*lab.checkout"):
        finite_scores(torch.tensor([value, 1.0, math.nan]))


def test_declared_shapes_are_checked_in_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        masked_mean(torch.zeros(2, 3), torch.ones(2, 1, dtype=torch.bool))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_statistics_equal_the_reference_whatever_sits_in_the_padding(seed, fill):
    batch = Ragged(seed, fill=fill)
    values, returns = batch.rows(), batch.rows(scale=3.0)
    is_token = batch.is_response_token
    mean = sum(flat(values)) / len(flat(values))
    variance = reference.variance(flat(values))
    close(masked_mean(batch.pad(values), is_token), mean)
    close(masked_variance(batch.pad(values), is_token), variance)
    close(
        explained_variance(batch.pad(values), batch.pad(returns), is_token),
        reference.explained_variance(flat(values), flat(returns)),
        rtol=2e-5,
    )
    for keep_mean in (True, False):
        found = whiten(batch.pad(values), is_token, keep_mean=keep_mean)
        expected = reference.whiten(flat(values), keep_mean)
        close(flat(batch.unpad(found)), expected, rtol=2e-5, atol=3e-6)
        assert not batch.padding_of(found).any()


def test_every_token_has_one_vote_however_long_its_response():
    values = torch.tensor([[1.0, 1.0, 1.0], [5.0, 1e6, 1e6]])
    is_token = length_mask(torch.tensor([3, 1]), 3)
    assert masked_mean(values, is_token).item() == 2.0  # (1 + 1 + 1 + 5) / 4; rows first gives 3
    assert masked_variance(values, is_token).item() == 3.0  # (1 + 1 + 1 + 9) / 4


def test_nothing_valid_means_zero_rather_than_nan():
    values, nothing = torch.tensor([7.0, math.nan]), torch.tensor([False, False])
    assert masked_mean(values, nothing).item() == 0.0
    assert masked_variance(values, nothing).item() == 0.0
    assert whiten(values, nothing, keep_mean=True).tolist() == [0.0, 0.0]


def test_whitening_advantages_removes_the_mean_and_whitening_rewards_keeps_it():
    values = torch.tensor([[1.0, 2.0, 3.0], [6.0, 1e6, 1e6]])
    is_token = length_mask(torch.tensor([3, 1]), 3)
    advantages, rewards = (whiten(values, is_token, keep_mean=k) for k in (False, True))
    # Mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5.
    expected = [x / math.sqrt(3.5) for x in (-2, -1, 0, 3)]
    close(advantages[is_token], expected)
    close(rewards[is_token], [x + 3 for x in expected])
    close(masked_mean(advantages, is_token), 0.0)
    close(masked_mean(rewards, is_token), 3.0)
    close(masked_variance(advantages, is_token), 1.0)
    close(masked_variance(rewards, is_token), 1.0)


def test_whitening_equal_values_gives_zeros_and_not_infinity():
    values, is_valid = torch.full((4,), 2.0), torch.ones(4, dtype=torch.bool)
    assert whiten(values, is_valid, keep_mean=False).tolist() == [0.0] * 4
    assert whiten(values, is_valid, keep_mean=True).tolist() == [2.0] * 4


def test_explained_variance_is_one_when_perfect_zero_for_a_constant_negative_when_worse():
    returns, is_valid = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4, dtype=torch.bool)
    close(explained_variance(returns, returns, is_valid), 1.0)
    close(explained_variance(torch.full((4,), 9.0), returns, is_valid), 0.0)
    close(explained_variance(-returns, returns, is_valid), -3.0)  # Var(2 r) = 4 Var(r)


@pytest.mark.parametrize("fill", [math.nan, math.inf])
def test_gradients_of_statistics_stay_finite_beside_broken_padding(fill):
    is_token = length_mask(torch.tensor([3, 2]), 3)
    start = torch.tensor([[1.0, 2.0, 4.0], [3.0, 7.0, fill]])
    returns = torch.tensor([[1.0, 0.0, 2.0], [2.0, 5.0, fill]])
    for result in (
        lambda v: masked_variance(v, is_token),
        lambda v: whiten(v, is_token, keep_mean=False)[0, 0],
        lambda v: explained_variance(v, returns, is_token),
    ):
        values = start.clone().requires_grad_()
        result(values).backward()
        assert values.grad is not None
        assert values.grad[is_token].isfinite().all()
        assert values.grad[is_token].any()
        assert values.grad[~is_token].tolist() == [0.0]
