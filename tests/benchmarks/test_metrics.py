"""What the table of metrics against a judge is made of, and the whole command on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import metrics
from benchmarks.rankings import made_up_rows
from rlhf_lab.evaluation.trust import METRICS


def test_no_prompt_is_learned_from_and_measured():
    rows = made_up_rows()
    items = metrics.whole_items([*rows, {**rows[0], "ranking": [[0], [1, 2, 3]]}])
    parts = metrics.folds(items, 3, seed=0)
    assert sorted(len(part) for part in parts) == [2, 2, 3]  # one prompt was ranked twice
    assert sum(len({item.prompt.id for item in part}) for part in parts) == 6
    assert metrics.folds(items, 3, seed=0) == parts != metrics.folds(items, 3, seed=1)


def test_the_best_answer_is_held_back():
    (first, *_) = metrics.whole_items(made_up_rows())
    rest = first.without_best()
    assert rest.references == ("Oh yes, please do.",)
    assert rest.ranking.tiers == (("0-1", "0-2"), ("0-0",))


def test_a_quick_run_makes_every_row(tiny_folder: Path, capsys: pytest.CaptureFixture[str]):
    status = metrics.main(
        ["--quick", "--model", str(tiny_folder), "--folds", "2", "--threads", "1"]
    )
    shown = capsys.readouterr().out
    assert status == 0, shown
    last = json.loads(shown.splitlines()[-1])
    assert last["settings"]["model"] == tiny_folder.name
    rows = {row["name"]: row for row in last["rows"]}
    assert set(rows) == {*METRICS, "reward", "length", "coin"}
    assert {row["judgments"] for row in rows.values()} == {6}
    assert {row["ordered_pairs"] for row in rows.values()} == {6 * 2}
    assert rows["length"]["less_length"] is None
    assert rows["length"]["pairs"]["estimate"] == 1  # made up so
    less = rows["coin"]["less_length"]["estimate"]
    assert less == pytest.approx(rows["coin"]["pairs"]["estimate"] - 1)
    assert rows["reward"]["seconds"] > 0


def test_what_cannot_be_run_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    for arguments, message in (
        (["--folds", "1"], "at least 2, one to measure and one to learn from"),
        (["--data", str(tmp_path)], "name the folder that holds it with --data"),
    ):
        with pytest.raises(SystemExit):
            metrics.main(arguments)
        assert message in capsys.readouterr().err
