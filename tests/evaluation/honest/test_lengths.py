from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from rlhf_lab.errors import ConfigError, NonFiniteError, NotEnoughData
from rlhf_lab.evaluation.honest import reward_length_correlation
from rlhf_lab.evaluation.honest.lengths import _rank_correlation


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 6)), min_size=3, max_size=25),
    st.integers(1, 4),
)
def test_both_coefficients_are_those_of_the_reference_package(pairs, size):
    scores, lengths = (np.array(column, float) for column in zip(*pairs, strict=True))
    assume(np.ptp(scores) > 0)
    assume(np.ptp(lengths) > 0)
    prompts = [f"p{row // size}" for row in range(len(scores))]
    found = reward_length_correlation(scores, lengths, prompts, resamples=10).overall
    assert found.pearson.estimate == pytest.approx(pearsonr(scores, lengths)[0], abs=1e-9)
    assert found.spearman.estimate == pytest.approx(spearmanr(scores, lengths)[0], abs=1e-9)


def test_a_draw_ranks_anew_what_was_drawn():
    random = np.random.default_rng(0)
    x, y = random.integers(0, 6, size=(2, 12)).astype(float)
    times = random.multinomial(12, [1 / 12] * 12, size=5)
    expected = [spearmanr(np.repeat(x, t), np.repeat(y, t))[0] for t in times]
    np.testing.assert_allclose(_rank_correlation(x, y, times.astype(float)), expected, atol=1e-12)


def test_within_a_prompt_by_hand():
    # Long answers belong to the prompt with high rewards; within each, the short one is scored up.
    scores, lengths = [1.0, 2.0, 11.0, 12.0], [20, 10, 220, 210]
    found = reward_length_correlation(scores, lengths, ["a", "a", "b", "b"])
    assert found.overall.pearson.estimate > 0.9
    assert found.within.pearson.estimate == pytest.approx(-1)
    assert found.within.spearman.estimate == pytest.approx(-1)
    assert (found.responses, found.prompts) == (4, 2)


def test_prompts_with_one_answer_say_nothing_of_within():
    found = reward_length_correlation([1, 2, 3], [5, 9, 7], ["a", "b", "c"])
    assert found.within == (None, None)
    assert found.overall.spearman.estimate == pytest.approx(0.5)
    mixed = reward_length_correlation([1, 2, 3], [5, 9, 7], ["a", "b", "b"])
    assert mixed.within.pearson.estimate == pytest.approx(-1)
    assert mixed.within.pearson.n == 1


def test_the_interval_is_over_prompts_not_responses():
    random = np.random.default_rng(4)
    noise = random.normal(size=(2, 40))
    once = reward_length_correlation(*noise, [str(n) for n in range(40)]).overall
    copied = reward_length_correlation(
        *np.repeat(noise, 10, axis=1), [str(n) for n in np.repeat(range(40), 10)]
    ).overall
    for one, ten in zip(once, copied, strict=True):
        assert one.estimate == pytest.approx(ten.estimate, abs=1e-9)
        assert (one.low, one.high) == pytest.approx((ten.low, ten.high), abs=0.02)
        assert one.n == ten.n == 40


def test_a_known_correlation_lies_in_an_interval_of_about_the_right_width():
    random = np.random.default_rng(7)
    lengths = random.normal(size=400)
    scores = 0.6 * lengths + 0.8 * random.normal(size=400)
    found = reward_length_correlation(scores, lengths, [str(n) for n in range(400)])
    pearson = found.overall.pearson
    assert pearson.low < 0.6 < pearson.high
    # By Fisher: (1 - r^2) / sqrt(n) = 0.032.
    assert pearson.high - pearson.low == pytest.approx(2 * 1.96 * 0.032, rel=0.25)
    assert "goes up with length, so much" in found.meaning


def test_what_never_varies_has_no_correlation():
    found = reward_length_correlation([0.1] * 4, [3, 5, 2, 9], ["a", "a", "b", "b"])
    assert found.overall == found.within == (None, None)
    assert "all alike" in found.meaning
    assert "Pearson –" in str(found)


def test_a_perfect_order_is_no_certainty():
    found = reward_length_correlation([1, 2, 3, 4], [2, 3, 5, 9], ["a", "b", "c", "d"])
    assert found.overall.spearman.estimate == pytest.approx(1)
    assert found.overall.spearman.low < 0.6


@pytest.mark.parametrize(
    ("scores", "error"),
    [([1.0], NotEnoughData), ([1.0, float("nan")], NonFiniteError), ([1.0] * 3, ConfigError)],
)
def test_what_has_no_correlation_is_refused(scores, error):
    with pytest.raises(error):
        reward_length_correlation(scores, [1, 2][: len(scores)], ["a", "b"][: len(scores)])
