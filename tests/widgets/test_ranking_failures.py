"""Ranking when something fails, or a page sends what makes no sense."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import StoreError
from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser.sample_items import ListSource, item
from tests.widgets.ranking import (
    Source,
    act,
    draft,
    event,
    keys,
    left,
    numbered,
    prompt_shown,
    submit,
    three_items,
    told,
)


@pytest.fixture
def source() -> Source:
    return Source(three_items())


@pytest.fixture
def state(source: Source) -> RankingState:
    return RankingState(source)


def test_an_undo_that_failed_after_it_was_written_is_one_act(source, state):
    act(state, "skip", "skip")
    source.failures["undo"] = OSError("connection lost")
    source.fails_after_writing = True
    act(state, "undo")
    assert told(state) == "Not undone. OSError: connection lost"
    source.failures.clear()
    act(state, "undo")
    assert len(source.stored) == 1
    assert "Second?" in prompt_shown(state)
    act(state, "undo")
    assert source.stored == []


def test_a_judgment_that_cannot_be_stored_is_told_and_the_item_stays_with_what_was_said(
    source, state
):
    source.failures["submit"] = StoreError("disk full: free 2 MB.")
    submit(state, 1, 2, 3, 3, comment="long thought about")
    assert source.stored == []
    assert state.acked_seq == 1
    assert state.notice
    assert state.notice["tone"] == "error"
    assert told(state) == "Not saved: “First?”. Disk full: free 2 MB."
    assert "First?" in prompt_shown(state)
    assert state.view["answered"] == []
    assert draft(state)["ranks"] == [1, 2, 3, 3]
    assert draft(state)["comment"] == "long thought about"

    source.failures.clear()
    submit(state, 1, 2, 3, 4)
    assert len(source.stored) == 1
    assert state.notice is None


def test_later_events_of_a_batch_count_when_one_fails(source, state):
    first, second, third = keys(state)
    state.apply(
        [
            event(state, ranks=[1, 9, 3, 4], on=first, seq=1),
            event(state, ranks=[1, 2], on=second, seq=2),
            event(state, "skip", on=third, seq=3),
        ]
    )
    assert len(source.stored) == 2
    assert left(state) == [first]
    assert told(state).startswith("Not saved: “First?”. Ranks [1, 9, 3, 4] for 4 candidates")


def test_many_failures_are_told_in_one_line(source):
    source.items = numbered(6)
    state = RankingState(source)
    source.failures["submit"] = StoreError("disk full.")
    state.apply([event(state, "skip", on=key, seq=n) for n, key in enumerate(keys(state), start=1)])
    names = "“Question 0?”, “Question 1?”, “Question 2?”"
    assert told(state) == f"Not saved: {names} and 3 more. Disk full."


def test_a_skip_that_fails_keeps_the_ranks_of_the_draft(source, state):
    submit(state, 4, 3, 2, 1)
    act(state, "undo")
    source.failures["submit"] = OSError("gone")
    state.apply([event(state, "skip", comment="no")])
    assert draft(state)["ranks"] == [4, 3, 2, 1]
    assert draft(state)["comment"] == "no"


def test_an_undo_sent_before_a_failure_was_seen_is_about_what_failed(source, state):
    first, second, third = keys(state)
    submit(state, 1, 2, 3, 4)
    source.failures["submit"] = OSError("gone")
    state.apply([event(state, ranks=[1, 2], on=second, seq=2), event(state, "undo", on=third)])
    assert len(source.stored) == 1
    assert state.view["current"] == second
    act(state, "undo")  # now it was seen
    assert source.stored == []
    assert state.view["current"] == first


def test_a_store_that_fails_after_writing_has_the_same_judgment_once(source, state):
    source.failures["submit"] = OSError("connection lost")
    source.fails_after_writing = True
    submit(state, 1, 2, 3, 4, seconds=2)
    source.failures.clear()
    submit(state, 1, 2, 3, 4, seconds=9)
    assert len(source.stored) == 1
    assert source.stored[0].seconds == 2


def test_after_a_failure_other_ranks_are_another_judgment(source, state):
    source.failures["submit"] = OSError("connection lost")
    submit(state, 1, 2, 3, 4)
    source.failures.clear()
    submit(state, 4, 3, 2, 1)
    assert source.stored[0].id == "event-submit-2"


def test_an_undo_that_names_what_could_not_be_saved_is_about_that(source, state):
    first, second, _ = keys(state)
    submit(state, 1, 2, 3, 4)
    source.failures["submit"] = OSError("disk full")
    submit(state, 1, 2, on=second, id="not-saved-1")
    source.failures.clear()
    state.apply([event(state, "undo", on="", of="not-saved-1")])
    assert [judgment.id for judgment in source.stored] == ["event-submit-1"]
    assert state.view["current"] == second
    state.apply([event(state, "undo", on="", of="event-submit-1")])
    assert source.stored == []
    assert state.view["current"] == first


def test_an_undo_names_an_answer_that_is_stored_under_the_id_it_failed_with(source, state):
    source.failures["submit"] = OSError("connection lost")
    source.fails_after_writing = True
    submit(state, 1, 2, 3, 4, id="sent-first")
    source.failures.clear()
    submit(state, 1, 2, 3, 4, id="sent-again")
    assert [judgment.id for judgment in source.stored] == ["sent-first"]
    state.apply([event(state, "undo", on="", of="sent-again")])
    assert source.stored == []


def test_a_judgment_that_failed_is_not_stored_beside_the_one_after_it(source, state):
    key = state.view["current"]
    failed, stored, taken_back = (
        event(state, ranks=[1, 2, 3, 4], on=key, seq=1),
        event(state, ranks=[4, 3, 2, 1], on=key, seq=2),
        event(state, "undo", seq=3, on=""),
    )
    source.failures["submit"] = OSError("disk full")
    state.apply([failed])
    source.failures.clear()
    state.apply([stored])
    state.apply([taken_back])
    again = RankingState(source)  # the page heard of none of them
    again.apply([failed, stored, taken_back])
    assert source.stored == []
    assert again.view["current"] == key


def test_what_failed_is_named_by_its_event(source, state):
    source.failures.update(submit=OSError("disk full"), demonstrate=OSError("disk full"))
    first, second, _ = keys(state)
    state.apply(
        [
            event(state, "skip", on=first, seq=1),
            event(state, "demonstrate", on=second, card=0, text="mine", seq=2),
        ]
    )
    assert state.view["unsaved"] == ["event-skip-1", "event-demonstrate-2"]
    source.failures.clear()
    act(state, "skip")
    assert state.view["unsaved"] == []


def test_a_saved_judgment_stays_saved_when_the_next_item_cannot_be_read(source):
    state = RankingState(source, ahead=1)
    source.failures["upcoming"] = OSError("database is locked")
    submit(state, 1, 2, 3, 4)
    assert len(source.stored) == 1
    assert state.view["phase"] == "error"
    assert told(state) == "The next items could not be read. OSError: database is locked"

    source.failures.clear()
    act(state, "refresh")
    assert "Second?" in prompt_shown(state)


def test_items_in_hand_are_ranked_on_while_no_more_can_be_read(source, state):
    source.failures["upcoming"] = OSError("database is locked")
    act(state, "skip", "skip")
    assert state.view["phase"] == "ranking"
    assert state.notice is None
    act(state, "refresh")
    assert "could not be read" in told(state)
    act(state, "skip")
    assert state.view["phase"] == "error"
    assert len(source.stored) == 3


def test_a_progress_that_cannot_be_read_is_told(source, state):
    source.failures["progress"] = OSError("locked")
    act(state, "skip")
    assert len(source.stored) == 1
    assert told(state) == "The progress could not be read. OSError: locked"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ranks": [1, 2, 3]},
        {"ranks": [1, 2, 3, 5]},
        {"ranks": [0, 1, 2, 3]},
        {"ranks": [1, 2, 3, True]},
        {"ranks": "1234"},
        {"ranks": [1, 2, 3, 4.0]},
        {"ranks": []},
        {"ranks": None},
        {"strength": "very"},
        {"strength": ["much"]},
        {"strength": "much", "ranks": [1, 1, 1, 1]},
        {"ratings": [{"helpful": 1}] * 4},
        {"ratings": [{}]},
        {"ratings": "good"},
        {"flags": ["unheard of"]},
        {"flags": "unsafe"},
        {"flags": [["unsafe"]]},
        {"comment": "x" * 4001},
        {"id": ""},
        {"id": 7},
        {"id": "x" * 65},
        {"id": "'; drop table judgments"},
        {"type": "delete"},
        {"type": None},
    ],
    ids=str,
)
def test_a_malformed_event_is_told_acknowledged_and_stores_nothing(source, state, wrong):
    state.apply([event(state, **{"ranks": [1, 2, 3, 4], **wrong})])
    assert source.stored == []
    assert state.acked_seq == 1
    assert state.notice
    assert state.notice["tone"] == "error"
    assert "First?" in prompt_shown(state)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -3, "7", None, True])
def test_a_clock_that_went_wrong_loses_no_judgment(source, state, seconds):
    submit(state, 1, 2, 3, 4, seconds=seconds)
    assert source.stored[0].seconds == 0


@pytest.mark.parametrize("count", [1, 10])
def test_an_item_that_digits_cannot_rank_is_refused_and_can_be_skipped(count):
    source = ListSource([item("Odd?", *(f"answer {n}" for n in range(count)))])
    state = RankingState(source)
    submit(state, *[1] * count)
    assert source.stored == []
    assert "Skip it" in told(state)
    act(state, "skip")
    assert state.done
