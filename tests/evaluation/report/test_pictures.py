from __future__ import annotations

import re

import pytest

from rlhf_lab.evaluation.report.pictures import (
    Axis,
    Bin,
    Point,
    TreeRow,
    calibration_chart,
    length_chart,
    line_chart,
    place,
    round_step,
    signed_interval,
    tree_rows,
)
from rlhf_lab.types import Interval


@pytest.mark.parametrize(
    ("width", "step"), [(0.9, 1), (1, 1), (1.1, 2), (2.5, 5), (7, 10), (0.03, 0.05), (130, 200)]
)
def test_a_step_is_round_and_no_smaller_than_asked_for(width: float, step: float):
    assert round_step(width) == pytest.approx(step)


def test_ticks_are_multiples_of_the_step_inside_the_axis():
    axis = Axis(-0.3, 1.25, 100, 0)
    assert axis.ticks == pytest.approx([0, 0.5, 1.0])
    assert axis(-0.3) == 100
    assert axis(1.25) == pytest.approx(0)
    assert [axis.label(t, "two") for t in axis.ticks] == ["0.0", "0.5", "1.0"]


def test_an_axis_over_one_value_still_has_a_width():
    axis = Axis(3, 3, 0, 10)
    assert axis(3) == 5


def test_a_line_is_told_in_words_and_points_without_a_value_are_left_out():
    points = [Point(1, 0.4), Point(2, float("nan")), Point(3, 0.8, "policy@3", 0.6, 0.9)]
    chart = line_chart("Win rate", "by somebody", [points], x_title="KL", style="two")
    assert chart.change == "0.40 → 0.80"
    assert 'aria-label="Win rate, by somebody: 0.40 to 0.80"' in chart.svg
    assert chart.svg.count("<circle") == 2
    assert chart.svg.count("class='bar'") == 1
    assert "policy@3</text>" in chart.svg


def test_there_is_no_chart_of_nothing():
    nan = [[Point(1, float("nan"))]]
    assert line_chart("a", "b", [[]], x_title="x", style="two") is None
    assert line_chart("a", "b", nan, x_title="x", style="two") is None
    assert length_chart([], [1], "tokens") is None
    assert calibration_chart([], 0.1, "reward@0") is None


def test_what_is_written_beside_a_point_cannot_leave_the_picture():
    chart = line_chart(
        "t", "n", [[Point(0, 0, "<script>"), Point(1, 1)]], x_title="'><b>", style="two"
    )
    assert "<script>" not in chart.svg
    assert "<b>" not in chart.svg


def test_both_histograms_add_up_to_all_answers():
    chart = length_chart([4, 4, 4, 9], [1, 2], "tokens")
    assert chart.change == "5.2 → 1.5"
    axis = Axis(0, 0.75 * 1.08, 164, 16)
    before = re.search(r"class='steps before' d='(.*?)'", chart.svg)[1]
    heights = [float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)H", before)]
    # Ten bins of one token each, of which the fifth has 3 of 4 and the last one of 4.
    shares = [0, 0, 0, 0, 0.75, 0, 0, 0, 0, 0.25]
    assert heights == pytest.approx([axis(share) for share in shares], abs=0.1)


def test_a_calibration_curve_has_a_dot_for_each_bin_larger_for_more_pairs():
    chart = calibration_chart([Bin(0.5, 0.5, 90), Bin(1.0, 0.8, 10)], 0.03, "reward@1")
    radius = [float(r) for r in re.findall(r"r='([\d.]+)'", chart.svg)]
    assert radius == pytest.approx([3 + 7 * 0.9**0.5, 3 + 7 * 0.1**0.5], abs=0.05)
    assert chart.change == "error 0.03"


def row(name, lane, *, through=(), is_root=False, fork=None, goes_on=True) -> TreeRow:
    return TreeRow(
        name=name, lane=lane, through=through, is_root=is_root, fork=fork, goes_on=goes_on
    )


def test_a_chain_runs_straight_down():
    assert tree_rows([("a", None), ("b", "a"), ("c", "b")], []) == [
        row("a", 0, is_root=True),
        row("b", 0),
        row("c", 0, goes_on=False),
    ]


def test_the_line_of_the_present_version_stays_in_its_column_and_branches_stand_aside():
    #  a ─ b ─ d      present: d, which was made before c
    #      └ c ─ e
    parents = [("a", None), ("b", "a"), ("d", "b"), ("c", "b"), ("e", "c")]
    assert tree_rows(parents, ["a", "b", "d"]) == [
        row("a", 0, is_root=True),
        row("b", 0),
        row("c", 1, through=(0,), fork=0),
        row("e", 1, through=(0,), goes_on=False),
        row("d", 0, goes_on=False),
    ]


def test_without_a_present_version_the_youngest_branch_runs_straight():
    names = [r.name for r in tree_rows([("a", None), ("b", "a"), ("c", "a")], [])]
    assert names == ["a", "b", "c"]
    assert [r.lane for r in tree_rows([("a", None), ("b", "a"), ("c", "a")], [])] == [0, 1, 0]


def test_a_very_long_line_is_laid_out_too():
    parents = [("0", None), *((str(n), str(n - 1)) for n in range(1, 3_000))]
    assert len(tree_rows(parents, [])) == 3_000


def test_places_stay_on_the_scale():
    assert [place(v, -1, 1) for v in (-3, -1, 0, 0.5, 1, 9)] == [
        "0.00%", "0.00%", "50.00%", "75.00%", "100.00%", "100.00%",
    ]  # fmt: skip


def test_a_gain_shows_its_sign():
    assert signed_interval(Interval(estimate=0.31, low=-0.1, high=0.52, n=3)) == (
        "+0.31 [−0.10, +0.52]"
    )


def test_a_fitted_curve_is_drawn_beside_the_line():
    points = [Point(0, 0), Point(1, 1)]
    with_fit = line_chart("t", "n", [points], x_title="x", style="two", dashed=points)
    assert with_fit.svg.count("class='fit'") == 1
    assert "class='fit'" not in line_chart("t", "n", [points], x_title="x", style="two").svg
