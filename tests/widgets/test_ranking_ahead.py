"""Items handed out ahead: when, which, and under which names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from rlhf_lab.errors import ConfigError
from rlhf_lab.widgets.ranking_hand import RENEW_SECONDS
from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser.sample_items import ListSource
from tests.widgets.ranking import Seconds, Source, act, event, keys, left, numbered, prompt_shown


def test_items_are_refilled_when_fewer_than_half_are_left():
    source = Source(numbered(20))
    state = RankingState(source, ahead=8)
    contents = [state.content]
    sizes = []
    for _ in range(12):
        act(state, "skip")
        sizes.append(len(left(state)))
        if state.content is not contents[-1]:
            contents.append(state.content)
    # 8 down to 4, then 3 is fewer than half: 8 again, from the place it was at.
    assert sizes == [7, 6, 5, 4, 8, 7, 6, 5, 4, 8, 7, 6]
    assert len(contents) == 3
    assert Counter(source.calls)["upcoming"] == 3
    assert "Question 12?" in prompt_shown(state)


def test_whoever_answers_hears_of_it_before_more_is_handed_out():
    source = Source(numbered(20))
    state = RankingState(source, ahead=4)
    later, sent = [], []
    state.defer = later.append
    state.on_change(lambda: sent.append((state.acked_seq, len(left(state)))))
    for _ in range(3):
        act(state, "skip")
    # 4 down to 2, then 1 is fewer than half: that is told, and then it is 4 again.
    assert [items for _, items in sent] == [3, 2, 1]
    assert len(later) == 1
    later[0]()
    assert sent[3] == (sent[2][0], 4)
    assert "Question 3?" in prompt_shown(state)
    later[0]()  # as when an answer that came meanwhile had more handed out
    assert len(sent) == 4
    assert Counter(source.calls)["upcoming"] == 2


def test_who_has_nothing_left_is_handed_more_at_once():
    state = RankingState(Source(numbered(3)), ahead=1)
    later = []
    state.defer = later.append
    act(state, "skip")
    assert len(left(state)) == 1
    assert later == []


def test_near_the_end_content_is_not_sent_for_nothing():
    source = Source(numbered(20))
    state = RankingState(source, ahead=48)
    first = state.content
    for _ in range(20):
        act(state, "skip")
    assert state.done
    assert state.content is first
    # At 9, 4, 1 and 0 left, and not at every event.
    assert Counter(source.calls)["upcoming"] == 1 + 4


def test_a_submit_changes_the_view_and_not_the_content():
    state = RankingState(ListSource(numbered(20)), ahead=10)
    content, key = state.content, state.view["current"]
    act(state, "skip")
    assert state.content is content
    assert state.view["answered"] == [key]


def test_a_whole_page_may_be_sent_at_once():
    source = Source(numbered(30))
    state = RankingState(source, ahead=10)
    handed_out = keys(state)
    calls = len(source.calls)
    state.apply([event(state, "skip", on=key, seq=n) for n, key in enumerate(handed_out, start=1)])
    assert len(source.stored) == 10
    assert Counter(source.calls[calls:])["upcoming"] == 1
    assert "Question 10?" in prompt_shown(state)


def test_what_went_to_somebody_else_leaves_the_page_and_an_answer_to_it_is_still_taken():
    source = Source(numbered(6))
    state = RankingState(source)
    lost = source.items.pop(1)
    key = keys(state)[1]
    state.refresh()
    assert key not in keys(state)
    state.apply([event(state, ranks=[1, 2], on=key)])  # was on its way
    assert [judgment.prompt_id for judgment in source.stored] == [lost.prompt.id]


def test_leases_are_renewed_while_somebody_works_slowly():
    source, clock = Source(numbered(20)), Seconds()
    state = RankingState(source, ahead=20, clock=clock)
    asked = []
    source.upcoming = lambda count: asked.append(count) or ListSource.upcoming(source, count)
    content = state.content
    for _ in range(3):
        clock.now += RENEW_SECONDS / 2
        act(state, "skip")
    assert asked == [18]
    assert state.content is content


def test_short_leases_are_renewed_thrice_in_their_time():
    source, clock = Source(numbered(20)), Seconds()
    source.lease_seconds = 60
    state = RankingState(source, ahead=20, clock=clock)
    before = source.calls.count("upcoming")
    clock.now += 19
    act(state, "skip")
    assert source.calls.count("upcoming") == before
    clock.now += 1
    act(state, "skip")
    assert source.calls.count("upcoming") == before + 1


def test_an_item_that_is_handed_out_twice_is_on_the_page_once():
    source = ListSource(numbered(2))
    source.items.append(source.items[0])
    assert len(keys(RankingState(source))) == 2


def test_how_many_to_have_ahead_is_left_to_the_source():
    asked = []
    source = Source(numbered(4))
    source.upcoming = lambda count: asked.append(count) or ListSource.upcoming(source, count)
    RankingState(source)
    RankingState(source, ahead=3)
    assert asked == [None, 3]


def test_keys_are_the_same_after_a_restart_and_of_one_lab_and_annotator():
    source = ListSource(numbered(3))
    first = RankingState(source)
    again = RankingState(source)
    assert keys(first) == keys(again)
    assert first.content["store_key"] == again.content["store_key"]
    for other in ({"annotator": "somebody else"}, {"secret": "of another lab"}):
        elsewhere = ListSource(source.items)
        vars(elsewhere).update(other)
        state = RankingState(elsewhere)
        assert not set(keys(state)) & set(keys(first))
        assert state.content["store_key"] != first.content["store_key"]


def test_the_same_candidates_in_another_order_are_another_item():
    one = numbered(1)[0]
    source = ListSource([one, replace(one, candidates=one.candidates[::-1])])
    assert len(set(keys(RankingState(source)))) == 2


def test_what_is_asked_again_starts_without_the_answer_of_the_first_time():
    source = Source(numbered(4))
    state = RankingState(source, ahead=4)
    key = state.view["current"]
    state.apply([event(state, ranks=[2, 1], comment="first")])
    act(state, "undo")
    state.apply([event(state, ranks=[2, 1], comment="first")])
    source.stored.clear()  # as if it were handed out once more
    state.refresh()
    again = next(shown for shown in state.content["items"] if shown["key"] == key)
    assert again["draft"] is None
    assert key not in state.view["answered"]


def test_a_secret_that_cannot_be_read_is_an_error_that_passes():
    class Locked(ListSource):
        failing = True

        @property
        def secret(self):
            if self.failing:
                raise OSError("read-only")
            return "secret"

        @secret.setter
        def secret(self, _value):
            pass

    source = Locked(numbered(2))
    state = RankingState(source)
    assert state.view["phase"] == "error"
    source.failing = False
    act(state, "refresh")
    assert state.view["phase"] == "ranking"
    assert state.content["store_key"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ahead": 0}, "ahead=0: at least 1"),
        ({"criteria": "helpful"}, "criteria='helpful': a list of names"),
        ({"criteria": ["a", "a"]}, "a name comes twice"),
        ({"flags": [" "]}, "' ' is no name"),
        ({"flags": [3]}, "3 is no name"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        RankingState(ListSource([]), **wrong)


def test_memory_of_a_long_sitting_is_bounded():
    source = Source(numbered(600))
    state = RankingState(source, ahead=8)
    for _ in range(600):
        act(state, "skip")
    assert state.done
    assert len(state._hand._known) <= 200 + 8
