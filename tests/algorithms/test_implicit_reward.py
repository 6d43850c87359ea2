from __future__ import annotations

import math

import pytest
import torch

from rlhf_lab.algorithms import implicit_rewards, pairs_of_tiers, ranking_loss
from rlhf_lab.errors import ConfigError
from tests.algorithms import reference
from tests.algorithms.batches import FILLS, SEEDS, Ragged, close

NEVER_TIED = torch.tensor(-math.inf)
LOGP = torch.tensor([[-1.0, -2.0, -0.5], [-3.0, -1.0, 1e6]])
IS_TOKEN = torch.tensor([[True, True, True], [True, True, False]])


def test_it_is_beta_times_the_log_ratio_of_whole_responses():
    # -3.5 + 4 = 0.5 and -4 + 3 = -1 nats, whatever stands in the padding.
    found = implicit_rewards(LOGP, torch.tensor([-4.0, -3.0]), IS_TOKEN, 0.1)
    assert found.tolist() == pytest.approx([0.05, -0.1])


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_it_equals_the_reference_whatever_sits_in_the_padding(seed, fill):
    drawn = Ragged(seed, fill=fill)
    logp, ref = drawn.rows(), drawn.scores()
    found = implicit_rewards(drawn.pad(logp), torch.tensor(ref), drawn.is_response_token, 0.3)
    close(found, reference.implicit_rewards(logp, ref, 0.3), rtol=1e-5, atol=1e-6)


def test_with_it_the_ranking_loss_of_a_pair_is_that_of_dpo():
    ref = torch.tensor([-4.0, -3.0])
    scores = implicit_rewards(LOGP, ref, IS_TOKEN, 0.5)
    found = ranking_loss(scores, pairs_of_tiers([1, 2]), NEVER_TIED)
    # -log sigmoid(0.5 * (0.5 - -1)) by Rafailov et al. (2023), equation 7.
    assert found.item() == pytest.approx(math.log1p(math.exp(-0.75)), rel=1e-6)


def test_the_better_response_is_pushed_up_and_the_worse_one_down():
    logp = LOGP.clone().requires_grad_()
    scores = implicit_rewards(logp, torch.tensor([-4.0, -3.0]), IS_TOKEN, 0.5)
    ranking_loss(scores, pairs_of_tiers([1, 2]), NEVER_TIED).backward()
    slope = 0.5 / (1 + math.exp(0.75))
    expected = [[-slope] * 3, [slope, slope, 0.0]]
    assert logp.grad is not None
    torch.testing.assert_close(logp.grad, torch.tensor(expected), rtol=1e-5, atol=0)


def test_a_tie_pulls_the_two_together():
    logp = LOGP.clone().requires_grad_()
    scores = implicit_rewards(logp, torch.tensor([-4.0, -3.0]), IS_TOKEN, 0.5)
    ranking_loss(scores, pairs_of_tiers([1, 1]), torch.tensor(0.0)).backward()
    assert logp.grad is not None
    assert logp.grad[0, 0] > 0 > logp.grad[1, 0]  # the first is ahead: downhill is down for it


def test_beta_has_to_be_above_zero():
    with pytest.raises(ConfigError, match=r"beta=0\.0"):
        implicit_rewards(LOGP, torch.zeros(2), IS_TOKEN, 0.0)
