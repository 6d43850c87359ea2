from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rlhf_lab.evaluation.agreement import clustered_shares
from rlhf_lab.evaluation.agreement.shares import _student
from rlhf_lab.types import wilson_interval


def shares(clusters: list[list[float]]):
    """Of one group, its values by cluster."""
    cluster = np.repeat(np.arange(len(clusters)), [len(c) for c in clusters])
    hits = np.array([value for c in clusters for value in c])
    (found,) = clustered_shares(np.zeros_like(cluster), cluster, hits, 1)
    return found


def test_a_share_is_of_values_and_its_interval_is_of_prompts():
    found = shares([[1, 1, 0], [1], [0, 1]])
    assert found.estimate == pytest.approx(4 / 6)
    assert (found.n, found.of) == (3, 6)


def test_values_that_scatter_as_independent_ones_do_get_wilsons_interval_of_nearly_all():
    random = np.random.default_rng(0)
    found = shares([[v] for v in random.integers(0, 2, size=400)])
    plain = wilson_interval(found.estimate, 400)
    assert found.low == pytest.approx(plain.low, abs=0.002)
    assert found.high == pytest.approx(plain.high, abs=0.002)


def test_ten_equal_values_per_prompt_are_worth_one():
    random = np.random.default_rng(1)
    ones = random.integers(0, 2, size=100)
    alone, tenfold = shares([[v] for v in ones]), shares([[v] * 10 for v in ones])
    assert (tenfold.of, tenfold.n) == (1000, 100)
    assert tenfold.low == pytest.approx(alone.low, abs=0.002)


def test_by_hand():
    # Shares of prompts 2/2, 1/2, 1/2, 2/2: p = 3/4, deviations +-1/2, scatter 1.
    # Variance 4/3 * 1/64 = 1/48; p(1-p) = 3/16: worth 9, times (1.96 / 3.182) squared = 3.41.
    found = shares([[1, 1], [1, 0], [0, 1], [1, 1]])
    plain = wilson_interval(0.75, 3)
    assert (found.low, found.high) == (plain.low, plain.high)


def test_all_alike_is_no_certainty():
    found = shares([[1, 1, 1]] * 4)
    plain = wilson_interval(1.0, 4)
    assert (found.low, found.high) == (plain.low, plain.high)
    assert found.low < 0.6


def test_nothing_has_no_share_and_groups_are_apart():
    nothing = np.zeros(0, dtype=int)
    assert clustered_shares(nothing, nothing, nothing, 2) == [None, None]
    group, cluster = np.array([0, 0, 2]), np.array([0, 1, 0])
    first, second, third = clustered_shares(group, cluster, np.array([1, 0, 1]), 3)
    assert (first.estimate, second, third.estimate) == (0.5, None, 1)


def test_rows_without_weight_are_left_out():
    (found,) = clustered_shares(
        np.zeros(3, dtype=int), np.arange(3), np.array([2, 0, 1]), 1, np.array([3, 0, 1])
    )
    assert found.estimate == pytest.approx(3 / 4)
    assert (found.n, found.of) == (2, 4)


def test_students_t_is_right_to_three_digits():
    for freedom in [*range(1, 40), 100, 1_000]:
        assert _student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=5e-4)


@pytest.mark.parametrize(("prompts", "like"), [(5, 2), (12, 3), (40, 1), (40, 30)])
def test_the_interval_covers_the_truth(prompts: int, like: int):
    """Six pairs in each prompt, the less alike the larger `like`; 95% is what it says."""
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(600):
        each = random.binomial(6, random.beta(0.7 * like, 0.3 * like, size=prompts))
        found = shares([[1] * n + [0] * (6 - n) for n in each])
        covered += found.low <= 0.7 <= found.high
    assert covered / 600 >= 0.93
