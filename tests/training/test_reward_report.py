from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import torch

from rlhf_lab.algorithms import pairwise_calibration
from rlhf_lab.training import RewardReport
from rlhf_lab.training.reward_examples import repeated_pairs
from rlhf_lab.training.reward_report import reliability_curve
from rlhf_lab.types import Alarm, Interval, Ranking

CALIBRATION = pairwise_calibration(torch.linspace(-1.0, 3.0, 45))
REPORT = RewardReport(
    version="reward@1",
    rankings=24,
    replayed=12,
    pairs=131,
    loss_first=1.234,
    loss_last=0.987,
    heldout_accuracy=Interval(estimate=0.71, low=0.62, high=0.8, n=9),
    prequential_accuracy=Interval(estimate=0.65, low=0.58, high=0.72, n=24),
    seconds=30.6,
    calibration=CALIBRATION,
    epochs=4,
    kept_epoch=2,
    kept_by="lowest held-out loss",
    repeated_pairs=12,
    contradicting_pairs=3,
)
PLAIN = replace(
    REPORT, calibration=None, heldout_accuracy=None, kept_by="the last", kept_epoch=4,
    repeated_pairs=0, contradicting_pairs=0,
)  # fmt: skip


def test_one_line_says_it_all():
    assert str(REPORT) == repr(REPORT) == (
        "reward@1: 24 new rankings (+ 12 replayed), loss 1.23 → 0.99, accuracy on held-out prompts "
        "0.71 [0.62, 0.80] (n=9), before learning 0.65 [0.58, 0.72] (n=24), "
        f"calibration error {CALIBRATION}, epoch 2 of 4 (lowest held-out loss), "
        "3 of 12 pairs judged more than once contradict each other, 31 s"
    )  # fmt: skip


def test_what_was_not_measured_is_said_or_left_out():
    assert str(PLAIN) == (
        "reward@1: 24 new rankings (+ 12 replayed), loss 1.23 → 0.99, accuracy on held-out prompts "
        "not measured, before learning 0.65 [0.58, 0.72] (n=24), 31 s"
    )
    shown = PLAIN._repr_html_()
    assert "no held-out rankings" in shown
    assert "<svg" not in shown
    assert "contradictions" not in shown


def test_the_notebook_shows_a_table_and_the_curve():
    shown = REPORT._repr_html_()
    tree = ET.fromstring(f"<div>{shown}</div>")
    rows = {row.find("th").text: row.find("td").text for row in tree.iter("tr")}
    assert rows["accuracy on held-out prompts"] == "0.71 [0.62, 0.80] (n=9)"
    assert rows["calibration error, held-out"] == str(CALIBRATION)
    assert rows["epoch kept"] == "2 of 4 (lowest held-out loss)"
    assert rows["contradictions"] == "3 of 12 pairs judged more than once"
    assert len(list(tree.iter("circle"))) == len(CALIBRATION.bins) == 4


def test_a_calibrated_point_lies_on_the_line_and_one_too_sure_below_it():
    tree = ET.fromstring(reliability_curve(CALIBRATION))
    for circle, point in zip(tree.iter("circle"), CALIBRATION.bins, strict=True):
        x, y = float(circle.get("cx")), float(circle.get("cy"))
        on_the_line = 82 - (x - 40) / 2  # from (40, 82) to (160, 22)
        gap = point.accuracy - point.confidence
        assert y - on_the_line == pytest.approx(-120 * gap, abs=0.2)
        assert f"{point.pairs} pairs" in circle.find("title").text


ALARMED = replace(REPORT, alarm=Alarm("reward up, preference not", "0.51 < 0.76: look at it."))


def test_an_alarm_is_told_on_a_line_of_its_own():
    assert str(ALARMED) == f"{REPORT}\nAlarm: reward up, preference not: 0.51 < 0.76: look at it."
    assert "preference not: 0.51 &lt; 0.76: look at it.</p>" in ALARMED._repr_html_()
    assert "Alarm" not in str(REPORT) + REPORT._repr_html_()


@pytest.mark.parametrize("report", [REPORT, PLAIN, ALARMED])
def test_a_report_survives_its_checkpoint(report: RewardReport):
    assert RewardReport.from_state(json.loads(json.dumps(report.as_state()))) == report


def test_reports_of_an_older_release_can_be_read():
    stored = {
        k: v
        for k, v in json.loads(json.dumps(REPORT.as_state())).items()
        if k not in ("calibration", "epochs", "kept_epoch", "kept_by", "repeated_pairs",
                     "contradicting_pairs", "alarm")
    }  # fmt: skip
    old = RewardReport.from_state(stored)
    assert old.heldout_accuracy == REPORT.heldout_accuracy
    assert old.calibration is None
    assert "epoch" not in str(old)
    assert "epoch kept" not in old._repr_html_()


def ranking(*tiers: str) -> Ranking:
    return Ranking(tiers=tuple(tuple(tier) for tier in tiers))


def test_contradictions_are_pairs_put_in_both_orders():
    assert repeated_pairs([]) == (0, 0)
    assert repeated_pairs([ranking("a", "b", "c")]) == (0, 0)
    # ab twice alike, ac both ways, bc both ways.
    assert repeated_pairs([ranking("a", "b", "c"), ranking("c", "a", "b")]) == (3, 2)
    # Three judgments of one pair are one pair.
    assert repeated_pairs([ranking("a", "b")] * 2 + [ranking("b", "a")]) == (1, 1)


def test_a_tie_contradicts_no_order():
    assert repeated_pairs([ranking("ab"), ranking("a", "b"), ranking("ba", "c")]) == (0, 0)
