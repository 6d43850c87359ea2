"""The ranking state over a real store: long ways back, other people, other windows."""

from __future__ import annotations

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import AssignmentPlan, PreferenceStore
from rlhf_lab.widgets.ranking_state import RankingState
from tests.store.assignments.sharing import Clock
from tests.widgets.ranking import (
    act,
    draft,
    event,
    fill,
    ids,
    keys,
    left,
    prompt_shown,
    state_of,
    submit,
    told,
)


def test_sixty_undos_in_a_row_and_as_many_redos(store):
    fill(store, "v", 70)
    state = state_of(store, ahead=8)
    for n in range(60):
        assert f"Question {n} " in prompt_shown(state)
        submit(state, 1 + n % 3, 2, 3, comment=f"said {n}")
    said = store.judgments()
    for n in reversed(range(60)):
        act(state, "undo")
        assert f"Question {n} " in prompt_shown(state)
        assert draft(state)["comment"] == f"said {n}"
        assert draft(state)["ranks"] == [1 + n % 3, 2, 3]
    assert store.judgments() == []
    act(state, "undo")
    assert told(state) == "There is nothing to undo."
    for n in range(60):
        act(state, "redo")
        assert state.progress.done == n + 1
    assert store.judgments() == said
    assert "Question 60 " in prompt_shown(state)
    act(state, "redo")
    assert told(state) == "There is nothing to redo."


def test_undos_of_an_earlier_sitting_come_in_one_batch_with_drafts(store):
    fill(store, "v", 60)
    first = state_of(store)
    for n in range(55):
        submit(first, 3, 2, 1, comment=f"said {n}")
    state = state_of(store)
    state.apply([event(state, "undo", seq=n, on="") for n in range(1, 56)])
    assert len(left(state)) == 60
    assert [shown["draft"]["comment"] for shown in state.content["items"][:55]] == [
        f"said {n}" for n in range(55)
    ]
    assert store.judgments() == []
    assert len(keys(state_of(store, ahead=60))) == 60
    assert keys(state_of(store, ahead=60)) == keys(state)


def test_an_answer_to_what_is_not_on_the_page_is_told_and_named(store):
    fill(store, "v", 3)
    state = state_of(store)
    state.apply([event(state, "skip", on="0123456789abcdef", seq=1)])
    assert state.acked_seq == 1
    assert told(state).startswith("Not saved: an answer. Its item is not on this page")
    assert state.view["unsaved"] == ["event-skip-1"]
    submit(state, 1, 2, 3)
    assert state.view["unsaved"] == []


def test_an_undo_meant_for_another_answer_changes_nothing(store):
    fill(store, "v", 5)
    state = state_of(store)
    submit(state, 1, 2, 3)
    submit(state, 3, 2, 1)
    act(state_of(store), "undo")  # in another window
    # Left over by a page: what it took back is not the latest any more.
    again = state_of(store)
    again.apply([event(again, "undo", seq=1, on="", of="event-submit-2", id="undo-left-over")])
    assert ids(store) == ["event-submit-1"]
    assert told(again) == (
        "Nothing was undone: it was meant for an answer that is not the latest now."
    )
    again.apply([event(again, "redo", seq=2, on="", of="event-submit-1")])
    assert ids(store) == ["event-submit-1"]
    assert told(again).startswith("Nothing was redone")
    again.apply([event(again, "undo", seq=3, on="", of="event-submit-1", id="undo-meant-so")])
    assert ids(store) == []


def test_who_finds_all_in_the_hands_of_others_waits_for_it(tmp_path):
    clock = Clock()
    with PreferenceStore(tmp_path / "lab.db", clock=clock) as store:
        fill(store, "v", 3)
        store.assignments.plan = AssignmentPlan(overlap=1, lease_seconds=60)
        anns = state_of(store)
        bobs = RankingState(RankingQueue(store, annotator="bob", version="v"))
        assert bobs.view["phase"] == "waiting"
        assert bobs.view["progress"] == {"done": 0, "total": 3}
        assert not bobs.done
        submit(anns, 1, 2, 3)
        clock.advance(61)
        act(bobs, "refresh")
        assert bobs.view["phase"] == "ranking"
        for _ in range(2):
            submit(bobs, 1, 2, 3, id=f"bobs-{bobs.acked_seq:06}")
        assert bobs.done
        assert bobs.view["progress"] == {"done": 2, "total": 2}
        anns.refresh()
        assert anns.done


def test_two_people_with_overlap_both_have_something_to_rank(store):
    fill(store, "v", 20)
    store.assignments.plan = AssignmentPlan(overlap=1)
    states = [
        RankingState(RankingQueue(store, annotator=who, version="v")) for who in ("ann", "bob")
    ]
    assert [len(keys(each)) for each in states] == [8, 8]
    assert not set(map(prompt_shown, states[:1])) & set(map(prompt_shown, states[1:]))


def test_what_a_page_keeps_is_kept_for_one_version(store):
    fill(store, "v", 1)
    fill(store, "w", 1)
    kept = [state_of(store, name).content["store_key"] for name in ("v", "w", "v")]
    assert kept[0] == kept[2] != kept[1]


def test_an_edit_of_the_same_response_replaces_the_one_before_also_after_a_restart(store):
    fill(store, "v", 2)
    for number, text in enumerate(["better", "better still", "best"]):
        state = state_of(store)
        sent = event(state, "demonstrate", card=1, text=text, id=f"edit-number-{number}")
        state.apply([sent])
        state_of(store).apply([sent])  # the page sends it again
    other = event(state, "demonstrate", card=0, text="of another one")
    state.apply([other])
    assert [made.text for made in store.demonstrations()] == ["best", "of another one"]
    assert len(store.demonstrations(include_superseded=True)) == 4
