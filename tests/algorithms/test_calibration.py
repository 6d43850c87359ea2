from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rlhf_lab.algorithms import Calibration, ReliabilityBin, pairwise_calibration
from rlhf_lab.algorithms.calibration import PAIRS_PER_BIN
from rlhf_lab.errors import ConfigError, NonFiniteError, NotEnoughData
from tests.algorithms import reference
from tests.algorithms.batches import close

# Differences whose winner has probability 3/4 and 9/10.
QUARTER, TENTH = math.log(3), math.log(9)


def test_worked_by_hand():
    # Ten pairs at 3/4 of which 6 are right, ten at 9/10 of which all are: gaps 0.15 and 0.1.
    differences = [QUARTER] * 6 + [-QUARTER] * 4 + [TENTH] * 10
    found = pairwise_calibration(torch.tensor(differences, dtype=torch.float64))
    assert [b.pairs for b in found.bins] == [10, 10]
    close([b.confidence for b in found.bins], [0.75, 0.9])
    close([b.accuracy for b in found.bins], [0.6, 1.0])
    close(found.error, 0.5 * 0.15 + 0.5 * 0.1)
    close([found.confidence, found.accuracy], [0.825, 0.8])
    assert found.pairs == 20
    assert str(found).startswith("0.12 (0.")
    assert str(found).endswith("by chance): 0.82 sure, 0.80 right (20 pairs)")


def test_one_pair_by_hand():
    # Right with 3/4: off by 1/4. By chance: off by 1/4 three times in four, else by 3/4.
    found = pairwise_calibration(torch.tensor([QUARTER], dtype=torch.float64))
    close(found.error, 0.25)
    close(found.error_by_chance, 0.75 * 0.25 + 0.25 * 0.75)
    wrong = pairwise_calibration(torch.tensor([-QUARTER], dtype=torch.float64))
    close(wrong.error, 0.75)


def test_equal_scores_are_half_right_and_half_sure():
    found = pairwise_calibration(torch.zeros(4))
    assert found.bins == (ReliabilityBin(confidence=0.5, accuracy=0.5, pairs=4),)
    assert found.error == 0


@pytest.mark.parametrize(("pairs", "bins"), [(7, 1), (19, 1), (20, 2), (57, 5), (99, 9), (340, 10)])
def test_the_error_equals_the_reference(pairs: int, bins: int):
    differences = np.random.default_rng(pairs).normal(0.7, 1.5, size=pairs)
    found = pairwise_calibration(torch.from_numpy(differences))
    assert len(found.bins) == bins
    assert min(b.pairs for b in found.bins) >= min(pairs, PAIRS_PER_BIN)
    close(found.error, reference.calibration_error(differences.tolist(), bins), rtol=1e-10)
    assert [b.confidence for b in found.bins] == sorted(b.confidence for b in found.bins)


def test_chance_equals_all_ways_the_pairs_may_come_out():
    differences = np.random.default_rng(0).normal(0, 2, size=11)
    found = pairwise_calibration(torch.from_numpy(differences))
    chances = 1 / (1 + np.exp(-np.abs(differences)))
    close(found.error_by_chance, reference.expected_gap(chances.tolist()) / 11, rtol=1e-9)


def test_a_calibrated_model_has_the_error_of_chance_and_one_too_sure_has_more():
    random = np.random.default_rng(0)
    errors, by_chance, too_sure = [], [], []
    for _ in range(200):
        logits = np.abs(random.normal(0, 2, size=60))
        signs = np.where(random.random(60) < 1 / (1 + np.exp(-logits)), 1, -1)
        found = pairwise_calibration(torch.from_numpy(logits * signs))
        errors.append(found.error)
        by_chance.append(found.error_by_chance)
        too_sure.append(pairwise_calibration(torch.from_numpy(3 * logits * signs)).error)
    assert np.mean(errors) == pytest.approx(np.mean(by_chance), rel=0.05)
    assert np.mean(too_sure) > 1.4 * np.mean(by_chance)


def test_the_order_of_pairs_does_not_matter_even_if_confidences_repeat():
    random = np.random.default_rng(0)
    differences = random.choice([-2.0, -1.0, 1.0, 2.0, 3.0], size=85)
    first = pairwise_calibration(torch.from_numpy(differences))
    assert len({b.confidence for b in first.bins}) == len(first.bins) == 3
    for _ in range(5):
        again = pairwise_calibration(torch.from_numpy(random.permutation(differences)))
        assert [b.pairs for b in again.bins] == [b.pairs for b in first.bins]
        close(again.error, first.error, rtol=1e-12)


def test_swapping_better_and_worse_turns_right_into_wrong():
    differences = torch.linspace(0.1, 3.0, 30)
    right, wrong = pairwise_calibration(differences), pairwise_calibration(-differences)
    assert [b.accuracy for b in right.bins] == [1.0] * 3
    assert [b.accuracy for b in wrong.bins] == [0.0] * 3
    assert wrong.error > right.error


def test_huge_differences_are_certain():
    found = pairwise_calibration(torch.tensor([1e4, -1e4]))
    assert found.bins == (ReliabilityBin(confidence=1.0, accuracy=0.5, pairs=2),)
    assert (found.error, found.error_by_chance) == (0.5, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float):
    with pytest.raises(NonFiniteError, match=r"among 3 score differences: only finite"):
        pairwise_calibration(torch.tensor([1.0, value, 2.0]))


def test_nothing_to_measure_is_refused():
    with pytest.raises(NotEnoughData, match=r"0 pairs: .* Rank held-out prompts"):
        pairwise_calibration(torch.zeros(0))
    with pytest.raises(ConfigError, match="most_bins=0: at least 1"):
        pairwise_calibration(torch.ones(3), most_bins=0)


def test_values_are_plain_numbers():
    found = pairwise_calibration(torch.tensor([1.0, -0.5]))
    assert isinstance(found, Calibration)
    assert {type(x) for x in (found.error, found.error_by_chance)} == {float}
    assert {type(x) for b in found.bins for x in (b.confidence, b.accuracy)} == {float}
