"""The ranking state machine: every judgment once, in order, durable before it is acknowledged."""

from __future__ import annotations

import json

import pytest

from rlhf_lab.types import Progress
from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser.sample_items import ListSource, item
from tests.widgets.ranking import (
    Source,
    act,
    draft,
    event,
    keys,
    left,
    prompt_shown,
    shown_item,
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


def test_a_judgment_says_what_was_seen_and_what_was_thought_of_it(source, state):
    submit(state, 2, 1, 2, 4, strength="clearly")

    ids = [response.id for response in source.items[0].candidates]
    (judgment,) = source.stored
    assert judgment.id == "event-submit-1"
    assert judgment.prompt_id == source.items[0].prompt.id
    assert judgment.annotator == "tester"
    assert judgment.kind == "ranking"
    assert judgment.shown_order == tuple(ids)
    assert judgment.ranking is not None
    assert judgment.ranking.tiers == ((ids[1],), (ids[0], ids[2]), (ids[3],))
    assert judgment.strength == "clearly"
    assert judgment.seconds == 2.5
    assert "Second?" in prompt_shown(state)


def test_the_page_learns_nothing_that_unblinds(state):
    submit(state, 1, 2, 3, 4)
    act(state, "undo")
    payload = json.dumps([state.view, state.content])
    for secret in ("secret-response", "policy@", "version", "seed", "token", "tester", "known to"):
        assert secret not in payload


@pytest.mark.parametrize("times", [2, 5])
def test_an_event_sent_again_is_applied_once(source, state, times):
    sent = event(state, ranks=[1, 1, 1, 1])
    for _ in range(times):
        state.apply([sent, sent])
    assert len(source.stored) == 1
    assert state.acked_seq == 1
    assert "Second?" in prompt_shown(state)


def test_a_queue_that_grows_while_the_kernel_is_busy_is_applied_from_where_it_was(source, state):
    first = event(state, "skip")
    state.apply([first])
    state.apply([first, event(state, ranks=[2, 1])])
    assert [judgment.kind for judgment in source.stored] == ["skip", "ranking"]
    assert state.acked_seq == 2


def test_events_are_applied_in_the_order_of_their_numbers(source, state):
    first, second, _ = keys(state)
    late = event(state, ranks=[1, 2], on=second, seq=2)
    state.apply([late, event(state, ranks=[1, 2, 3, 4], on=first, seq=1)])
    assert [judgment.id for judgment in source.stored] == ["event-submit-1", "event-submit-2"]
    assert state.acked_seq == 2


def test_a_page_may_be_ahead_and_in_any_order(source, state):
    first, second, third = keys(state)
    state.apply(
        [
            event(state, ranks=[1, 1, 2], on=third, seq=1),
            event(state, "skip", on=first, seq=2),
        ]
    )
    assert [j.prompt_id for j in source.stored] == [
        source.items[2].prompt.id,
        source.items[0].prompt.id,
    ]
    assert state.view["answered"] == [first, third]
    assert state.view["current"] == second
    assert state.view["progress"] == {"done": 2, "total": 3}


def test_an_item_that_is_answered_is_not_judged_again_and_the_person_is_told(source, state):
    first = state.view["current"]
    submit(state, 1, 2, 3, 4)
    submit(state, 4, 3, 2, 1, on=first)
    assert len(source.stored) == 1
    assert state.acked_seq == 2
    assert "answered already" in told(state)


def test_an_event_about_what_was_never_handed_out_changes_nothing(source, state):
    submit(state, 1, 2, 3, 4, on="0123456789abcdef")
    assert source.stored == []
    assert "answered already" in told(state)


def test_undo_brings_the_item_back_in_its_order_with_all_that_was_said(source):
    state = RankingState(source, criteria=["helpful", "honest"])
    before = shown_item(state)
    ratings = [{"helpful": 2}, {}, {"helpful": 5, "honest": 1}, {}]
    said = {"strength": "negligibly", "ratings": ratings, "comment": " odd ", "flags": ["unsafe"]}
    submit(state, 3, 1, 1, 4, **said)
    assert len(source.stored) == 1
    act(state, "undo")
    after = shown_item(state)
    assert before
    assert after
    assert after["cards"] == before["cards"]
    assert after["key"] == before["key"]
    assert after["draft"] == {"ranks": [3, 1, 1, 4], **said}
    assert state.view["answered"] == []
    assert state.progress == Progress(done=0, total=3)


def test_undo_of_a_skip_keeps_its_comment_and_flags(state):
    state.apply([event(state, "skip", comment="what is asked?", flags=["prompt unclear"])])
    act(state, "undo")
    assert draft(state) == {
        "ranks": None,
        "strength": None,
        "ratings": [{}, {}, {}, {}],
        "comment": "what is asked?",
        "flags": ["prompt unclear"],
    }


def test_undo_of_what_was_said_before_a_restart_has_its_draft_too(source, state):
    submit(state, 4, 2, 2, 4, strength="much", comment="hm")
    again = RankingState(source)
    act(again, "undo")
    assert "First?" in prompt_shown(again)
    was = draft(again)
    assert was
    assert was["ranks"] == [2, 1, 1, 2]  # as tiers
    assert (was["strength"], was["comment"]) == ("much", "hm")


def test_undo_of_something_out_of_order_comes_first(source, state):
    first, second, third = keys(state)
    submit(state, 1, 2, 3, on=third)
    act(state, "undo")
    assert keys(state) == [third, first, second]
    assert state.view["current"] == third
    state.refresh()
    assert left(state) == [third, first, second]


def test_undo_and_redo_in_one_batch_with_what_they_are_about(source, state):
    first, second, _ = keys(state)
    state.apply(
        [
            event(state, ranks=[1, 2, 3, 4], on=first, seq=1),
            event(state, ranks=[1, 2], on=second, seq=2),
            event(state, "undo", seq=3, on=""),
            event(state, "undo", seq=4, on=""),
            event(state, "redo", seq=5, on=""),
        ]
    )
    assert [judgment.id for judgment in source.stored] == ["event-submit-1"]
    assert state.view["current"] == second
    assert state.view["answered"] == [first]
    assert draft(state)["ranks"] == [1, 2]


def test_undo_with_nothing_to_undo_keeps_the_item(state):
    act(state, "undo")
    assert "First?" in prompt_shown(state)
    assert state.notice == {"id": 1, "tone": "info", "text": "There is nothing to undo."}
    act(state, "redo")
    assert told(state) == "There is nothing to redo."


def test_undo_is_one_act_under_its_id(source, state):
    act(state, "skip", "skip")
    sent = event(state, "undo")
    state.apply([sent])
    RankingState(source).apply([sent])  # the page is still there after a restart of the kernel
    assert len(source.stored) == 1


def test_a_skip_has_the_order_shown_and_no_ranking(source, state):
    act(state, "skip")
    (judgment,) = source.stored
    assert judgment.kind == "skip"
    assert judgment.ranking is None
    assert len(judgment.shown_order) == 4


def test_the_source_is_asked_what_it_knows_only_where_it_matters(source, state):
    act(state, "skip", "skip", "undo", "redo")
    submit(state, 1, 2, 3)
    assert "known" not in source.calls


def test_finished_and_empty_are_told_apart(source, state):
    for _ in source.items:
        assert not state.done
        act(state, "skip")
    assert state.done
    assert state.view["phase"] == "finished"
    assert state.view["current"] == ""
    assert state.view["progress"] == {"done": 3, "total": 3}

    nothing = RankingState(ListSource([]))
    assert nothing.view["phase"] == "empty"
    assert not nothing.done


def test_waiting_for_what_others_have_in_hand_is_not_the_end(source, state):
    theirs = source.items[1:]
    source.upcoming = lambda count: [each for each in source.items[:1] if not source.stored]
    act(state, "refresh")
    act(state, "skip")
    assert state.view["phase"] == "waiting"
    assert state.view["progress"] == {"done": 1, "total": 3}
    assert not state.done
    source.upcoming = lambda count: theirs
    act(state, "refresh")
    assert state.view["phase"] == "ranking"


def test_undo_works_from_the_end(source, state):
    act(state, "skip", "skip", "skip", "undo")
    assert "Third?" in prompt_shown(state)
    assert not state.done


def test_refresh_finds_what_was_generated_later():
    source = ListSource([])
    state = RankingState(source)
    source.items.append(item("New?", "a", "b"))
    act(state, "refresh")
    assert "New?" in prompt_shown(state)


def test_texts_are_sanitised_on_their_way_to_the_page():
    source = ListSource([item("<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "ok")])
    first = shown_item(RankingState(source))
    assert first
    assert "<img" not in first["turns"][0]["html"]
    assert "<script" not in first["cards"][0]["html"]
    assert first["cards"][0]["text"] == "<script>alert(1)</script>"  # put in as text alone


def test_half_a_character_reaches_the_page_as_a_question_mark():
    state = RankingState(ListSource([item("Odd?", "a\ud800b", "ok")]))
    state.apply([event(state, "submit", ranks=[3, 3], comment="c\udfff")])  # refused
    json.dumps([state.view, state.content], ensure_ascii=False).encode()
    assert shown_item(state)["cards"][0]["text"] == "a?b"
    assert draft(state)["comment"] == "c?"
