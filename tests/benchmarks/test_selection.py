"""The selection benchmark: its figures by hand, its arms on a pool whose truth is known."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import selection


def test_the_share_of_labels_is_read_off_straight_lines_over_their_logarithm():
    sizes = [10, 20, 40, 80]
    random = np.array([0.5, 0.6, 0.7, 0.8])
    assert selection.share_needed(sizes, random, random) == pytest.approx(1.0)
    # Everywhere one doubling ahead: 0.8 after 40 labels.
    assert selection.share_needed(sizes, random + 0.1, random) == pytest.approx(0.5)
    assert selection.share_needed(sizes, random - 0.1, random) == pytest.approx(2.0)
    assert selection.share_needed(sizes, -random, random) == math.inf


def test_every_arm_begins_alike_and_asks_no_prompt_twice():
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 4, 8))
    pool = selection.Pool(features, features @ random.normal(size=8))
    settings = {"sizes": (4, 8, 12), "heldout": 10, "noise": 0.5, "seed": 3}
    runs = {arm: selection.learning_curve(pool, arm, **settings) for arm in selection.SHARES}
    first = {curve[0] for curve, _ in runs.values()}
    assert len(first) == 1
    for curve, labels in runs.values():
        assert len(curve) == 3
        asked = {tuple(np.round(sorted(np.abs(r.features[0] - r.features[1])), 9)) for r in labels}
        assert len(labels) == len(asked) == 12
    again, _ = selection.learning_curve(pool, "informative", **settings)
    assert again == runs["informative"][0]


def test_a_quick_run_measures_every_arm(tiny_folder: Path, capsys: pytest.CaptureFixture[str]):
    assert selection.main(["--quick", "--model", str(tiny_folder), "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert "its figures mean nothing" in said
    found = json.loads(said.splitlines()[-1])
    assert found["arms"].keys() == selection.SHARES.keys()
    assert len(found["arms"]["random"]["accuracy"]) == len(found["labels"]) == 3
