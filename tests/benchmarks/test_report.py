import io
import json
import math

from rich.console import Console

from benchmarks.figures import Comparison, Measured, SideFailed, Target
from benchmarks.report import Report


def shown(*comparisons: Comparison, width: int = 160, **changes) -> tuple[int, str]:
    out = io.StringIO()
    report = Report(benchmark="ppo", comparisons=comparisons, same=("Same: [all].",), **changes)
    return report.show(Console(file=out, width=width)), out.getvalue()


def comparison(**changes) -> Comparison:
    sides = {
        "ours": Measured(seconds=2.0, peak_mb=100.0),
        "peer": Measured(seconds=4.0, peak_mb=400.0),
    }
    return Comparison(workload="16 prompts", **(sides | changes))


def test_last_line_is_one_json_object_however_narrow_the_terminal():
    status, text = shown(comparison(), width=40, versions={"trl": "1.2.3"}, settings={"threads": 2})
    last = json.loads(text.splitlines()[-1])
    assert status == 0
    assert set(last) == {
        "benchmark", "date", "device", "quick", "settings", "versions", "workloads"
    }  # fmt: skip
    assert (last["benchmark"], last["quick"]) == ("ppo", False)
    assert last["versions"]["trl"] == "1.2.3"
    assert last["versions"]["torch"]
    assert last["settings"] == {"threads": 2}
    (row,) = last["workloads"]
    assert (row["ours_s"], row["peer_s"], row["speedup"]) == (2.0, 4.0, 2.0)
    assert (row["ours_peak_mb"], row["peer_peak_mb"], row["memory_ratio"]) == (100.0, 400.0, 0.25)


def test_json_has_null_where_a_figure_is_no_number():
    _, text = shown(comparison(extra={"difference": math.nan, "interval": [0.0, math.inf]}))
    assert "NaN" not in text
    (row,) = json.loads(text.splitlines()[-1])["workloads"]
    assert row["difference"] is None
    assert row["interval"] == [0.0, None]


def test_targets_are_said_to_be_met_or_missed_and_a_miss_is_no_failure():
    targets = (
        Target(figure="speedup", at_least=3),
        Target(figure="memory_ratio", at_most=0.25),
        Target(figure="accuracy", at_least=0),
    )
    status, text = shown(comparison(targets=targets))
    assert status == 0
    for verdict in ("missed", "met", "not measured"):
        assert verdict in text


def test_failed_side_is_shown_with_its_reason_and_fails_the_command():
    status, text = shown(comparison(peer=SideFailed(reason="exit status 1: no [module] trl")))
    assert status == 1
    assert "peer FAILED" in text
    assert "no [module] trl" in text
    (row,) = json.loads(text.splitlines()[-1])["workloads"]
    assert row["peer_error"] == "exit status 1: no [module] trl"


def test_quick_run_says_that_its_figures_mean_nothing():
    _, text = shown(comparison(), quick=True)
    assert "mean nothing" in text
    assert json.loads(text.splitlines()[-1])["quick"] is True
