"""Comparing when something fails, or a page sends what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.comparison_state import ComparisonState
from tests.browser.compare_source import NEW, OLD, fill, stored
from tests.widgets.comparing import Failing, do, event, open_keys, prefer


@pytest.fixture
def database(compared: Path) -> Path:
    return compared


@pytest.fixture
def source(comparisons: Failing) -> Failing:
    return comparisons


@pytest.fixture
def state(comparing: ComparisonState) -> ComparisonState:
    return comparing


def test_names_are_hidden_again_also_by_what_was_not_saved_but_not_by_looking_again(source, state):
    prefer(state, NEW, OLD)
    do(state, "reveal")
    do(state, "refresh")
    assert state.view["result"]
    source.failures["submit"] = OSError("disk full")
    do(state, "submit")
    assert state.view["result"] is None


def test_what_fails_to_be_saved_comes_again_and_the_rest_of_the_batch_counts(source, state):
    key, other = open_keys(state)[:2]
    source.failures["submit"] = OSError("disk full")
    do(state, "submit", choice="B")
    assert state.notice
    assert state.notice["tone"] == "error"
    assert "Not saved" in state.notice["text"]
    assert "OSError: disk full" in state.notice["text"]
    assert open_keys(state)[0] == key
    assert state.view["drafts"] == {key: "B"}
    source.failures.clear()
    do(state, "submit", item=other)
    do(state, "submit", item=key, choice="B")
    assert state.view["progress"]["done"] == 2


def test_a_store_that_fails_after_writing_has_the_same_judgment_once(database, source):
    with PreferenceStore(database) as store:
        fill(store, 30)
    source.source.refresh()
    state = ComparisonState(source)
    source.failures["submit"] = OSError("connection lost")
    source.fails_after_writing = True
    sent = do(state, "submit", seconds=2)
    source.failures.clear()
    assert open_keys(state)[0] == sent["item"]
    do(state, "submit", seconds=9)
    (judgment,) = stored(database)
    assert judgment.seconds == 2


def test_what_was_saved_after_all_does_not_come_again(database, source, state):
    source.failures["submit"] = OSError("connection lost")
    source.fails_after_writing = True
    sent = do(state, "submit")
    assert sent["item"] not in open_keys(state)
    assert len(stored(database)) == 1
    assert state.view["progress"]["done"] == 1


def test_an_undo_right_after_what_was_not_saved_takes_nothing_else_back(database, source, state):
    do(state, "submit")
    key = open_keys(state)[0]
    source.failures["submit"] = OSError("disk full")
    do(state, "submit", item=key)
    source.failures.clear()
    do(state, "undo", item=key)
    assert [e.kind for e in stored(database)] == ["ranking"]
    assert state.notice
    assert "had not been saved" in state.notice["text"]
    assert state.view["back"]["item"] == key
    do(state, "undo", item=key)
    assert [e.kind for e in stored(database)] == ["ranking", "undo"]


def test_what_cannot_be_read_is_told_and_tried_again(source, state):
    prefer(state, *[NEW] * 3)
    source.failures["report"] = OSError("database is locked")
    do(state, "submit")
    assert state.notice
    assert "could not be read. OSError: database is locked" in state.notice["text"]
    assert state.view["phase"] == "comparing"
    source.failures.clear()
    do(state, "refresh")
    assert state.notice is None
    assert state.view["progress"]["done"] == 4

    broken = Failing(source.source)
    broken.failures["waiting"] = OSError("gone")
    assert ComparisonState(broken).view["phase"] == "error"


def test_undo_that_fails_changes_nothing(source, state):
    prefer(state, NEW)
    source.failures["undo"] = source.failures["redo"] = OSError("locked")
    do(state, "undo")
    assert state.notice
    assert state.notice["text"] == "Not undone. OSError: locked"
    do(state, "redo")
    assert state.notice["text"] == "Not done again. OSError: locked"
    assert state.view["progress"]["done"] == 1
    source.failures["refresh"] = OSError("locked")
    do(state, "refresh")
    assert "could not be read" in state.notice["text"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"choice": "C"},
        {"choice": None},
        {"choice": 1},
        {"choice": ["A"]},
        {"strength": "hugely"},
        {"choice": "tie", "strength": "much"},
        {"type": "delete"},
        {"id": "x"},
    ],
    ids=str,
)
def test_a_malformed_event_is_told_acknowledged_and_stores_nothing(database, state, wrong):
    state.apply([{**event(state, "submit"), **wrong}])
    assert stored(database) == []
    assert state.acked_seq == 1
    assert state.notice
    assert state.notice["tone"] == "error"
    assert len(open_keys(state)) == 8


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -3, "7", None])
def test_a_clock_that_went_wrong_loses_no_judgment(database, state, seconds):
    do(state, "submit", seconds=seconds)
    assert stored(database)[0].seconds == 0


def test_a_pair_judged_in_another_view_is_left_alone(database, state):
    sent = do(state, "submit")
    do(state, "submit", item=sent["item"])
    do(state, "skip", item="no-such-key")
    assert len(stored(database)) == 1
    assert state.notice
    assert state.notice["tone"] == "info"
