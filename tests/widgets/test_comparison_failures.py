"""Comparing when something fails, or a page sends what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.comparison_state import ComparisonState
from tests.browser.compare_source import NEW, OLD, fill, stored
from tests.widgets.comparing import Failing, do, event, open_keys, prefer, side_of


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


def broken(source: Failing, *, after_writing: bool = False) -> None:
    source.failures["submit"] = OSError("disk full")
    source.fails_after_writing = after_writing


def mended(source: Failing) -> None:
    source.failures.clear()
    source.fails_after_writing = False


def test_each_of_several_answers_that_were_not_saved_is_taken_back_by_an_undo(
    database, source, state
):
    """First, then two that fail, one that is saved: five undos come back to the first."""
    keys = open_keys(state)
    do(state, "submit", item=keys[0])
    broken(source)
    do(state, "submit", item=keys[1])
    do(state, "submit", item=keys[2])
    mended(source)
    do(state, "submit", item=keys[3])
    seen = []
    for _ in range(4):
        do(state, "undo", item=open_keys(state)[0])
        seen.append(state.view["back"]["item"])
    assert seen == [keys[3], keys[2], keys[1], keys[0]]
    kinds = [e.kind for e in stored(database)]
    assert kinds == ["ranking", "ranking", "undo", "undo"]
    assert state.view["progress"]["done"] == 0


def test_answers_that_were_not_saved_are_all_named_once(source, state):
    broken(source)
    keys = open_keys(state)
    state.apply([event(state, "submit", seq=n + 1, item=keys[n]) for n in range(5)])
    assert state.notice
    assert state.notice["tone"] == "error"
    names = [source.source.waiting(8)[n].prompt.text.strip() for n in range(3)]
    assert state.notice["text"] == (
        f"Not saved: “{names[0]}”, “{names[1]}”, “{names[2]}” and 2 more. They come again: "
        "submit them then. OSError: disk full"
    )


def test_what_failed_to_be_saved_is_told_also_when_the_next_pairs_cannot_be_read(source, state):
    broken(source)
    source.failures["report"] = OSError("database is locked")
    do(state, "submit")
    assert state.notice
    assert state.notice["tone"] == "error"
    assert "Not saved: “Question" in state.notice["text"]
    assert "disk full" in state.notice["text"]
    assert "could not be read. OSError: database is locked" in state.notice["text"]


def test_what_failed_to_be_saved_is_told_also_when_later_events_have_something_to_tell(
    source, state
):
    broken(source)
    key = open_keys(state)[0]
    state.apply([event(state, "submit", seq=1, item=key), event(state, "undo", seq=2, item="")])
    assert state.notice
    assert state.notice["tone"] == "error"
    assert "disk full" in state.notice["text"]
    assert "had not been saved" in state.notice["text"]


@pytest.mark.parametrize("kind", ["undo", "redo"])
def test_a_store_that_fails_after_taking_back_takes_back_once(database, source, state, kind):
    """The second try is the same act: it takes back no other answer."""
    prefer(state, NEW, OLD, None)
    if kind == "redo":
        do(state, "undo")
        do(state, "undo")
    done = state.view["progress"]["done"]
    source.failures[kind] = OSError("connection lost")
    source.fails_after_writing = True
    do(state, kind)
    mended(source)
    do(state, kind)
    change = 1 if kind == "redo" else -1
    assert state.view["progress"]["done"] == done + change
    do(state, kind)
    assert state.view["progress"]["done"] == done + 2 * change
    ids = [e.id for e in stored(database)]
    assert len(ids) == len(set(ids)) == 3 + (4 if kind == "redo" else 2)


def test_who_answers_anew_when_the_undo_failed_means_what_they_say_now(database, source, state):
    prefer(state, NEW)
    (key,) = state.view["answered"]
    source.failures["undo"] = OSError("locked")
    do(state, "undo")
    do(state, "submit", item=key, choice=side_of(state, key, OLD))
    assert state.view["progress"]["done"] == 1
    assert state.view["answered"] == [key]
    with PreferenceStore(database) as store:
        (said,) = store.judgments()
        ((best,), _) = said.ranking.tiers
        assert store.response(best).version == OLD


def test_after_another_success_an_undo_is_a_new_one(database, source, state):
    prefer(state, NEW, OLD)
    source.failures["undo"] = OSError("locked")
    do(state, "undo")
    mended(source)
    prefer(state, NEW)
    do(state, "undo")
    do(state, "undo")
    assert state.view["progress"]["done"] == 1
    assert [e.kind for e in stored(database)] == ["ranking"] * 3 + ["undo"] * 2


def test_an_answer_that_was_saved_after_all_is_taken_back_and_may_be_given_again(
    database, source, state
):
    """Taken back in the store, too; the same answer again is a new judgment and counts."""
    do(state, "submit", choice="A")
    key = open_keys(state)[0]
    broken(source, after_writing=True)
    do(state, "submit", item=key, choice="B")
    mended(source)
    do(state, "undo")
    assert [e.kind for e in stored(database)] == ["ranking", "ranking", "undo"]
    assert state.view["progress"]["done"] == 1
    do(state, "submit", item=key, choice="B")
    assert state.view["progress"]["done"] == 2
    assert [e.kind for e in stored(database)] == ["ranking", "ranking", "undo", "ranking"]


def test_a_redo_of_what_was_not_saved_saves_it(database, source, state):
    prefer(state, NEW, OLD)
    do(state, "undo")
    key = open_keys(state)[0]
    broken(source)
    do(state, "submit", item=key, choice="tie")
    do(state, "undo")
    do(state, "redo")
    assert state.notice
    assert "Not saved" in state.notice["text"]
    mended(source)
    do(state, "undo")
    do(state, "redo")
    assert key not in open_keys(state)
    assert state.view["progress"]["done"] == 2
    last = stored(database)[-1]
    assert last.ranking is not None
    assert len(last.ranking.tiers) == 1
