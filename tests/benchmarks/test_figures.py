import math

import pytest

from benchmarks.command import compare
from benchmarks.figures import Comparison, Measured, SideFailed, Target, middle


def measured(seconds: float, peak: float = 100.0, **details) -> Measured:
    return Measured(seconds=seconds, peak_mb=peak, details=details)


@pytest.mark.parametrize(
    ("bounds", "value", "met"),
    [
        ({"at_least": 3}, 3.0, True),
        ({"at_least": 3}, 2.99, False),
        ({"at_most": 0.25}, 0.25, True),
        ({"at_most": 0.25}, 0.26, False),
        ({"at_least": 0, "at_most": 1}, 1.5, False),
        ({"at_least": 3}, math.nan, False),
        ({"at_most": 3}, math.nan, False),
        ({"at_most": 0}, 0.0, True),
    ],
)
def test_target_is_met_within_its_bounds_and_never_by_nan(bounds, value, met):
    assert Target(figure="x", **bounds).met({"x": value}) is met


def test_target_on_a_missing_figure_is_neither_met_nor_missed():
    assert Target(figure="speedup", at_least=3).met({}) is None


def test_target_says_its_bound():
    assert str(Target(figure="speedup", at_least=3)) == "speedup ≥ 3"
    assert str(Target(figure="memory_ratio", at_most=0.25)) == "memory_ratio ≤ 0.25"


def test_speedup_is_above_one_when_ours_is_faster_and_memory_ratio_below_one_when_smaller():
    both = Comparison(workload="w", ours=measured(2.0, 100.0), peer=measured(6.0, 400.0))
    assert both.figures["speedup"] == 3.0
    assert both.figures["memory_ratio"] == 0.25


def test_workload_as_json_has_both_sides_their_ratios_and_the_verdicts():
    row = Comparison(
        workload="w",
        ours=measured(2.0, tokens=5),
        peer=measured(4.0),
        targets=(Target(figure="speedup", at_least=3), Target(figure="gain", at_least=0)),
        extra={"gain": 0.5},
    ).as_json()
    assert row == {
        "workload": "w",
        "ours_s": 2.0,
        "ours_peak_mb": 100.0,
        "ours_tokens": 5,
        "peer_s": 4.0,
        "peer_peak_mb": 100.0,
        "speedup": 2.0,
        "memory_ratio": 1.0,
        "gain": 0.5,
        "targets": [
            {"figure": "speedup", "at_least": 3, "at_most": None, "met": False},
            {"figure": "gain", "at_least": 0, "at_most": None, "met": True},
        ],
    }


def test_failed_side_leaves_its_reason_and_no_ratio():
    row = Comparison(
        workload="w",
        ours=measured(2.0),
        peer=SideFailed(reason="out of memory"),
        targets=(Target(figure="speedup", at_least=3),),
    )
    assert row.failed
    assert row.figures["peer_error"] == "out of memory"
    assert "speedup" not in row.figures
    assert row.as_json()["targets"][0]["met"] is None


def test_several_runs_count_as_their_median_time_and_highest_peak():
    found = middle([measured(3.0, 10.0, n=1), measured(1.0, 30.0, n=2), measured(2.0, 20.0, n=3)])
    assert (found.seconds, found.peak_mb) == (2.0, 30.0)
    assert found.details == {"n": 3, "runs_s": [3.0, 1.0, 2.0]}


def test_sides_run_in_turn():
    order = []

    def side(name: str) -> Measured:
        order.append(name)
        return measured(1.0)

    compare("w", lambda: side("ours"), lambda: side("peer"), repeat=2)
    assert order == ["ours", "peer", "ours", "peer"]


def test_peer_still_runs_when_ours_fails_and_what_failed_is_not_tried_again():
    tried = []

    def ours() -> SideFailed:
        tried.append("ours")
        return SideFailed(reason="no")

    found = compare(
        "w",
        ours,
        lambda: measured(1.0),
        repeat=3,
        extra=lambda _a, _b: pytest.fail("there is nothing to compare"),
    )
    assert tried == ["ours"]
    assert found.ours == SideFailed(reason="no")
    assert isinstance(found.peer, Measured)
