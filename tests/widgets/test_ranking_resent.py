"""Events that a page sends again, after a restart or a failure, over a real store."""

from __future__ import annotations

from collections.abc import Iterable

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.types import Demonstration, Judgment, RankingItem
from rlhf_lab.widgets.ranking_answers import Form, judgment_of
from rlhf_lab.widgets.ranking_state import RankingState
from rlhf_lab.widgets.state import Event
from tests.widgets.ranking import KINDS, act, draft, event, fill, ids, keys, left, state_of, submit


def test_an_event_that_came_twice_across_a_restart_is_one(store):
    fill(store, "v", 5)
    state = state_of(store)
    sent = [
        event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1),
        event(state, "skip", on=keys(state)[1], seq=2),
        event(state, "undo", seq=3, on=""),
    ]
    state.apply(sent)
    before = [left(state), store.judgments(kinds=KINDS)]
    again = state_of(store)
    again.apply(sent)
    assert [left(again), store.judgments(kinds=KINDS)] == before


class LosesTheConnection(RankingQueue):
    """Once, after it has written a judgment."""

    has_failed = False

    def submit(self, judgment: Judgment) -> bool:
        is_new = super().submit(judgment)
        if not self.has_failed:
            self.has_failed = True
            raise OSError("connection lost")
        return is_new


def test_an_answer_that_was_stored_after_all_is_taken_back_and_may_be_given_again(store):
    fill(store, "v", 3)
    state = RankingState(LosesTheConnection(store, annotator="ann", version="v"))
    first = state.view["current"]
    submit(state, 1, 2, 3)
    act(state, "undo")  # of what had not been saved, as far as anybody knows
    state.apply([event(state, "undo", on="")])  # of what was saved, as it turns out
    assert ids(store) == []
    submit(state, 1, 2, 3, on=first)
    assert ids(store) == ["event-submit-4"]
    assert first not in left(state)


def test_an_answer_that_was_stored_after_all_is_no_more_once_it_is_taken_back(store):
    fill(store, "v", 3)
    state = RankingState(LosesTheConnection(store, annotator="ann", version="v"))
    first = state.view["current"]
    submit(state, 1, 2, 3)
    state.apply([event(state, "undo", on="", of="event-submit-1")])
    assert ids(store) == []
    assert first in left(state)


class LosesTheDisk(RankingQueue):
    """Takes nothing back."""

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        raise OSError("disk full")


def test_who_answers_anew_when_the_undo_failed_means_what_they_say_now(store):
    fill(store, "v", 3)
    state = RankingState(LosesTheDisk(store, annotator="ann", version="v"))
    first = state.view["current"]
    submit(state, 1, 2, 3)
    state.apply(
        [event(state, "undo", seq=2, on=""), event(state, seq=3, on=first, ranks=[3, 2, 1])]
    )
    (said,) = store.judgments()
    assert said.id == "event-submit-3"
    assert first not in left(state)


def test_a_demonstration_that_was_not_saved_is_saved_when_it_is_sent_again(store):
    class CannotDemonstrate(RankingQueue):
        def demonstrate(self, demonstration: Demonstration) -> None:
            raise OSError("disk full")

    fill(store, "v", 3)
    state = RankingState(CannotDemonstrate(store, annotator="ann", version="v"))
    first, second, _ = keys(state)
    sent = [
        event(state, "demonstrate", seq=1, on=second, card=0, text="mine"),
        event(state, "skip", seq=2, on=first),
    ]
    state.apply(sent)
    assert state.view["unsaved"] == ["event-demonstrate-1"]
    again = state_of(store)  # the kernel died before the page heard of either
    again.apply(sent)
    assert [made.text for made in store.demonstrations()] == ["mine"]


def test_what_is_stored_may_be_out_of_reach_and_nothing_is_lost(store):
    class Forgetful(RankingQueue):
        def known(self, ids: Iterable[str]) -> set[str]:
            raise OSError("locked")

    fill(store, "v", 3)
    state = RankingState(Forgetful(store, annotator="ann", version="v"))
    first, second, _ = keys(state)
    state.apply(
        [
            event(state, "demonstrate", seq=1, on=second, card=0, text="mine"),
            event(state, "undo", seq=2, on=""),
            event(state, "skip", seq=3, on=first),
        ]
    )
    assert [made.text for made in store.demonstrations()] == ["mine"]
    assert ids(store) == ["event-skip-3"]


def test_an_undo_of_nothing_sent_again_takes_back_nothing_that_was_said_since(store):
    fill(store, "v", 5)
    state = state_of(store)
    sent = [
        event(state, "undo", seq=1, on=""),
        event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=2),
    ]
    state.apply(sent)
    assert ids(store) == ["event-submit-2"]
    again = state_of(store)  # the kernel died before the page heard of either
    again.apply(sent)
    assert ids(store) == ["event-submit-2"]
    assert again.progress.done == 1
    assert left(again) == left(state)


def test_a_redo_of_nothing_sent_again_brings_back_nothing_that_was_undone_since(store):
    fill(store, "v", 5)
    state = state_of(store)
    sent = [
        event(state, "redo", seq=1, on=""),
        event(state, "skip", on=keys(state)[0], seq=2),
        event(state, "undo", seq=3, on=""),
    ]
    state.apply(sent)
    assert ids(store) == []
    again = state_of(store)
    again.apply(sent)
    assert ids(store) == []
    # Also where the kernel knows the later ones already.
    late = state_of(store)
    late.apply(sent[1:])
    late.apply(sent)
    assert ids(store) == []
    assert left(late) == left(state)


def test_what_was_brought_back_and_undone_again_stays_on_the_page(store):
    fill(store, "v", 3)
    state = state_of(store)
    sent = [
        event(state, "skip", on=keys(state)[0], seq=1),
        event(state, "undo", seq=2, on=""),
        event(state, "redo", seq=3, on=""),
        event(state, "undo", seq=4, on="", id="undone-again"),
    ]
    state.apply(sent)
    again = state_of(store)
    again.apply(sent[3:])
    again.apply(sent[2:])
    assert left(again) == left(state)
    assert ids(store) == []


def test_an_answer_sent_again_after_it_was_taken_back_stays_taken_back(store):
    fill(store, "v", 3)
    state = state_of(store)
    first = keys(state)[0]
    said = event(state, ranks=[3, 1, 2], on=first, seq=1)
    state.apply([said])
    again = state_of(store)  # the page did not hear of it, and keeps it until its item comes
    again.apply([event(again, "undo", seq=1, on="")])
    again.apply([{**said, "seq": 2}])
    assert ids(store) == []
    assert again.view["current"] == first
    assert left(again) == left(state_of(store))
    assert draft(again)["ranks"] == [3, 1, 2]
    submit(again, 1, 2, 3, id="said-anew")
    assert ids(store) == ["said-anew"]


def test_an_answer_that_an_interrupt_left_half_done_is_one(store):
    fill(store, "v", 3)
    state = state_of(store)
    sent = event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1)
    store.submit(
        judgment_of(Event.parse(sent, 1), state._hand.get(sent["item"]).item, "ann", Form())
    )
    state.apply([sent])
    assert ids(store) == ["event-submit-1"]
    assert left(state) == left(state_of(store))
    assert state.notice is None


def test_an_act_that_was_not_dealt_with_is_done_by_the_next_kernel(store):
    fill(store, "v", 5)
    state = state_of(store)
    first = event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1)
    state.apply([first])
    state_of(store).apply([first, event(state, "undo", seq=2, on="")])
    assert ids(store) == []


def test_what_was_stored_before_a_restart_is_acknowledged_without_a_word(store):
    fill(store, "v", 3)
    state = state_of(store)
    sent = [
        event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1),
        event(state, "skip", on=keys(state)[1], seq=2),
    ]
    state.apply(sent)
    again = state_of(store)
    again.apply(sent)
    assert again.acked_seq == 2
    assert again.notice is None
    assert again.view["unsaved"] == []
    assert ids(store) == ["event-submit-1", "event-skip-2"]
