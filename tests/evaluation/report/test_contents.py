from __future__ import annotations

import pytest

from rlhf_lab.evaluation.report.contents import Row, verdict_of
from rlhf_lab.types import Interval


@pytest.mark.parametrize(
    ("style", "before", "after", "change"),
    [
        ("share", 0.675, 0.175, "−50 points"),
        ("share", 0.1, 0.2, "+10 points"),
        ("share", 0.1, 0.103, "0 points"),
        ("one", 23.9, 12.7, "−11.2"),
        ("two", 0.1, 0.1004, "0.00"),
        ("two", 0.1, 0.28, "+0.18"),
        ("two", None, 0.3, "–"),
    ],
)
def test_a_change_is_written_like_its_figures(style, before, after, change):
    assert Row(name="x", note="", style=style, before=before, after=after).change == change


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.5, 0.9, "unclear"), (0.51, 0.9, "better"), (0.1, 0.5, "unclear"), (0.1, 0.49, "worse")],
)
def test_an_interval_that_touches_one_half_decides_nothing(low, high, verdict):
    assert verdict_of(Interval(estimate=0.5, low=low, high=high, n=9)) == verdict
