"""Win rates worked by hand, and their intervals."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.types import ComparisonReport, joint_win_rate, values_to_tell, wilson_interval


def report(wins: int, losses: int, ties: int = 0, **changes) -> ComparisonReport:
    counts = {"wins": wins, "losses": losses, "ties": ties}
    return ComparisonReport(
        first="policy@1", second="policy@0", annotator="me", **counts, **changes
    )


def test_ties_count_one_half():
    # 12 won, 9 lost, 3 tied: (12 + 1.5) / 24
    assert report(12, 9, 3).win_rate.estimate == pytest.approx(0.5625)
    assert report(0, 0, 4).win_rate.estimate == 0.5


def test_wilsons_interval_as_worked_by_hand():
    # p = 0.5625, n = 24, z = 1.959964, z^2 = 3.841459:
    # centre (0.5625 + 3.841459 / 48) / (1 + 3.841459 / 24) = 0.6425304 / 1.1600608 = 0.5538765
    # half 1.959964 / 1.1600608 * sqrt(0.5625 * 0.4375 / 24 + 3.841459 / 2304)
    #    = 1.6895357 * sqrt(0.01025391 + 0.00166730) = 1.6895357 * 0.10918429 = 0.1844708
    rate = report(12, 9, 3).win_rate
    assert (rate.low, rate.high) == (pytest.approx(0.3694057), pytest.approx(0.7383473))
    assert rate.n == 24


def test_wilsons_interval_where_all_agree():
    # p = 1, n = 5: high 1, low 1 / (1 + z^2 / 5) = 1 / 1.7682918
    rate = wilson_interval(1.0, 5)
    assert (rate.low, rate.high) == (pytest.approx(0.5655175), pytest.approx(1.0))


def test_a_share_of_nothing_is_refused():
    with pytest.raises(NotEnoughData, match="a share of 0 values"):
        wilson_interval(0.5, 0)
    assert report(0, 0).win_rate is None
    assert report(0, 0).lead is None
    assert report(0, 0).verdict is None


@pytest.mark.parametrize(("wins", "losses"), [(12, 5), (5, 12)])
def test_the_lead_does_not_say_who_leads(wins: int, losses: int):
    ahead, behind = report(12, 5, 2).win_rate, report(5, 12, 2).win_rate
    lead = report(wins, losses, 2).lead
    assert lead.estimate == pytest.approx(ahead.estimate) == pytest.approx(1 - behind.estimate)
    assert (lead.low, lead.high) == (pytest.approx(ahead.low), pytest.approx(ahead.high))
    assert lead.n == 19


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"),
    [(9, 1, "first"), (1, 9, "second"), (8, 2, "unclear"), (6, 0, "first"), (3, 0, "unclear")],
)
def test_a_difference_is_one_whose_whole_interval_lies_on_one_side(wins, losses, verdict):
    # 2 sqrt(n) |p - 1/2| against 1.96: 9 of 10 2.53, 8 of 10 1.90, 6 of 6 2.45, 3 of 3 1.73
    assert report(wins, losses).verdict == verdict


def test_how_many_comparisons_a_win_rate_would_take():
    # z^2 / (4 * 0.1^2) = 96.04
    assert values_to_tell(0.6) == values_to_tell(0.4) == 97
    assert wilson_interval(0.6, 97).low > 0.5 >= wilson_interval(0.6, 96).low
    assert values_to_tell(0.5) is None
    assert report(3, 2).needed == 97
    assert report(2, 2).needed is None
    assert report(5001, 4999).needed is None  # 96 million: as good as equal


def test_what_is_done_counts_skips_but_the_win_rate_does_not():
    found = report(2, 1, 1, skipped=3, total=10)
    assert (found.compared, found.done, found.win_rate.n) == (4, 7, 4)


def test_a_report_reads_as_a_line():
    assert str(report(12, 9, 3, skipped=1, total=30)) == (
        "policy@1 against policy@0: win rate 0.56 [0.37, 0.74] (n=24) by me, no difference shown "
        "(policy@1 12, policy@0 9, ties 3, skipped 1, 25 of 30 done)"
    )
    assert "policy@0 is preferred" in str(report(1, 9))
    assert str(report(0, 0, total=3)).endswith("skipped 0, 0 of 3 done")


def test_the_joint_win_rate_counts_prompts_and_not_people():
    # 4, 1 and half a tie of 8 comparisons over the same 4 prompts.
    joint = joint_win_rate([report(4, 0, total=4), report(1, 2, 1, total=4)])
    assert joint.estimate == pytest.approx(5.5 / 8)
    assert joint == wilson_interval(5.5 / 8, 4)
    assert joint_win_rate([]) is None
    assert joint_win_rate([report(0, 0, skipped=4, total=4)]) is None
