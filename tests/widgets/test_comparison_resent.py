"""What a page of the comparing widget sends again, when the kernel it was meant for has died."""

from __future__ import annotations

from pathlib import Path

from rlhf_lab.annotators import ComparisonQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.comparison_state import ComparisonState
from tests.browser import compare_source
from tests.browser.compare_source import NEW, OLD, stored
from tests.widgets.comparing import do, event, open_keys


def made_again(compared: Path, comparing: ComparisonState) -> ComparisonState:
    """Of a kernel that died: it never saw the events of the one before."""
    again = ComparisonState(compare_source.queue(compared))
    assert again.content["store_key"] == comparing.content["store_key"]
    return again


def test_events_sent_again_after_a_restart_are_one_judgment_each(compared, comparing):
    first = event(comparing, "submit")
    comparing.apply([first])
    again = made_again(compared, comparing)
    again.apply([{**first, "seq": 1}])
    assert again.notice is None
    assert again.acked_seq == 1
    assert len(stored(compared)) == 1
    assert again.view["progress"] == {"done": 1, "total": 8}
    assert len(open_keys(again)) == 7


def test_an_answer_taken_back_before_a_restart_is_not_given_by_being_sent_again(
    compared, comparing
):
    sent = event(comparing, "submit", choice="B")
    undo = {**event(comparing, "undo", seq=2), "of": sent["id"]}
    comparing.apply([sent, undo])
    again = made_again(compared, comparing)
    assert open_keys(again) == open_keys(comparing)
    later = event(again, "submit", seq=3, item=open_keys(again)[1])
    again.apply([sent, undo, later])
    assert [e.kind for e in stored(compared)] == ["ranking", "undo", "ranking"]
    assert again.view["progress"]["done"] == 1
    assert sent["item"] in open_keys(again)
    assert again.view["drafts"] == {sent["item"]: "B"}


def test_what_a_dead_kernel_never_heard_is_stored_by_the_next_in_order(compared, comparing):
    one, two = open_keys(comparing)[:2]
    first = event(comparing, "submit", seq=1, item=one)
    undo = event(comparing, "undo", seq=2, item=two, of=first["id"])
    last = event(comparing, "skip", seq=3, item=two)
    again = made_again(compared, comparing)
    again.apply([first, undo, last])
    assert [e.kind for e in stored(compared)] == ["ranking", "undo", "skip"]
    assert again.view["answered"] == [two]
    assert again.view["undone"] == []


def test_an_undo_that_says_what_it_means_takes_back_nothing_else(compared, comparing):
    first, second = (do(comparing, "submit") for _ in range(2))
    assert comparing.view["ids"] == {s["item"]: s["id"] for s in (first, second)}
    again = made_again(compared, comparing)
    do(again, "undo", of=first["id"])
    assert again.notice
    assert "meant for an answer that is not the latest now" in again.notice["text"]
    assert [e.kind for e in stored(compared)] == ["ranking", "ranking"]
    do(again, "undo", of=second["id"])
    assert again.view["undone"] == [second["item"]]
    assert again.view["ids"] == {second["item"]: second["id"]}
    assert again.view["drafts"] == {second["item"]: "A"}
    do(again, "redo", of=second["id"])
    assert again.view["progress"]["done"] == 2


def test_an_undo_of_an_answer_that_was_stored_at_the_second_try_finds_it(
    compared, comparisons, comparing
):
    comparisons.failures["submit"] = OSError("disk full")
    comparisons.fails_after_writing = True
    first = do(comparing, "submit")
    comparisons.failures.clear()
    again = do(comparing, "submit", item=first["item"])
    assert comparing.view["ids"] == {first["item"]: first["id"]}
    do(comparing, "undo", of=again["id"])
    assert [e.kind for e in stored(compared)] == ["ranking", "undo"]


def test_names_on_a_page_are_those_of_an_annotator_and_of_two_versions(compared):
    def state_of(annotator: str, versions: tuple[str, str]) -> ComparisonState:
        store = PreferenceStore(compared)
        return ComparisonState(ComparisonQueue(store, versions, annotator=annotator, seed=5))

    one = state_of("ann", (NEW, OLD))
    turned = state_of("ann", (OLD, NEW))
    assert turned.content["store_key"] == one.content["store_key"]
    assert set(open_keys(turned)) == set(open_keys(one))
    other = state_of("bob", (NEW, OLD))
    assert other.content["store_key"] != one.content["store_key"]
    assert not set(open_keys(other)) & set(open_keys(one))


def test_after_a_refused_undo_the_next_one_takes_back_what_is_latest(compared, comparing):
    first = do(comparing, "submit")
    other = made_again(compared, comparing)
    second = do(other, "submit", seq=9)
    do(comparing, "undo", of=first["id"])
    assert [e.kind for e in stored(compared)] == ["ranking", "ranking"]
    assert (comparing.view["answered"], comparing.view["undone"], comparing.view["ids"]) == (
        [],
        [],
        {},
    )
    assert open_keys(comparing) == open_keys(other)
    do(comparing, "undo")
    assert comparing.view["back"]["item"] == second["item"]
    assert comparing.view["progress"]["done"] == 1


def test_an_undo_after_an_answer_that_was_saved_after_all_means_that(
    compared, comparisons, comparing
):
    first = do(comparing, "submit")
    comparisons.failures["submit"] = OSError("connection lost")
    comparisons.fails_after_writing = True
    lost = do(comparing, "submit")
    comparisons.failures.clear()
    # All that the page knows to be stored is the first one.
    do(comparing, "undo", of=first["id"])
    events = stored(compared)
    assert [e.kind for e in events] == ["ranking", "ranking", "undo"]
    assert events[-1].supersedes == lost["id"]
    assert comparing.view["answered"] == [first["item"]]


def test_an_undo_that_was_done_before_brings_nothing_back_that_was_answered_since(
    compared, comparing
):
    sent = do(comparing, "submit")
    undo = do(comparing, "undo", of=sent["id"])
    do(made_again(compared, comparing), "submit", item=sent["item"], choice="B", seq=7)
    again = made_again(compared, comparing)
    again.apply([{**undo, "seq": 1}])
    assert sent["item"] not in open_keys(again)
    assert again.view["back"] is None
    assert again.view["progress"]["done"] == 1
    assert [e.kind for e in stored(compared)] == ["ranking", "undo", "ranking"]
