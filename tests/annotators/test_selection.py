"""Reward heads and what they say of items: numbers worked by hand, and scipy as the reference."""

from __future__ import annotations

from itertools import combinations
from math import exp, log

import numpy as np
import pytest
from scipy.optimize import minimize

from rlhf_lab.annotators.heads import Projection, Ranked, RewardHeads, fit_heads, fit_mean_head
from rlhf_lab.annotators.selection import (
    directions,
    disagreement,
    item_information,
    pair_information,
    spread_out,
    teaching_candidates,
)
from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.types import Ranking

NO_TIES = -40.0


def heads(*weights: float) -> RewardHeads:
    return RewardHeads(weights=np.array(weights)[:, None], log_ties=np.full(len(weights), NO_TIES))


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_heads_that_contradict_each_other_with_certainty_leave_one_bit():
    outcomes = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    assert pair_information(outcomes) == pytest.approx([log(2)])


def test_an_uncertain_outcome_that_all_heads_agree_on_teaches_nothing():
    outcomes = np.full((5, 1, 3), 1 / 3)
    assert pair_information(outcomes) == pytest.approx([0.0], abs=1e-12)


def test_information_is_the_entropy_of_the_mean_less_the_mean_entropy():
    one, other = (0.7, 0.2, 0.1), (0.1, 0.6, 0.3)
    mean = (0.4, 0.4, 0.2)

    def entropy(p):
        return -sum(x * log(x) for x in p)

    expected = entropy(mean) - (entropy(one) + entropy(other)) / 2
    found = pair_information(np.array([[one], [other]]))
    assert found == pytest.approx([expected], rel=1e-12)


def test_a_ranking_of_four_counts_as_three_pairs():
    certain = np.array([[[1.0, 0, 0]] * 6, [[0, 1.0, 0]] * 6])
    assert item_information(certain, 4) == pytest.approx(3 * log(2))
    assert item_information(certain[:, :1], 2) == pytest.approx(log(2))


def test_disagreement_is_the_share_of_pairs_put_in_both_orders():
    abc, bac = Ranking(tiers=(("a",), ("b",), ("c",))), Ranking(tiers=(("b",), ("a",), ("c",)))
    tied = Ranking(tiers=(("a", "b", "c"),))
    assert disagreement([abc, bac]) == pytest.approx(1 / 3)
    assert disagreement([abc, abc]) == 0
    assert disagreement([abc, tied]) == 0  # a tie contradicts nothing
    assert disagreement([abc]) == disagreement([]) == 0


def test_what_asks_the_same_question_waits():
    values = np.array([1.0, 0.9, 0.5])
    asked = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    order, worth = spread_out(values, asked)
    assert order.tolist() == [0, 2, 1]
    assert worth == pytest.approx([1.0, 0.5, 0.4])  # 0.9 less half of the highest


def test_beyond_the_greedy_ones_items_follow_by_what_is_left_of_them():
    values = np.array([1.0, 0.9, 0.5, 0.7])
    asked = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    order, worth = spread_out(values, asked, most=1)
    assert order.tolist() == [0, 3, 2, 1]
    assert worth == pytest.approx([1.0, 0.7, 0.5, 0.4])
    assert spread_out(np.zeros(0), np.zeros((0, 2)))[0].tolist() == []


def test_an_item_asks_for_the_pair_that_the_heads_disagree_about_most():
    features = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    divided = RewardHeads(weights=np.array([[1.0, 1.0], [-1.0, 1.0]]), log_ties=np.full(2, NO_TIES))
    assert np.abs(directions(features, divided)) == pytest.approx([1.0, 0.0])


def test_candidates_are_the_pair_furthest_apart_and_then_what_adds_most():
    features = column(0.0, 1.0, 1.01, -1.0)
    divided = heads(3.0, -3.0)
    assert sorted(teaching_candidates(features, divided, 2)) == [2, 3]
    # 0 makes two pairs of 3 logits or so, 0.5 nats each; 1 makes one of 6, at most 0.69 in all.
    assert sorted(teaching_candidates(features, divided, 3)) == [0, 2, 3]


def test_the_same_text_is_no_second_candidate_while_there_are_others():
    features = column(1.0, -1.0, 1.0, 0.0)
    divided = heads(3.0, -3.0)
    texts = ["Yes.", "No.", " Yes. ", "Well."]
    found = teaching_candidates(features, divided, 3, texts=texts)
    assert sorted(found) in ([0, 1, 3], [1, 2, 3])
    assert sorted(teaching_candidates(features, divided, 4, texts=texts)) == [0, 1, 2, 3]
    alike = teaching_candidates(column(0.0, 1.0, 2.0), divided, 2, texts=["a", "a", "a"])
    assert len(set(alike)) == 2


def test_candidates_that_were_shown_stay():
    divided = heads(3.0, -3.0)
    found = teaching_candidates(column(0.0, 0.1, 2.0), divided, 2, chosen=[1])
    assert found == [1, 2]


def test_too_few_responses_are_refused():
    with pytest.raises(NotEnoughData, match="1 responses to choose 2 from"):
        teaching_candidates(column(0.0), heads(1.0, 2.0), 2)
    with pytest.raises(ConfigError, match="1 texts of 2 responses"):
        teaching_candidates(column(0.0, 1.0), heads(1.0, 2.0), 2, texts=["a"])


def reference_loss(point, rankings, precision):
    """The same objective pair by pair: Davidson, k - 1 pairs' weight, normal priors."""
    weights, log_tie = point[:-1], point[-1]
    total = precision / 2 * (weights @ weights) + (log_tie + 1) ** 2 / 2
    for ranking in rankings:
        scores = ranking.features @ weights
        for i, j in combinations(range(len(scores)), 2):
            win, loss = exp((scores[i] - scores[j]) / 2), exp((scores[j] - scores[i]) / 2)
            tie = exp(log_tie)
            sign = np.sign(ranking.ranks[j] - ranking.ranks[i])
            chance = {1: win, -1: loss, 0: tie}[int(sign)] / (win + loss + tie)
            total -= 2 / len(scores) * log(chance)
    return total


def test_the_mean_head_minimises_the_davidson_loss():
    random = np.random.default_rng(3)
    rankings = [
        Ranked(features=random.normal(size=(k, 3)), ranks=random.integers(1, 4, k).tolist())
        for k in (2, 3, 4, 4, 3)
    ]
    found = fit_mean_head(rankings, dimensions=3, precision=0.5)
    expected = minimize(
        reference_loss, np.zeros(4), args=(rankings, 0.5), tol=1e-12, method="BFGS"
    ).x
    assert found.weights[0] == pytest.approx(expected[:3], abs=1e-5)
    assert found.log_ties[0] == pytest.approx(expected[3], abs=1e-5)


def test_without_rankings_heads_are_draws_from_the_prior():
    found = fit_heads([], dimensions=50, heads=200, precision=4.0, seed=1)
    assert found.weights.std() == pytest.approx(0.5, rel=0.03)
    again = fit_heads([], dimensions=50, heads=200, precision=4.0, seed=1)
    assert np.array_equal(found.weights, again.weights)


def test_heads_agree_on_what_was_ranked_and_differ_on_what_was_not():
    random = np.random.default_rng(0)
    known = [
        Ranked(features=np.array([[x, 0.0], [-x, 0.0]]), ranks=[1, 2] if x > 0 else [2, 1])
        for x in random.normal(size=60)
    ]
    found = fit_heads(known, dimensions=2, seed=5)
    assert (found.weights[:, 0] > 0).all()
    asked, unasked = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.0, 1.0], [0.0, -1.0]])
    information = [item_information(found.outcomes(f), 2) for f in (asked, unasked)]
    assert information[1] > 3 * information[0]


def test_projected_responses_have_a_total_variance_of_one_within_their_items():
    random = np.random.default_rng(0)
    items = [random.normal(size=(4, 6)) * [100, 10, 1, 1, 1, 0] + n for n in range(20)]
    projected = [Projection.of(items, kept=3)(item) for item in items]
    within = np.concatenate([p - p.mean(axis=0) for p in projected])
    assert projected[0].shape == (4, 3)
    assert (within**2).sum(axis=1).mean() == pytest.approx(1.0)


def test_responses_that_are_all_alike_leave_nothing_to_choose_by():
    with pytest.raises(NotEnoughData, match="no two responses differ"):
        Projection.of([np.ones((3, 2))])


@pytest.mark.parametrize("wrong", [{"heads": 1}, {"precision": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="at least 2 heads"):
        fit_heads([], dimensions=2, **wrong)
    with pytest.raises(ConfigError, match="2 candidates and 1 ranks"):
        Ranked(features=np.zeros((2, 2)), ranks=[1])
