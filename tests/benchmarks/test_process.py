import sys

import pytest

from benchmarks.figures import Measured, SideFailed
from benchmarks.process import PeakGrowth, peak_mb, run_side
from tests.benchmarks import sides


def test_side_runs_with_its_threads_and_its_packages_first(tmp_path):
    found = run_side(sides.whole, threads=1, path=tmp_path, seconds=2.5)
    assert isinstance(found, Measured)
    assert found.seconds == 2.5
    assert found.details["threads"] == {"torch": 1, "environment": "1"}
    assert found.details["first"] == str(tmp_path)


def test_peak_of_a_side_is_that_of_its_own_process():
    """A child of a process that holds 500 MB more does not start with that peak."""
    small = run_side(sides.whole, threads=1, seconds=1.0)
    held = bytearray(500_000_000)
    beside = run_side(sides.whole, threads=1, seconds=1.0)
    assert len(held) == 500_000_000
    assert isinstance(small, Measured)
    assert isinstance(beside, Measured)
    assert beside.peak_mb == pytest.approx(small.peak_mb, abs=100)


def test_side_may_report_a_peak_of_its_own():
    assert run_side(sides.with_its_own_peak, threads=1) == Measured(seconds=1.0, peak_mb=7.0)


def test_failing_side_is_reported_with_the_end_of_its_output():
    found = run_side(sides.broken, threads=1)
    assert isinstance(found, SideFailed)
    assert found.reason.startswith("exit status 1")
    assert found.reason.endswith("ValueError: the side fell over")


def test_side_that_ends_without_a_result_has_failed():
    assert run_side(sides.killed, threads=1) == SideFailed(reason="exit status 3: ")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot forget a peak")
def test_growth_counts_from_what_was_held_before_and_not_from_an_earlier_peak():
    earlier = bytearray(300_000_000)
    del earlier
    with PeakGrowth() as growth:
        inside = bytearray(b"\1") * 100_000_000
        del inside
    assert growth.mb == pytest.approx(100, abs=30)
    assert peak_mb() > growth.mb
