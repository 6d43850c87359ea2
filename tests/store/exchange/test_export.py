"""Exporting: whole files, safe cells, cards, and the hub."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from rlhf_lab.cli import app
from rlhf_lab.errors import ConfigError, NotEnoughData, StoreError
from rlhf_lab.store.exchange import export_data, exporting, push_to_hub
from rlhf_lab.store.exchange.whole import whole_file, whole_folder
from tests.store.exchange.helpers import read

TIED = {"prompt": "q", "responses": ["a", "b", "c"], "ranking": [[0], [1, 2]], "annotator": "ann"}


@pytest.fixture
def judged(store):
    read(store, TIED, split="train")
    return store


def rows(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_ties_are_two_rows_or_none(judged, tmp_path):
    both = export_data(judged, tmp_path / "both.jsonl", format="trl-text")
    drop = export_data(judged, tmp_path / "drop.jsonl", format="trl-text", ties="drop")
    assert (both.records, both.rows, drop.rows, both.annotators) == (1, 4, 2, 1)
    assert sum(r["tie"] for r in rows(tmp_path / "both.jsonl")) == 2
    assert [(r["chosen"], r["rejected"]) for r in rows(tmp_path / "drop.jsonl")] == [
        ("a", "b"), ("a", "c"),
    ]  # fmt: skip


def test_a_single_tie_is_counted_as_left_out(store, tmp_path):
    read(store, {**TIED, "ranking": [[0, 1, 2]]})
    with pytest.raises(NotEnoughData, match=r"no place for 1 ranking of a single tie"):
        export_data(store, tmp_path / "out.jsonl", ties="drop")
    assert not list(tmp_path.glob("*out*"))


def test_an_existing_file_is_replaced_only_when_asked(judged, tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="exists: choose another name, or pass overwrite=True"):
        export_data(judged, path)
    assert path.read_text() == "mine"
    export_data(judged, path, overwrite=True)
    assert len(rows(path)) == 4


def test_a_failure_in_the_middle_leaves_nothing_and_the_old_file_whole(
    judged, tmp_path, monkeypatch
):
    path = tmp_path / "out.jsonl"
    path.write_text("mine")

    def full(*_):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(exporting.reading, "records", full)
    with pytest.raises(StoreError, match=r"cannot be written .No space left"):
        export_data(judged, path, overwrite=True)
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == ["out.jsonl"]


def test_no_cell_starts_a_formula(store, tmp_path):
    bad = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    read(store, {**TIED, "responses": bad, "ranking": [[n] for n in range(6)], "comment": "=1+1"})
    export_data(store, tmp_path / "out.csv", format="trl-text")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=1+1" in cells
    assert not [c for c in cells if c.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_folder_is_what_load_dataset_reads(store, tmp_path):
    datasets = pytest.importorskip("datasets")
    read(store, {**TIED, "split": "train"}, {**TIED, "prompt": "p", "split": "heldout"})
    report = export_data(store, tmp_path / "mine", format="kwise")
    assert report.splits == {"train": 1, "heldout": 1}
    loaded = datasets.load_dataset(str(tmp_path / "mine"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == {"train": 1, "test": 1}
    assert loaded["test"][0]["prompt"] == "p"
    assert loaded["train"][0]["ranking"] == [[0], [1, 2]]
    text = (tmp_path / "mine" / "README.md").read_text()
    assert "license: other" in text
    assert "2 judgments in 2 rows, by 1 annotator," in text
    with pytest.raises(ConfigError, match="not empty: choose a new folder"):
        export_data(store, tmp_path / "mine")


@pytest.mark.parametrize("made_before", [False, True])
def test_a_failed_folder_leaves_nothing_and_can_be_tried_again(
    judged, tmp_path, monkeypatch, made_before
):
    target = tmp_path / "mine"
    if made_before:
        target.mkdir()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "card", full)
        with pytest.raises(StoreError, match=r"mine: cannot be written .No space left"):
            export_data(judged, target)
    left = [target] if made_before else []
    assert [p for p in tmp_path.rglob("*") if "mine" in str(p)] == left
    export_data(judged, target)
    assert {p.name for p in target.rglob("*")} == {"README.md", "data", "train.parquet"}
    assert not list(tmp_path.glob(".mine*"))


@pytest.mark.parametrize("home", ["", "mine"])
def test_what_a_killed_export_left_is_replaced(judged, tmp_path, home):
    code = """
import os, sys
from pathlib import Path
from rlhf_lab.store.exchange.whole import whole_folder
writing = [whole_folder(Path(sys.argv[1]) / name) for name in ("mine", "mine.2")]
for one in writing:
    (one.__enter__() / "half").write_text("half")
os._exit(9)
"""
    (tmp_path / home).mkdir(exist_ok=True)
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == 9
    assert len(list(tmp_path.rglob(".mine.*.part/whole/half"))) == 2
    export_data(judged, tmp_path / "mine")
    (others,) = tmp_path.rglob(".mine*.part")
    assert others.name.startswith(".mine.2.")
    assert {p.name for p in (tmp_path / "mine").iterdir()} == {"README.md", "data"}


@pytest.mark.parametrize("made_before", [False, True])
def test_two_that_write_one_folder_keep_apart_and_the_second_is_told(tmp_path, made_before):
    new = tmp_path / "new"
    if made_before:
        new.mkdir()

    def both():
        with whole_folder(new) as first:
            (first / "lab.sqlite").write_text("first")
            with whole_folder(new) as second:
                assert (first / "lab.sqlite").read_text() == "first"
                (second / "lab.sqlite").write_text("second")
            (first / "more").write_text("first")
            assert (new / "lab.sqlite").read_text() == "second"

    with pytest.raises(ConfigError, match=r"new\S* exists by now: .* Choose another name"):
        both()
    assert {p.name: p.read_text() for p in new.iterdir()} == {"lab.sqlite": "second"}
    assert list(tmp_path.iterdir()) == [new]


def test_a_part_that_was_taken_for_a_killed_writers_is_made_again(tmp_path, monkeypatch):
    """By somebody who looked before it was locked."""
    acquire, removed = FileLock.acquire, []

    def late(lock, *arguments, **options):
        if not removed:
            removed.append(Path(lock.lock_file).parent)
            removed[0].rmdir()
            raise FileNotFoundError(2, "No such file or directory")
        return acquire(lock, *arguments, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    with whole_folder(tmp_path / "new") as aside:
        assert aside.parent != removed[0]
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


def test_a_part_that_cannot_be_filled_is_not_left(tmp_path, monkeypatch):
    make = Path.mkdir

    def full(path, *arguments, **options):
        if path.name == "whole":
            raise OSError(28, "No space left on device")
        make(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StoreError, match=r"new: cannot be written .No space left"):
        whole_folder(tmp_path / "new").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_long_names_that_begin_alike_are_written_at_once(tmp_path):
    one, two = (tmp_path / ("x" * 100 + end) for end in "ab")
    with whole_folder(one) as first, whole_folder(two) as second:
        (first / "a").write_text("")
        (second / "b").write_text("")
    assert [p.name for d in (one, two) for p in d.iterdir()] == ["a", "b"]


def late_for(path) -> None:
    with whole_file(path, overwrite=False) as aside:
        aside.write_text("late")
        path.write_text("mine")


def test_a_file_that_somebody_made_meanwhile_is_kept(tmp_path):
    with pytest.raises(ConfigError, match=r"out\.jsonl exists by now"):
        late_for(tmp_path / "out.jsonl")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_is_not_offered_to_be_replaced_by_a_file(judged, tmp_path):
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(ConfigError, match=r"out\.jsonl is a folder, and a file is needed: name"):
        export_data(judged, tmp_path / "out.jsonl", overwrite=True)


def test_a_folder_that_cannot_be_looked_into_is_said(judged, tmp_path, monkeypatch):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "mine").mkdir()
    monkeypatch.setattr("os.listdir", closed)
    with pytest.raises(StoreError, match=r"cannot be looked into .Permission denied.: make it"):
        export_data(judged, tmp_path / "mine")


def test_a_disk_without_links_and_locks_is_written_all_the_same(judged, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refused)
    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    for name in ("out.jsonl", "mine"):
        export_data(judged, tmp_path / name)
        with pytest.raises(ConfigError, match="exists"):
            export_data(judged, tmp_path / name)
    with pytest.raises(ConfigError, match=r"late\.jsonl exists by now"):
        late_for(tmp_path / "late.jsonl")


def test_a_folder_that_somebody_made_meanwhile_is_kept(judged, tmp_path, monkeypatch):
    target = tmp_path / "mine"

    def late(*_):
        (target / "data").mkdir(parents=True)
        return ""

    monkeypatch.setattr(exporting, "card", late)
    with pytest.raises(ConfigError, match="mine exists by now"):
        export_data(judged, target)
    assert [p.name for p in target.iterdir()] == ["data"]


def test_arguments_out_of_range(judged, tmp_path):
    for options, message in [
        ({"what": "policy"}, "what='policy': use one of 'judgments'"),
        ({"format": "dpo"}, "judgments are written as argilla, kwise, trl"),
        ({"ties": "half"}, "ties='half': use 'both' or 'drop'"),
        ({"split": "test"}, "split='test': use 'train'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            export_data(judged, tmp_path / "out.jsonl", **options)
    with pytest.raises(ConfigError, match=r"files are written as \.jsonl"):
        export_data(judged, tmp_path / "out.xlsx")
    with pytest.raises(NotEnoughData, match="no demonstrations to write"):
        export_data(judged, tmp_path / "out.jsonl", what="demonstrations")
    with pytest.raises(NotEnoughData, match="no judgments to write"):
        export_data(judged, tmp_path / "out.jsonl", split="heldout")


def test_uploading_sends_the_folder_with_its_card(judged, monkeypatch):
    asked = []

    class Hub:
        def create_repo(self, name, **options):
            asked.append((name, options))

        def upload_folder(self, *, folder_path, **options):
            files = sorted(str(f.relative_to(folder_path)) for f in folder_path.rglob("*.*"))
            asked.append((files, (folder_path / "README.md").read_text("utf-8"), options))

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    report = push_to_hub(judged, "me/mine", format="kwise")
    (name, made), (files, card, sent) = asked
    assert (name, made) == (
        "me/mine",
        {"repo_type": "dataset", "private": True, "exist_ok": True},
    )
    assert files == ["README.md", "data/train.parquet"]
    assert 'pretty_name: "mine"' in card
    assert sent == {"repo_id": "me/mine", "repo_type": "dataset"}
    assert (report.path, report.records) == ("me/mine", 1)


def test_uploading_without_a_connection_says_so(judged):
    with pytest.raises(StoreError, match=r"'me/mine' was not uploaded .*export to a folder"):
        push_to_hub(judged, "me/mine")


def test_the_commands_import_and_export(tmp_path):
    run = CliRunner().invoke
    lab, source, target = tmp_path / "lab", tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text("question,chosen,rejected\nq,a,b\n")
    done = run(app, ["import", str(lab), str(source), "--column", "prompt=question"])
    assert done.exit_code == 0, done.output
    assert "1 row; new: 1 prompt, 2 responses, 1 judgment\n" in done.output
    done = run(app, ["export", str(lab), str(target), "--format", "kwise"])
    assert done.exit_code == 0, done.output
    assert [r["text"] for r in rows(target)[0]["responses"]] == ["a", "b"]
    for arguments, message in [
        (["export", str(lab), str(target)], "exists"),
        (["export", str(tmp_path / "none"), str(target)], "is no lab"),
        (["import", str(lab), str(source), "--column", "x"], "FIELD=NAME"),
        (["import", str(tmp_path / "none"), str(tmp_path / "typo.csv")], "is not there"),
    ]:
        done = run(app, arguments)
        assert done.exit_code == 1
        assert message in done.output.replace("\n", " ")
    assert not (tmp_path / "none").exists()


def test_an_import_that_fails_makes_no_lab(tmp_path):
    run = CliRunner().invoke
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("prompt,chosen,rejected\nq,a,b\n")
    bad.write_text("prompt,chosen,rejected\nq,a\n")
    (tmp_path / "odd.xlsx").write_text("")
    lab = tmp_path / "new"
    for arguments in [
        [str(good), "--format", "dpo"],
        [str(good), "--split", "test"],
        [str(good), "--column", "x"],
        [str(good), "--annotator", " "],
        [str(bad)],
        [str(tmp_path / "odd.xlsx")],
        [str(tmp_path / "gone.csv")],
        ["~nobody-of-this-name/x.csv"],
    ]:
        done = run(app, ["import", str(lab), *arguments])
        assert done.exit_code == 1, done.output
        assert not done.exception or isinstance(done.exception, SystemExit)
        assert not [p for p in tmp_path.iterdir() if "new" in p.name], arguments
    lab.mkdir()
    assert run(app, ["import", str(lab), str(bad)]).exit_code == 1
    assert list(lab.iterdir()) == []
    assert run(app, ["import", "~nobody-of-this-name/lab", str(good)]).exit_code == 1
    assert run(app, ["import", str(lab), str(good)]).exit_code == 0
    assert run(app, ["import", str(lab), str(bad)]).exit_code == 1
    assert run(app, ["export", str(lab), str(tmp_path / "out.jsonl")]).exit_code == 0
    assert len(rows(tmp_path / "out.jsonl")) == 1
