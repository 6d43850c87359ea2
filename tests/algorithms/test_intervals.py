from __future__ import annotations

import numpy as np
import pytest

from rlhf_lab.algorithms import bootstrap_mean, share_interval
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.types import Interval
from tests.algorithms import reference


def test_the_estimate_is_the_mean_of_all_values_and_n_counts_clusters():
    found = bootstrap_mean([[1.0, 0.0, 1.0], [], [0.0]], resamples=100)
    assert found.estimate == 0.5  # 2 of 4 values; clusters first would give 1/3
    assert found.n == 2


def test_two_clusters_can_be_drawn_in_three_ways():
    # Means 0, 1/2 and 1 with probabilities 1/4, 1/2 and 1/4: both tails hold more than 2.5%.
    found = bootstrap_mean([[0.0], [1.0]], resamples=1000)
    assert found == Interval(estimate=0.5, low=0.0, high=1.0, n=2)


@pytest.mark.parametrize("seed", range(6))
def test_the_interval_is_that_of_all_equally_likely_draws(seed: int):
    """Clusters of unlike size; 5^5 draws, of which 10,000 samples see nearly all."""
    random = np.random.default_rng(seed)
    clusters = [[float(x) for x in random.normal(size=n)] for n in random.integers(1, 6, size=5)]
    found = bootstrap_mean(clusters, seed=seed)
    assert found.estimate == pytest.approx(np.mean(np.concatenate(clusters)), rel=1e-12)
    ends = reference.bootstrap(clusters, [0.02, 0.03, 0.97, 0.98])
    assert ends[0] <= found.low <= ends[1]
    assert ends[2] <= found.high <= ends[3]


def test_the_same_input_gives_the_same_interval_and_another_seed_another():
    values = [[float(x)] for x in np.random.default_rng(0).normal(size=30)]
    first = bootstrap_mean(values, resamples=500, seed=1)
    assert bootstrap_mean(values, resamples=500, seed=1) == first
    assert bootstrap_mean(values, resamples=500, seed=2) != first


def test_constant_values_have_an_interval_of_no_width():
    found = bootstrap_mean([[0.75, 0.75], [0.75], [0.75] * 5], resamples=200)
    assert found == Interval(estimate=0.75, low=0.75, high=0.75, n=3)


def test_copies_within_a_cluster_add_no_certainty():
    values = [float(x) for x in np.random.default_rng(0).integers(0, 2, size=25)]
    single = bootstrap_mean([[v] for v in values], resamples=500)
    copied = bootstrap_mean([[v] * 4 for v in values], resamples=500)
    assert copied == single


def test_large_samples_give_the_normal_interval():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    found = bootstrap_mean([[float(v)] for v in values], resamples=2000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.estimate == pytest.approx(values.mean(), rel=1e-12)
    assert found.low == pytest.approx(values.mean() - half, abs=0.06 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.06 * half)


def test_about_95_of_100_intervals_hold_the_truth_although_pairs_of_a_prompt_agree():
    random = np.random.default_rng(0)
    held = held_if_pairs_were_independent = 0
    for trial in range(200):
        # On a prompt the model is right about all of six pairs, or about 40% of them: 0.7 in all.
        accuracies = random.choice([0.4, 1.0], size=40)
        prompts = [[float(x) for x in random.random(6) < a] for a in accuracies]
        found = bootstrap_mean(prompts, resamples=200, seed=trial)
        held += found.low <= 0.7 <= found.high
        single = [[pair] for prompt in prompts for pair in prompt]
        naive = bootstrap_mean(single, resamples=200, seed=trial)
        held_if_pairs_were_independent += naive.low <= 0.7 <= naive.high
    assert 0.91 <= held / 200 <= 0.98
    assert held_if_pairs_were_independent / 200 < 0.85


@pytest.mark.parametrize("clusters", [[], [[]], [[], []]])
def test_no_values_are_refused(clusters):
    with pytest.raises(NotEnoughData, match=r"0 values: .*at least one\. Rank or evaluate"):
        bootstrap_mean(clusters)


def test_a_share_has_the_bootstraps_interval_where_prompts_differ():
    values = [[1.0, 0.0], [1.0], [0.0, 0.0, 1.0]]
    assert share_interval(values, seed=3) == bootstrap_mean(values, seed=3)


def test_one_prompt_tells_little():
    found = share_interval([[1.0, 1.0, 0.0]])
    assert (found.estimate, found.n) == (pytest.approx(2 / 3), 1)
    assert found.low < 0.15
    assert found.high > 0.95


@pytest.mark.parametrize(("share", "n"), [(1.0, 1), (1.0, 5), (0.0, 8), (0.75, 3), (0.5, 40)])
def test_prompts_that_all_agree_have_wilsons_interval(share: float, n: int):
    found = share_interval([[share, share]] * n, resamples=50)
    low, high = reference.wilson(share, n)
    assert (found.estimate, found.n) == (share, n)
    assert found.low == pytest.approx(low, abs=1e-5)
    assert found.high == pytest.approx(high, abs=1e-5)
    assert 0 <= found.low < found.high <= 1


def test_a_share_of_nothing_is_refused():
    with pytest.raises(NotEnoughData, match="0 values"):
        share_interval([[]])
