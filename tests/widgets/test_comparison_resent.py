"""What a page of the comparing widget sends again, when the kernel it was meant for has died."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab.annotators import ComparisonQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.comparison_state import ComparisonState
from tests.browser import compare_source
from tests.browser.compare_source import NEW, OLD, stored
from tests.widgets.comparing import Failing, do, event, open_keys


@pytest.fixture
def database(compared: Path) -> Path:
    return compared


@pytest.fixture
def source(comparisons: Failing) -> Failing:
    return comparisons


@pytest.fixture
def state(comparing: ComparisonState) -> ComparisonState:
    return comparing


def made_again(database: Path, state: ComparisonState) -> ComparisonState:
    """Of a kernel that died: it never saw the events of the one before."""
    again = ComparisonState(compare_source.queue(database))
    assert again.content["store_key"] == state.content["store_key"]
    return again


def test_events_sent_again_after_a_restart_are_one_judgment_each(database, state):
    first = event(state, "submit")
    state.apply([first])
    again = made_again(database, state)
    again.apply([{**first, "seq": 1}])
    assert again.notice is None
    assert again.acked_seq == 1
    assert len(stored(database)) == 1
    assert again.view["progress"] == {"done": 1, "total": 8}
    assert len(open_keys(again)) == 7


def test_an_answer_taken_back_before_a_restart_is_not_given_by_being_sent_again(database, state):
    sent = event(state, "submit", choice="B")
    undo = {**event(state, "undo", seq=2), "of": sent["id"]}
    state.apply([sent, undo])
    again = made_again(database, state)
    assert open_keys(again) == open_keys(state)
    later = event(again, "submit", seq=3, item=open_keys(again)[1])
    again.apply([sent, undo, later])
    assert [e.kind for e in stored(database)] == ["ranking", "undo", "ranking"]
    assert again.view["progress"]["done"] == 1
    assert sent["item"] in open_keys(again)
    assert again.view["drafts"] == {sent["item"]: "B"}


def test_what_a_dead_kernel_never_heard_is_stored_by_the_next_in_order(database, state):
    one, two = open_keys(state)[:2]
    first = event(state, "submit", seq=1, item=one)
    undo = event(state, "undo", seq=2, item=two, of=first["id"])
    last = event(state, "skip", seq=3, item=two)
    again = made_again(database, state)
    again.apply([first, undo, last])
    assert [e.kind for e in stored(database)] == ["ranking", "undo", "skip"]
    assert again.view["answered"] == [two]
    assert again.view["undone"] == []


def test_an_undo_that_says_what_it_means_takes_back_nothing_else(database, state):
    first, second = (do(state, "submit") for _ in range(2))
    assert state.view["ids"] == {s["item"]: s["id"] for s in (first, second)}
    again = made_again(database, state)
    do(again, "undo", of=first["id"])
    assert again.notice
    assert "meant for an answer that is not the latest now" in again.notice["text"]
    assert [e.kind for e in stored(database)] == ["ranking", "ranking"]
    do(again, "undo", of=second["id"])
    assert again.view["undone"] == [second["item"]]
    assert again.view["ids"] == {second["item"]: second["id"]}
    assert again.view["drafts"] == {second["item"]: "A"}
    do(again, "redo", of=second["id"])
    assert again.view["progress"]["done"] == 2


def test_an_undo_of_an_answer_that_was_stored_at_the_second_try_finds_it(database, source, state):
    source.failures["submit"] = OSError("disk full")
    source.fails_after_writing = True
    first = do(state, "submit")
    source.failures.clear()
    again = do(state, "submit", item=first["item"])
    assert state.view["ids"] == {first["item"]: first["id"]}
    do(state, "undo", of=again["id"])
    assert [e.kind for e in stored(database)] == ["ranking", "undo"]


def test_names_on_a_page_are_those_of_an_annotator_and_of_two_versions(database):
    def state_of(annotator: str, versions: tuple[str, str]) -> ComparisonState:
        store = PreferenceStore(database)
        return ComparisonState(ComparisonQueue(store, versions, annotator=annotator, seed=5))

    one = state_of("ann", (NEW, OLD))
    turned = state_of("ann", (OLD, NEW))
    assert turned.content["store_key"] == one.content["store_key"]
    assert set(open_keys(turned)) == set(open_keys(one))
    other = state_of("bob", (NEW, OLD))
    assert other.content["store_key"] != one.content["store_key"]
    assert not set(open_keys(other)) & set(open_keys(one))


def test_after_a_refused_undo_the_next_one_takes_back_what_is_latest(database, state):
    first = do(state, "submit")
    other = made_again(database, state)
    second = do(other, "submit", seq=9)
    do(state, "undo", of=first["id"])
    assert [e.kind for e in stored(database)] == ["ranking", "ranking"]
    assert (state.view["answered"], state.view["undone"], state.view["ids"]) == ([], [], {})
    assert open_keys(state) == open_keys(other)
    do(state, "undo")
    assert state.view["back"]["item"] == second["item"]
    assert state.view["progress"]["done"] == 1


def test_an_undo_after_an_answer_that_was_saved_after_all_means_that(database, source, state):
    first = do(state, "submit")
    source.failures["submit"] = OSError("connection lost")
    source.fails_after_writing = True
    lost = do(state, "submit")
    source.failures.clear()
    # All that the page knows to be stored is the first one.
    do(state, "undo", of=first["id"])
    events = stored(database)
    assert [e.kind for e in events] == ["ranking", "ranking", "undo"]
    assert events[-1].supersedes == lost["id"]
    assert state.view["answered"] == [first["item"]]


def test_an_undo_that_was_done_before_brings_nothing_back_that_was_answered_since(database, state):
    sent = do(state, "submit")
    undo = do(state, "undo", of=sent["id"])
    do(made_again(database, state), "submit", item=sent["item"], choice="B", seq=7)
    again = made_again(database, state)
    again.apply([{**undo, "seq": 1}])
    assert sent["item"] not in open_keys(again)
    assert again.view["back"] is None
    assert again.view["progress"]["done"] == 1
    assert [e.kind for e in stored(database)] == ["ranking", "undo", "ranking"]
