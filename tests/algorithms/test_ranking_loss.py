from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from rlhf_lab.algorithms import centring_loss, davidson_log_probs, pairs_of_tiers, ranking_loss
from rlhf_lab.errors import JudgmentError
from tests.algorithms import reference
from tests.algorithms.batches import close

NEVER_TIED = torch.tensor(-math.inf)


def as_set(ranks: list[int]) -> set[tuple[int, int, bool]]:
    pairs = pairs_of_tiers(ranks)
    return {
        (int(b), int(w), bool(t))
        for b, w, t in zip(pairs.better, pairs.worse, pairs.is_tie, strict=True)
    }


def test_pairs_put_the_better_candidate_first():
    assert as_set([2, 1, 3]) == {(1, 0, False), (0, 2, False), (1, 2, False)}


def test_candidates_of_one_tier_are_a_tied_pair():
    assert as_set([1, 2, 1]) == {(0, 1, False), (0, 2, True), (2, 1, False)}


@pytest.mark.parametrize("seed", range(8))
def test_pairs_equal_the_reference(seed):
    random = np.random.default_rng(seed)
    ranks = [int(x) for x in random.integers(1, 12, size=int(random.integers(2, 9)))]
    found = pairs_of_tiers(ranks)
    columns = (found.better, found.worse, found.is_tie, found.tiers_apart)
    assert set(zip(*(c.tolist() for c in columns), strict=True)) == reference.pairs(ranks)


@pytest.mark.parametrize("seed", range(4))
def test_davidson_probabilities_equal_the_reference(seed):
    random = np.random.default_rng(seed)
    first, second = ([float(x) for x in random.normal(0, 2, size=6)] for _ in range(2))
    nu = float(random.uniform(0.1, 3))
    apart = torch.tensor(first) - torch.tensor(second)
    win, tie = davidson_log_probs(apart, torch.tensor(math.log(nu)))
    expected = [reference.davidson(a, b, nu) for a, b in zip(first, second, strict=True)]
    close(win.exp(), [e[0] for e in expected], rtol=1e-5)
    close(tie.exp(), [e[2] for e in expected], rtol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_every_two_candidates_meet_once(count):
    pairs = pairs_of_tiers(list(range(count)))
    met = {frozenset((int(b), int(w))) for b, w in zip(pairs.better, pairs.worse, strict=True)}
    assert len(pairs.better) == len(met) == count * (count - 1) // 2


@pytest.mark.parametrize("ranks", [[], [1]])
def test_fewer_than_two_candidates_are_refused(ranks):
    with pytest.raises(
        JudgmentError, match=rf"{len(ranks)} candidates: .*at least two\. Leave .* or generate"
    ):
        pairs_of_tiers(ranks)


@pytest.mark.parametrize("log_tie", [-math.inf, -2.0, 0.0, 1.5])
def test_davidson_probabilities_sum_to_one(log_tie):
    difference = torch.tensor([-30.0, -1.0, 0.0, 0.5, 30.0])
    win, tie = davidson_log_probs(difference, torch.tensor(log_tie))
    lose, same_tie = davidson_log_probs(-difference, torch.tensor(log_tie))
    close(win.exp() + tie.exp() + lose.exp(), [1.0] * 5)
    assert torch.equal(tie, same_tie)


def test_without_ties_davidson_is_bradley_terry():
    difference = torch.tensor([-3.0, 0.0, 0.7, 4.0])
    win, tie = davidson_log_probs(difference, NEVER_TIED)
    close(win, torch.nn.functional.logsigmoid(difference))
    assert tie.exp().tolist() == [0.0] * 4


def test_davidson_worked_by_hand():
    # Equal scores, nu = 2: worths 1 and 1, tie 2, so 1/4, 1/4 and 1/2.
    win, tie = davidson_log_probs(torch.tensor([0.0]), torch.tensor(math.log(2)))
    close(win.exp(), [0.25])
    close(tie.exp(), [0.5])
    # Worths 4 and 1, nu = 1: a tie weighs sqrt(4) = 2, so 4/7 and 2/7.
    win, tie = davidson_log_probs(torch.tensor([math.log(4)]), torch.tensor(0.0))
    close(win.exp(), [4 / 7])
    close(tie.exp(), [2 / 7])


def test_hopeless_differences_stay_finite():
    win, tie = davidson_log_probs(torch.tensor([-500.0, 500.0]), torch.tensor(0.0))
    close(win, [-500.0, 0.0])
    close(tie, [-250.0, -250.0])


@pytest.mark.parametrize("seed", range(8))
def test_ranking_loss_and_its_gradient_equal_the_reference(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 6))
    scores = [float(x) for x in random.normal(size=count)]
    ranks = [int(x) for x in random.integers(1, 4, size=count)]
    nu = float(random.uniform(0.1, 2))
    leaf = torch.tensor(scores, requires_grad=True)
    log_tie = torch.tensor(math.log(nu), requires_grad=True)
    loss = ranking_loss(leaf, pairs_of_tiers(ranks), log_tie)
    close(loss, reference.ranking_loss(scores, ranks, nu))
    loss.backward()
    step, slopes = 1e-6, []
    for i in range(count):
        ends = []
        for sign in (1, -1):
            moved = [s + sign * step * (i == j) for j, s in enumerate(scores)]
            ends.append(reference.ranking_loss(moved, ranks, nu))
        slopes.append((ends[0] - ends[1]) / (2 * step))
    assert leaf.grad is not None
    close(leaf.grad, slopes, rtol=1e-4)
    up, down = (reference.ranking_loss(scores, ranks, nu * math.exp(s)) for s in (step, -step))
    close(log_tie.grad, (up - down) / (2 * step), rtol=1e-4)


def test_ranking_loss_weighs_two_and_four_candidates_alike():
    # Equal scores: each pair costs log 2 and pulls on its two candidates with 1/2 / pairs.
    for count, gradient in [(2, [-1 / 2, 1 / 2]), (4, [-3 / 12, -1 / 12, 1 / 12, 3 / 12])]:
        scores = torch.zeros(count, requires_grad=True)
        loss = ranking_loss(scores, pairs_of_tiers(list(range(count))), NEVER_TIED)
        close(loss, math.log(2))
        loss.backward()
        close(scores.grad, gradient)


# These three fail when the loss or the difference of scores changes its sign.


def test_agreeing_with_the_ranking_costs_less_than_contradicting_it():
    pairs = pairs_of_tiers([1, 2])
    right = ranking_loss(torch.tensor([1.0, -1.0]), pairs, NEVER_TIED)
    wrong = ranking_loss(torch.tensor([-1.0, 1.0]), pairs, NEVER_TIED)
    close(right, math.log(1 + math.exp(-2)))
    close(wrong, math.log(1 + math.exp(2)))


def test_a_step_along_the_gradient_raises_the_winner():
    scores = torch.zeros(2, requires_grad=True)
    ranking_loss(scores, pairs_of_tiers([2, 1]), torch.tensor(-1.0)).backward()
    assert scores.grad is not None
    assert scores.grad[1] < 0 < scores.grad[0]


def test_a_tie_draws_the_scores_together_and_makes_ties_likelier():
    scores = torch.tensor([1.0, -1.0], requires_grad=True)
    log_tie = torch.tensor(-1.0, requires_grad=True)
    ranking_loss(scores, pairs_of_tiers([1, 1]), log_tie).backward()
    assert scores.grad is not None
    assert log_tie.grad is not None
    assert scores.grad[1] < 0 < scores.grad[0]
    assert log_tie.grad < 0


def test_the_order_of_candidates_does_not_matter():
    scores, ranks = [0.3, -1.0, 2.0], [2, 2, 1]
    losses = [
        ranking_loss(
            torch.tensor([scores[i] for i in order]),
            pairs_of_tiers([ranks[i] for i in order]),
            torch.tensor(-0.5),
        ).item()
        for order in itertools.permutations(range(3))
    ]
    close(losses, [losses[0]] * 6)


def test_pairs_made_on_the_cpu_serve_scores_on_another_device():
    # The meta device computes nothing, yet refuses mixed devices as a GPU does.
    scores, log_tie = torch.zeros(3, device="meta"), torch.zeros((), device="meta")
    assert ranking_loss(scores, pairs_of_tiers([1, 2, 2]), log_tie).device.type == "meta"
    assert centring_loss(scores, pairs_of_tiers([1, 2, 2])).device.type == "meta"
    assert ranking_loss(scores, pairs_of_tiers([1, 2, 2]), log_tie, 1.0).device.type == "meta"


# Margins


def test_tiers_apart_counts_tiers_and_not_the_numbers_they_carry():
    pairs = pairs_of_tiers([10, 2, 2, 7])
    found = {
        (int(b), int(w)): int(n)
        for b, w, n in zip(pairs.better, pairs.worse, pairs.tiers_apart, strict=True)
    }
    assert found == {(1, 0): 2, (2, 0): 2, (3, 0): 1, (1, 2): 0, (1, 3): 1, (2, 3): 1}
    assert torch.equal(pairs.is_tie, pairs.tiers_apart == 0)


def test_a_margin_of_0_changes_nothing_at_all():
    scores, pairs = torch.tensor([0.3, -1.2, 2.0]), pairs_of_tiers([1, 2, 1])
    log_tie = torch.tensor(-0.3)
    assert torch.equal(
        ranking_loss(scores, pairs, log_tie, 0.0), ranking_loss(scores, pairs, log_tie)
    )


def test_a_margin_without_ties_is_that_of_llama_2():
    loss = ranking_loss(torch.tensor([1.0, 0.25]), pairs_of_tiers([1, 2]), NEVER_TIED, 0.5)
    close(loss, math.log(1 + math.exp(-(1.0 - 0.25 - 0.5))))


@pytest.mark.parametrize("seed", range(6))
def test_loss_with_a_margin_and_its_gradient_equal_the_reference(seed):
    random = np.random.default_rng(100 + seed)
    count = int(random.integers(2, 6))
    scores = [float(x) for x in random.normal(size=count)]
    ranks = [int(x) for x in random.integers(1, 5, size=count)]
    nu, margin = float(random.uniform(0.1, 2)), float(random.uniform(0.1, 1.5))
    leaf = torch.tensor(scores, requires_grad=True)
    loss = ranking_loss(leaf, pairs_of_tiers(ranks), torch.tensor(math.log(nu)), margin)
    close(loss, reference.ranking_loss_with_margin(scores, ranks, nu, margin))
    loss.backward()
    assert leaf.grad is not None
    close(
        leaf.grad,
        slopes(lambda s: reference.ranking_loss_with_margin(s, ranks, nu, margin), scores),
        rtol=1e-4,
    )


def test_a_margin_asks_for_a_wider_gap():
    """Fails when the margin's sign flips."""
    pairs, scores = pairs_of_tiers([1, 2]), torch.tensor([1.0, 0.0])
    losses = [ranking_loss(scores, pairs, torch.tensor(0.0), m).item() for m in (0.0, 0.5, 1.0)]
    assert losses == sorted(losses)
    assert losses[0] < losses[2]


def test_a_tie_has_no_margin():
    scores, pairs = torch.tensor([0.4, -0.4]), pairs_of_tiers([1, 1])
    log_tie = torch.tensor(0.2)
    assert ranking_loss(scores, pairs, log_tie, 3.0) == ranking_loss(scores, pairs, log_tie)


# Centring


def test_centring_by_hand_and_by_the_reference():
    # Sums 3, 0 and 1: the mean of 9, 0 and 1.
    close(centring_loss(torch.tensor([2.0, 1.0, -2.0]), pairs_of_tiers([1, 2, 3])), 10 / 3)
    values = [float(x) for x in np.random.default_rng(0).normal(size=5)]
    leaf = torch.tensor(values, requires_grad=True)
    loss = centring_loss(leaf, pairs_of_tiers([1, 1, 2, 4, 3]))
    close(loss, reference.centring_loss(values))
    loss.backward()
    assert leaf.grad is not None
    close(leaf.grad, slopes(reference.centring_loss, values), rtol=1e-4)


def test_centring_draws_scores_to_0_and_leaves_opposite_ones_alone():
    above = torch.tensor([5.0, 3.0], requires_grad=True)
    centring_loss(above, pairs_of_tiers([1, 2])).backward()
    assert above.grad is not None
    assert (above.grad > 0).all()  # a step against the gradient lowers both
    assert centring_loss(torch.tensor([2.0, -2.0]), pairs_of_tiers([1, 2])) == 0


def slopes(function, values: list[float], step: float = 1e-6) -> list[float]:
    """Central differences."""
    found = []
    for i in range(len(values)):
        up, down = (
            function([v + sign * step * (i == j) for j, v in enumerate(values)]) for sign in (1, -1)
        )
        found.append((up - down) / (2 * step))
    return found
