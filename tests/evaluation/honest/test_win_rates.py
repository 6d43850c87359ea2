from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.honest import (
    compare_win_rates,
    length_controlled,
    length_controlled_win_rate,
    paired_difference,
)
from rlhf_lab.types import wilson_interval
from tests.evaluation.honest.made import evaluation


def simulated(prompts: int, *, skill: float, taste: float, longer: float = 30.0, seed: int = 0):
    """Outcomes, lengths and baseline lengths with logit `skill + taste * tanh(d / s)`."""
    random = np.random.default_rng(seed)
    apart = random.normal(longer, 40.0, size=prompts)
    logit = skill + taste * np.tanh(apart / apart.std())
    won = (random.random(prompts) < 1 / (1 + np.exp(-logit))).astype(float)
    return won, 200 + apart, np.full(prompts, 200.0)


def test_what_both_win_alike_cancels_in_the_paired_interval():
    # Half of the prompts are easy for both; they differ on 10 of 200.
    easy = [1.0] * 100 + [0.0] * 100
    better = [1.0] * 110 + [0.0] * 90
    found = paired_difference(better, easy)
    assert found.estimate == pytest.approx(0.05)
    # Standard error of the mean of 200 values, 10 of them 1: sqrt(0.05 * 0.95 / 200) = 0.0154.
    assert found.low == pytest.approx(0.05 - 1.96 * 0.0154, abs=0.006)
    assert found.high == pytest.approx(0.05 + 1.96 * 0.0154, abs=0.006)
    assert found.n == 200


def test_the_difference_turns_its_sign_with_its_sides():
    random = np.random.default_rng(1)
    one, other = random.integers(0, 2, size=(2, 80)).astype(float)
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there.estimate == -back.estimate
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_prompts_that_all_differ_by_the_same_give_no_certainty():
    found = paired_difference([1.0, 0.5, 0.0], [1.0, 0.5, 0.0])
    others = 1 - wilson_interval(1.0, 3).low
    assert (found.estimate, found.low, found.high) == pytest.approx((0, -others, others))
    every_win = paired_difference([1.0] * 5, [0.0] * 5)
    assert (every_win.estimate, every_win.high) == (1, 1)
    assert every_win.low == pytest.approx(1 - 2 * (1 - wilson_interval(1.0, 5).low))


def test_versions_are_compared_on_the_prompts_that_both_were_judged_on():
    first = evaluation([1, 1, 0.5, 1], version="policy@2")  # questions 0 to 3
    second = evaluation([0, 0.5, 0, 1], version="policy@1", first=1)  # questions 1 to 4
    found = compare_win_rates(first, second)
    # Questions 1 to 3: 1, 0.5, 1 and 0, 0.5, 0.
    assert found.difference.n == 3
    assert found.first_rate == pytest.approx(2.5 / 3)
    assert found.second_rate == pytest.approx(0.5 / 3)
    assert found.difference.estimate == pytest.approx(2 / 3)
    assert str(found).startswith(
        "policy@2 0.83 and policy@1 0.17 against policy@0: difference +0.6"
    )


def test_a_verdict_needs_the_whole_interval_on_one_side():
    won, lost = evaluation([1.0] * 20), evaluation([0.0] * 20)
    assert compare_win_rates(won, lost).verdict == "better"
    assert compare_win_rates(lost, won).verdict == "worse"
    assert compare_win_rates(won, won).verdict == "unclear"


@pytest.mark.parametrize("what", ["baseline", "judge"])
def test_win_rates_of_other_baselines_or_judges_are_not_compared(what):
    other = evaluation([1.0], **{what: "policy@9"})
    with pytest.raises(ConfigError, match=f"only if the {what} is the same"):
        compare_win_rates(evaluation([1.0]), other)


def test_no_prompt_in_common_is_refused():
    with pytest.raises(NotEnoughData, match="0 prompts in common"):
        compare_win_rates(evaluation([1.0]), evaluation([1.0], first=5))


def test_a_win_rate_of_length_alone_is_one_half_at_equal_length():
    found = length_controlled(*simulated(1500, skill=0.0, taste=2.0))
    assert found.raw.low > 0.6
    assert found.win_rate.low < 0.5 < found.win_rate.high
    assert found.win_rate.high - found.win_rate.low < 0.1
    assert found.effect.low < 2.0 < found.effect.high
    assert not found.is_extrapolated


def test_skill_is_found_under_a_taste_for_short_answers():
    found = length_controlled(*simulated(1500, skill=1.0, taste=-2.0))
    assert found.raw.high < 0.6
    assert found.win_rate.low < 1 / (1 + np.exp(-1.0)) < found.win_rate.high
    assert found.effect.high < 0


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(60):
        found = length_controlled(
            *simulated(150, skill=0.5, taste=1.5, seed=seed), resamples=200, seed=seed
        )
        held += found.win_rate.low <= 1 / (1 + np.exp(-0.5)) <= found.win_rate.high
    assert held >= 52  # of 60 at 95%: below with a chance of 1 in 1,000


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=20), st.integers(-50, 50))
@settings(deadline=None)
def test_where_all_are_as_much_longer_it_is_the_raw_rate(outcomes, longer):
    lengths = [100] * len(outcomes)
    found = length_controlled(outcomes, [100 + longer] * len(outcomes), lengths, resamples=20)
    assert found.win_rate.estimate == pytest.approx(sum(outcomes) / len(outcomes), abs=1e-9)
    assert found.raw.estimate == pytest.approx(sum(outcomes) / len(outcomes))
    assert 0 <= found.win_rate.low <= found.win_rate.high <= 1


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_penalised_logistic_regression_of_the_reference_package(seed):
    random = np.random.default_rng(seed)
    won = random.choice([0.0, 0.5, 1.0], size=60)
    lengths, others = random.integers(1, 200, size=(2, 60))
    apart = (lengths - others).astype(float)
    x = np.tanh(apart / apart.std())
    # A tie is half a win and half a loss; the penalty 1 / (2 C) b^2 is the prior of deviation 2.5.
    model = LogisticRegression(C=2.5**2, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(
        np.concatenate([x, x])[:, None],
        np.repeat([1, 0], 60),
        sample_weight=np.concatenate([won, 1 - won]),
    )
    found = length_controlled(won, lengths, others, resamples=10)
    expected = 1 / (1 + np.exp(-model.intercept_[0]))
    assert found.win_rate.estimate == pytest.approx(expected, abs=1e-6)
    assert found.effect.estimate == pytest.approx(model.coef_[0, 0], abs=1e-5)


def test_always_winning_with_the_longer_answer_stays_finite():
    found = length_controlled([1, 1, 0, 0, 1, 0], [30, 40, 5, 6, 25, 9], [20] * 6)
    assert 0 < found.win_rate.estimate < 1
    assert np.isfinite([found.effect.estimate, found.effect.low, found.effect.high]).all()


def test_winning_or_losing_everything_is_wilsons_interval():
    for outcome in (0.0, 1.0):
        found = length_controlled([outcome] * 9, range(9), [4] * 9)
        assert found.win_rate == wilson_interval(outcome, 9)
        assert found.raw == wilson_interval(outcome, 9)


def test_answers_that_are_all_longer_are_told_as_a_guess():
    found = length_controlled([1, 0, 1, 1], [30, 45, 28, 60], [20, 20, 20, 20])
    assert found.longer == 1
    assert found.is_extrapolated
    assert "Nearly all answers are longer" in str(found)


def test_lengths_are_those_of_the_texts():
    texts = [("a", "aaaa"), ("aa", "a"), ("a", "aaa"), ("aaa", "aaa")]
    report = evaluation([1, 0, 0.5, 1], texts=texts)
    assert length_controlled_win_rate(report) == length_controlled(
        [1, 0, 0.5, 1], [4, 1, 3, 3], [1, 2, 1, 3]
    )


@pytest.mark.parametrize(
    ("outcomes", "lengths", "told"),
    [([], [], "0 prompts"), ([2.0], [1], "a win is 1"), ([1.0, 0.0], [1], "one each per prompt")],
)
def test_what_does_not_fit_is_refused(outcomes, lengths, told):
    with pytest.raises((ConfigError, NotEnoughData), match=told):
        length_controlled(outcomes, lengths, lengths)


def test_the_same_seed_gives_the_same_interval():
    data = simulated(60, skill=0.3, taste=1.0)
    assert length_controlled(*data, seed=3) == length_controlled(*data, seed=3)
    assert length_controlled(*data, seed=3) != length_controlled(*data, seed=4)
