from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from rlhf_lab.evaluation.agreement import Ratings, cohen_kappa, krippendorff_alpha, resampled
from rlhf_lab.evaluation.agreement.coefficients import coincidences, kappa_between, pair_tables

NAN = np.nan
# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def ratings(matrix: np.ndarray, *, per_cluster: int = 1, first: int = 1) -> Ratings:
    """Of a matrix of raters by units, NaN where somebody said nothing."""
    rater, unit = np.nonzero(~np.isnan(matrix))
    value = matrix[rater, unit].astype(int) - first
    return Ratings(
        rater=rater,
        unit=unit,
        cluster=unit // per_cluster,
        value=value,
        values=int(np.nanmax(matrix)) - first + 1 if value.size else 1,
    )


def holey(values: int):
    """Matrices of 2 to 4 raters by 1 to 12 units, with holes."""
    shapes = st.tuples(st.integers(2, 4), st.integers(1, 12))
    element = st.sampled_from([NAN, *map(float, range(1, values + 1))])
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=element))


def test_alpha_is_the_published_one_of_the_published_example():
    assert krippendorff_alpha(ratings(PUBLISHED), "nominal").estimate == pytest.approx(
        0.743, abs=5e-4
    )
    assert krippendorff_alpha(ratings(PUBLISHED), "ordinal").estimate == pytest.approx(
        0.815, abs=5e-4
    )


def test_alpha_by_hand():
    # Two raters, three units: aa, bb, ab. Coincidences: aa 2, bb 2, ab and ba 1 each.
    # Observed 2 of 6; by chance 2 * 3 * 3 / 5 of 6. Alpha = 1 - 2 / 3.6.
    found = krippendorff_alpha(ratings(np.array([[1, 2, 1], [1, 2, 2]])), "nominal")
    assert found.estimate == pytest.approx(1 - 2 / 3.6, abs=1e-12)
    assert found.n == 3


@given(holey(4), st.sampled_from(["nominal", "ordinal"]))
def test_alpha_is_that_of_the_reference_package_with_missing_data(matrix, level):
    said = matrix[~np.isnan(matrix)]
    assume(said.size and np.nanmax(matrix) > 1)
    found = krippendorff_alpha(ratings(matrix), level, resamples=10)
    if ((~np.isnan(matrix)).sum(axis=0) < 2).all():  # nobody rated what somebody else did
        assert found is None
        return
    domain = range(1, int(np.nanmax(matrix)) + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        reference = krippendorff.alpha(matrix, value_domain=domain, level_of_measurement=level)
    if np.isnan(reference):
        assert found is None
    else:
        assert found.estimate == pytest.approx(reference, abs=1e-9)


def test_units_are_worked_on_in_parts_with_the_same_result(monkeypatch):
    matrix = np.random.default_rng(0).integers(1, 4, size=(3, 50)).astype(float)
    whole = coincidences(ratings(matrix, per_cluster=7))
    monkeypatch.setattr("rlhf_lab.evaluation.agreement.coefficients._UNITS", 5)
    np.testing.assert_allclose(coincidences(ratings(matrix, per_cluster=7)), whole, atol=1e-12)
    assert whole.shape == (8, 9)
    assert whole.sum() == pytest.approx(150)  # a unit counts as often as it has raters


def test_alpha_of_values_that_never_differ_is_none_and_so_is_that_of_nothing():
    assert krippendorff_alpha(ratings(np.ones((2, 4))), "nominal") is None
    assert krippendorff_alpha(ratings(np.array([[1, NAN], [NAN, 2]])), "nominal") is None
    assert krippendorff_alpha(ratings(np.full((2, 3), NAN)), "ordinal") is None


def test_how_far_apart_values_are_matters_to_ordinal_alpha_alone():
    near = np.array([[1.0, 2, 3, 4, 1, 4], [2, 2, 3, 4, 1, 4]])
    far = np.array([[1.0, 2, 3, 4, 1, 4], [4, 2, 3, 4, 1, 4]])
    lost = {
        level: krippendorff_alpha(ratings(near), level).estimate
        - krippendorff_alpha(ratings(far), level).estimate
        for level in ("nominal", "ordinal")
    }
    assert lost["ordinal"] > 0.3
    assert abs(lost["nominal"]) < 0.03


def test_kappa_by_hand():
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: 0.7 agreed, 0.5 by chance.
    assert cohen_kappa(np.array([[[20.0, 5], [10, 15]]])) == pytest.approx([0.4], abs=1e-12)


@given(holey(3))
def test_kappa_is_that_of_the_reference_package_on_what_both_rated(matrix):
    both = ~np.isnan(matrix[:2]).any(axis=0)
    assume(both.any())
    kappa, shared = kappa_between(ratings(matrix), 0, 1, resamples=10)
    assert shared == both.sum()
    one, other = matrix[0, both], matrix[1, both]
    if len(set(one) | set(other)) == 1:
        assert kappa is None
    else:
        assert kappa.estimate == pytest.approx(cohen_kappa_score(one, other), abs=1e-9)


def test_kappa_of_two_who_rated_nothing_together_is_none():
    assert kappa_between(ratings(np.array([[1, NAN], [NAN, 2]])), 0, 1) == (None, 0)


def test_tables_of_two_are_by_cluster_with_the_first_ones_values_as_rows():
    matrix = np.array([[1, 2, 1, 1], [2, 2, NAN, 2]])
    tables = pair_tables(ratings(matrix, per_cluster=2), 0, 1)
    # Prompt 0: 1-2 and 2-2. Prompt 1: 1-2 alone.
    assert tables.tolist() == [[0, 1, 0, 1], [0, 1, 0, 0]]


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def test_the_interval_is_the_bootstrap_of_whole_clusters():
    random = np.random.default_rng(3)
    # A cluster of ten equal values says no more than one value.
    cells = np.stack([10.0 * random.integers(0, 2, size=200), np.full(200, 10.0)], axis=1)
    found = resampled(cells, mean)
    share = cells[:, 0].mean() / 10
    half = 1.96 * np.sqrt(share * (1 - share) / 200)
    assert found.estimate == pytest.approx(share)
    assert found.low == pytest.approx(share - half, abs=0.01)
    assert found.high == pytest.approx(share + half, abs=0.01)
    assert found.n == 200


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    cells = np.random.default_rng(1).random((30, 2)) + 1
    assert resampled(cells, mean, seed=4) == resampled(cells, mean, seed=4)
    assert resampled(cells, mean, seed=4) != resampled(cells, mean, seed=5)


def test_bundles_of_very_many_clusters_give_an_interval_as_wide():
    random = np.random.default_rng(5)
    cells = np.stack([random.integers(0, 2, size=10_001), np.ones(10_001)], axis=1).astype(float)
    found = resampled(cells, mean, resamples=4_000)
    assert found.n == 10_001
    assert found.estimate == pytest.approx(cells[:, 0].mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 10_001), rel=0.06)


def test_full_agreement_on_few_prompts_is_no_certainty():
    matrix = np.array([[1.0, 2, 1, 2, 1], [1, 2, 1, 2, 1]])
    found = krippendorff_alpha(ratings(matrix), "nominal")
    assert (found.estimate, found.high) == (1, 1)
    assert found.low == pytest.approx(0.5655, abs=1e-4)  # Wilson's of 5 of 5


def test_one_prompt_alone_says_nothing():
    matrix = np.array([[1.0, 2, 1, 2], [1, 2, 1, 1]])
    found = krippendorff_alpha(ratings(matrix, per_cluster=4), "nominal")
    assert (found.low, found.high, found.n) == (-1, 1, 1)
