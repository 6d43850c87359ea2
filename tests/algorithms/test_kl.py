from __future__ import annotations

import dataclasses
import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from rlhf_lab.algorithms import AdaptiveKL, FixedKL, kl_k1, kl_k3
from rlhf_lab.errors import ConfigError
from tests.algorithms import reference
from tests.algorithms.batches import FILLS, SEEDS, Ragged, close, flat


def test_k1_and_k3_worked_by_hand():
    half, quarter = torch.tensor([0.5]).log(), torch.tensor([0.25]).log()
    # The policy finds the token twice as likely: k1 = log 2, k3 = 1/2 - 1 + log 2.
    close(kl_k1(half, quarter), [0.693147])
    close(kl_k3(half, quarter), [0.193147], rtol=5e-6)
    # Half as likely: k1 = -log 2, k3 = 2 - 1 - log 2.
    close(kl_k1(quarter, half), [-0.693147])
    close(kl_k3(quarter, half), [0.306853], rtol=5e-6)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_both_estimators_equal_the_reference_whatever_sits_in_the_padding(seed, fill):
    drawn = Ragged(seed, fill=fill)
    logp, other = drawn.rows(), drawn.rows()
    for estimator, expected in ((kl_k1, reference.kl_k1), (kl_k3, reference.kl_k3)):
        found = estimator(drawn.pad(logp), drawn.pad(other))
        close(flat(drawn.unpad(found)), flat(expected(logp, other)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_adaptive_price_equals_the_reference_over_many_steps(seed):
    random = np.random.default_rng(seed)
    kls = [float(x) for x in random.normal(6, 2, size=30)]
    controller = AdaptiveKL(coef=0.1, target=6.0, horizon=640.0)
    for kl in kls:
        controller.update(kl, samples=64)
    assert controller.coef == pytest.approx(reference.adapted(0.1, 6.0, 0.1, kls), rel=1e-12)


def test_both_estimators_have_the_true_kl_as_their_mean():
    policy = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    other = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)
    true = sum(p * math.log(p / q) for p, q in zip(policy.tolist(), other.tolist(), strict=True))
    for estimator in (kl_k1, kl_k3):
        close((policy * estimator(policy.log(), other.log())).sum(), true, rtol=1e-12)


@given(st.floats(-15, 0), st.floats(-15, 0))
def test_k3_is_never_negative(logp, ref_logp):
    assert kl_k3(torch.tensor(logp), torch.tensor(ref_logp)) >= 0


def test_k3_keeps_its_digits_when_the_policies_are_nearly_equal():
    # x^2 / 2 for a small log ratio x; exp(x) - 1 - x would leave no digit of it in float32.
    close(kl_k3(torch.tensor(0.0), torch.tensor(1e-4)), 5e-9, rtol=2e-3, atol=0)


def test_no_difference_is_no_kl():
    logp = torch.tensor([-0.1, -7.0])
    assert kl_k1(logp, logp).tolist() == [0.0, 0.0]
    assert kl_k3(logp, logp).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("kl", "expected"),
    [
        # beta * (1 + K e), K = 256 / 10,000 = 0.0256, e = clip(kl / 6 - 1, -0.2, 0.2)
        (12.0, 0.201024),  # e = 1, clipped to 0.2: 0.2 * 1.00512
        (6.6, 0.200512),  # e = 0.1: 0.2 * 1.00256
        (6.0, 0.2),
        (5.4, 0.199488),  # e = -0.1
        (0.0, 0.198976),  # e = -1, clipped to -0.2
        (-3.0, 0.198976),  # k1 may come out negative by chance
        (math.inf, 0.201024),
    ],
)
def test_adaptive_price_follows_the_clipped_error(kl, expected):
    controller = AdaptiveKL(coef=0.2, target=6.0, horizon=10_000.0)
    controller.update(kl, samples=256)
    assert controller.coef == pytest.approx(expected, rel=1e-12)


def test_adaptive_price_with_the_gain_of_the_paper():
    # K = 0.1 (Ziegler et al. 2019, section 2.2): 64 samples over a horizon of 640.
    controller = AdaptiveKL(coef=1.0, target=10.0, horizon=640.0)
    controller.update(20.0, samples=64)
    assert controller.coef == pytest.approx(1.02)
    controller.update(9.0, samples=64)
    assert controller.coef == pytest.approx(1.02 * 0.99)


def test_one_horizon_at_full_error_changes_the_price_by_a_fifth():
    controller = AdaptiveKL(coef=1.0, target=6.0, horizon=100.0)
    controller.update(100.0, samples=100)
    assert controller.coef == pytest.approx(1.2)


def test_the_price_never_turns_negative_however_short_the_horizon():
    controller = AdaptiveKL(coef=0.05, target=6.0, horizon=1.0)
    for _ in range(3):
        controller.update(0.0, samples=64)
    assert controller.coef == pytest.approx(0.05 * 0.8**3)


def test_a_kl_that_is_not_a_number_leaves_the_price_as_it_was():
    controller = AdaptiveKL(coef=0.05, target=6.0, horizon=100.0)
    controller.update(math.nan, samples=32)
    assert controller.coef == 0.05


def test_fixed_price_stays():
    controller = FixedKL(coef=0.05)
    controller.update(1000.0, samples=64)
    assert controller.coef == 0.05


@pytest.mark.parametrize(
    ("target", "horizon"),
    [(0.0, 100.0), (-1.0, 100.0), (6.0, 0.0), (math.nan, 100.0), (6.0, math.nan)],
)
def test_a_controller_that_cannot_work_is_refused(target, horizon):
    with pytest.raises(
        ConfigError, match=rf"target={target}, horizon={horizon}: .*above 0\. Six nats"
    ):
        AdaptiveKL(coef=0.05, target=target, horizon=horizon)


def test_controllers_are_copied_whole_for_taking_a_step_back():
    controller = AdaptiveKL(coef=0.05, target=6.0, horizon=100.0)
    before = dataclasses.replace(controller)
    controller.update(60.0, samples=50)
    assert before == AdaptiveKL(coef=0.05, target=6.0, horizon=100.0)
