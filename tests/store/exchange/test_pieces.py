"""Importing while others write: the same result, in pieces."""

from __future__ import annotations

import json
import threading

import pytest

from rlhf_lab.errors import ImportFileError
from rlhf_lab.store import audit
from rlhf_lab.store.exchange import import_data
from rlhf_lab.store.exchange.importing import prepare, run_in_pieces
from rlhf_lab.store.exchange.storing import Keeper
from tests.store.exchange.helpers import empty, state


def rows(number: int) -> list[dict]:
    """Pairs that share some of their prompts and answers."""
    return [
        {"prompt": f"q{n % 70}", "chosen": f"a{n % 110}", "rejected": f"b{n}", "annotator": "ada"}
        for n in range(number)
    ]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(250)))
    return path


@pytest.fixture
def other_store(tmp_path):
    with empty(tmp_path / "other.sqlite") as opened:
        yield opened


def said(store):
    """Everything but when."""
    return (
        [(p.id, p.split, p.source) for p in store.prompts()],
        [(r.id, r.prompt_id, r.text, r.version) for r in store.responses()],
        [(j.id, j.ranking, j.annotator, j.shown_order) for j in store.judgments()],
    )


def test_it_stores_what_an_import_in_one_piece_stores(store, other_store, file):
    report = run_in_pieces(store, prepare(file))
    whole = import_data(other_store, file, progress=False)
    assert (report.rows, report.new, report.known) == (whole.rows, whole.new, whole.known)
    assert report.new["judgments"] == 250
    assert said(store) == said(other_store)
    assert audit(store, progress=False).ok


def test_a_file_under_another_name_is_the_file_of_that_name(store, file):
    again = file.rename(file.with_name("upload.jsonl"))
    report = run_in_pieces(store, prepare(again, name="pairs.jsonl"))
    assert report.source == "pairs.jsonl"
    before = state(store)
    import_data(store, again.rename(file), progress=False)
    assert state(store) == before


def test_bad_rows_are_found_before_anything_is_stored(store, file):
    with file.open("a") as out:
        out.write('{"prompt": "q", "chosen": 1, "rejected": "b"}\n')
    before = state(store)
    with pytest.raises(ImportFileError, match="Nothing was stored") as refused:
        run_in_pieces(store, prepare(file))
    assert [r.line for r in refused.value.report.rejected] == [251]
    assert state(store) == before
    report = run_in_pieces(store, prepare(file), skip_bad=True)
    assert (report.new["judgments"], report.rejections) == (250, 1)


@pytest.mark.parametrize(
    "second",
    [
        {"judgment_id": "j1", "prompt": "q0", "chosen": "no", "rejected": "b0"},
        {"judgment_id": "j2", "prompt": "q", "chosen": "other", "rejected": "y", "chosen_id": "r1"},
    ],
    ids=["judgment", "response"],
)
def test_rows_far_apart_that_contradict_each_other_are_found_too(store, file, second):
    first = {"judgment_id": "j1", "prompt": "q", "chosen": "x", "rejected": "y", "chosen_id": "r1"}
    lines = [json.dumps(first), *file.read_text().splitlines(), json.dumps(second)]
    file.write_text("\n".join(lines))
    before = state(store)
    with pytest.raises(ImportFileError, match=r"under this id|another response so") as refused:
        run_in_pieces(store, prepare(file))
    assert [r.line for r in refused.value.report.rejected] == [252]
    assert state(store) == before


def test_others_write_in_between(store, file):
    seen: list[int] = []
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.005):
            store.set_setting("mark", len(seen))
            seen.append(store.counts().rankings)

    thread = threading.Thread(target=write)
    thread.start()
    run_in_pieces(store, prepare(file))
    done.set()
    thread.join()
    assert {100, 200} & set(seen)
    assert audit(store, progress=False).ok


def test_what_was_broken_off_is_completed_by_the_same_import(store, other_store, file, monkeypatch):
    original, pieces = Keeper.store, []

    def dies(self, *args):
        pieces.append(len(args[1]))
        if type(self) is Keeper and len(pieces) == 3:  # the first only looked
            raise KeyboardInterrupt
        original(self, *args)

    monkeypatch.setattr(Keeper, "store", dies)
    with pytest.raises(KeyboardInterrupt):
        run_in_pieces(store, prepare(file))
    monkeypatch.undo()
    assert pieces == [250, 100, 100]
    assert store.counts().rankings == 100
    run_in_pieces(store, prepare(file))
    run_in_pieces(other_store, prepare(file))
    assert said(store) == said(other_store)
