from __future__ import annotations

from itertools import permutations
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as reference_kappa

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.agreement import (
    Ratings,
    Weighting,
    agreement_weights,
    fleiss_kappa,
    gwet_ac,
)

NAN = np.nan
WEIGHTINGS = get_args(Weighting)
# Gwet (2014), "Handbook of Inter-Rater Reliability", 4th edition, table 2.10: 4 raters, 12 units.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, NAN],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 3],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def ratings(matrix: np.ndarray, values: int, *, per_cluster: int = 1) -> Ratings:
    """Of a matrix of raters by units with values from 1 on, NaN where somebody said nothing."""
    rater, unit = np.nonzero(~np.isnan(matrix))
    value = matrix[rater, unit].astype(int) - 1
    return Ratings(rater=rater, unit=unit, cluster=unit // per_cluster, value=value, values=values)


def holey(values: int, *, holes: bool = True):
    """Matrices of 2 to 5 raters by 1 to 12 units."""
    shapes = st.tuples(st.integers(2, 5), st.integers(1, 12))
    element = st.sampled_from([*([NAN] if holes else []), *map(float, range(1, values + 1))])
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=element))


def by_definition(matrix: np.ndarray, values: int, weights: np.ndarray, chance: str) -> float:
    """Agreement and chance counted pair by pair of raters: slow, and with nothing in common."""
    said = [[int(v) - 1 for v in unit if not np.isnan(v)] for unit in matrix.T]
    seen = [
        np.mean([weights[a, b] for a, b in permutations(unit, 2)]) for unit in said if len(unit) > 1
    ]
    shares = [[unit.count(value) / len(unit) for value in range(values)] for unit in said if unit]
    given_ = np.mean(shares, axis=0)
    if chance == "fleiss":
        by_chance = sum(
            weights[a, b] * given_[a] * given_[b] for a in range(values) for b in range(values)
        )
    else:
        hard = sum(share * (1 - share) for share in given_)
        by_chance = weights.sum() * hard / (values * (values - 1))
    if 1 - by_chance < 1e-12:
        return NAN
    return (np.mean(seen) - by_chance) / (1 - by_chance)


def test_both_are_the_published_ones_of_the_published_example():
    said = ratings(PUBLISHED, 5)
    assert fleiss_kappa(said).estimate == pytest.approx(0.76117, abs=5e-6)
    assert gwet_ac(said).estimate == pytest.approx(0.77544, abs=5e-6)


@given(holey(4, holes=False))
def test_fleiss_kappa_is_that_of_the_reference_package_on_complete_data(matrix):
    assume(len(np.unique(matrix)) > 1)
    table, _ = aggregate_raters(matrix.T.astype(int))
    found = fleiss_kappa(ratings(matrix, 4), resamples=10)
    assert found.estimate == pytest.approx(reference_kappa(table, method="fleiss"), abs=1e-9)


@given(st.integers(2, 5).flatmap(lambda q: st.tuples(st.just(q), holey(q))), st.data())
def test_both_are_as_defined_on_data_with_holes(case, data):
    values, matrix = case
    weighting = data.draw(st.sampled_from(WEIGHTINGS))
    said, weights = ratings(matrix, values), agreement_weights(values, weighting)
    found = {
        "fleiss": fleiss_kappa(said, weighting, resamples=10),
        "gwet": gwet_ac(said, weighting, resamples=10),
    }
    if ((~np.isnan(matrix)).sum(axis=0) < 2).all():  # nobody rated what somebody else did
        assert list(found.values()) == [None, None]
        return
    for chance, one in found.items():
        expected = by_definition(matrix, values, weights, chance)
        if np.isnan(expected):
            assert one is None
        else:
            assert one.estimate == pytest.approx(expected, abs=1e-9)


def test_weights_by_hand():
    assert agreement_weights(3, "identity").tolist() == np.eye(3).tolist()
    assert agreement_weights(3, "linear")[0].tolist() == [1, 0.5, 0]
    assert agreement_weights(3, "quadratic")[0].tolist() == [1, 0.75, 0]
    # Of 1 to 4 there are 6 pairs of values, of 1 and 2 one, of 1 to 3 three.
    assert agreement_weights(4, "ordinal")[0].tolist() == pytest.approx([1, 5 / 6, 3 / 6, 0])


def test_an_unknown_weighting_says_which_there_are():
    with pytest.raises(ConfigError, match="'ordinal'"):
        agreement_weights(3, "cubic")


def test_where_nearly_all_get_one_value_kappa_falls_and_ac1_does_not():
    # 98 of 100 units alike; the other two differ. Chance by Fleiss 0.9802, by Gwet 0.0198.
    matrix = np.ones((2, 100))
    matrix[0, 0] = matrix[1, 1] = 2
    said = ratings(matrix, 2)
    assert fleiss_kappa(said).estimate == pytest.approx((0.98 - 0.9802) / 0.0198)
    assert gwet_ac(said).estimate == pytest.approx((0.98 - 0.0198) / 0.9802)


def test_full_agreement_on_one_value_is_none_for_kappa_and_1_for_ac1():
    said = ratings(np.ones((3, 6)), 2)
    assert fleiss_kappa(said) is None
    assert gwet_ac(said).estimate == 1
    assert gwet_ac(ratings(np.ones((3, 6)), 1)) is None


def test_intervals_are_over_prompts_and_repeat_with_the_seed():
    matrix = np.random.default_rng(2).integers(1, 4, size=(3, 60)).astype(float)
    for coefficient in (fleiss_kappa, gwet_ac):
        by_unit = coefficient(ratings(matrix, 3), seed=1)
        by_prompt = coefficient(ratings(matrix, 3, per_cluster=20), seed=1)
        assert by_unit.n == 60
        assert by_prompt.n == 3
        assert by_unit.estimate == pytest.approx(by_prompt.estimate, abs=1e-12)
        assert by_unit.low < by_unit.estimate < by_unit.high
        assert coefficient(ratings(matrix, 3), seed=1) == by_unit
        assert coefficient(ratings(matrix, 3), seed=2) != by_unit
