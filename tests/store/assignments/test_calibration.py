"""The calibration set: which items, for whom, and what becomes of what is said of them."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import ConfigError
from rlhf_lab.store import CalibrationPlan, PreferenceStore, audit
from rlhf_lab.types import KnownItem, Progress, Ranking
from tests.store.assignments.sharing import (
    judge,
    make_gold,
    occasions,
    offer,
    take,
    text,
)
from tests.store.helpers import undo


def texts(known: list[KnownItem]) -> str:
    return "".join(one.item.prompt.text for one in known)


def learn(store: PreferenceStore, who: str, known: KnownItem, **changes):
    return judge(store, who, known.item, occasion="calibration", **changes)


def test_it_is_the_first_known_answers_for_whoever_has_not_given_them(store):
    offer(store, *"abcde")
    make_gold(store, *"dbce")
    store.assignments.calibration = CalibrationPlan(enabled=True, items=3)
    assert store.assignments.known_answers() == 4
    known = store.assignments.known_items("ann")
    assert texts(known) == "bcd"  # in the order of the items
    assert {one.answer for one in known} == {
        Ranking(tiers=((f"{name}-0", f"{name}-1"),)) for name in "bcd"
    }
    assert all(one.said is None for one in known)
    assert store.assignments.known_items("expert") == []


def test_each_sees_an_order_of_their_own_that_stays(store):
    offer(store, *"abcdefgh")
    make_gold(store, *"abcdefgh")
    orders = {
        who: [
            tuple(c.id for c in one.item.candidates)
            for one in store.assignments.known_items(who, seed=3)
        ]
        for who in ("ann", "bob", "ann")
    }
    assert orders["ann"] != orders["bob"]
    again = store.assignments.known_items("ann", seed=3)
    assert [tuple(c.id for c in one.item.candidates) for one in again] == orders["ann"]
    # As it would be shown if it were handed out unannounced.
    store.assignments.plan = store.assignments.plan.__class__(gold_rate=0.99)
    handed = take(store, "ann", seed=3)
    assert handed in [one.item for one in again]


def test_the_first_answer_counts_whatever_is_said_afterwards(store):
    offer(store, "a")
    make_gold(store, "a")
    [known] = store.assignments.known_items("ann")
    first = learn(store, "ann", known, ranking=Ranking(tiers=(("a-0",), ("a-1",))))
    later = learn(store, "ann", known, ranking=Ranking(tiers=(("a-0", "a-1"),)))
    assert [j.id for j in store.judgments(annotator="ann")] == [later.id]
    [known] = store.assignments.known_items("ann")
    assert known.said is not None
    assert (known.said.id, known.said.ranking) == (first.id, first.ranking)
    store.submit(undo("taken back", later))
    [known] = store.assignments.known_items("ann")
    assert known.said is not None
    assert known.said.id == first.id
    assert audit(store).ok


def test_it_is_shown_as_it_was_seen(store):
    offer(store, "a")
    make_gold(store, "a")
    [known] = store.assignments.known_items("ann")
    learn(store, "ann", known)
    [after] = store.assignments.known_items("ann", seed=77)
    assert after.item == known.item


def test_it_is_no_work_and_no_work_takes_it_back(store):
    offer(store, "a", "b")
    make_gold(store, "a")
    regular = judge(store, "ann", take(store, "ann"))
    before = store.assignments.progress("ann")
    assert before == Progress(done=1, total=1)
    [known] = store.assignments.known_items("ann")
    learn(store, "ann", known)
    assert store.assignments.progress("ann") == before
    assert occasions(store, "ann") == ["regular", "calibration"]
    assert store.assignments.next_item("ann") is None
    assert text(store.assignments.undo("ann")) == "b"
    assert store.assignments.undo("ann") is None
    assert text(store.assignments.redo("ann")) == "b"
    assert store.judgments(annotator="ann")[0] == regular
    assert audit(store).ok


@pytest.mark.parametrize("version", [None, "policy@0"])
def test_no_undo_of_ranking_reaches_it(store, version):
    offer(store, "a", "b")
    make_gold(store, "a")
    for known in store.assignments.known_items("ann"):
        learn(store, "ann", known)
    assert store.assignments.undo("ann", version) is None


def test_what_is_in_hand_as_a_test_becomes_a_lesson(store):
    offer(store, "a", gold_rate=0.9)
    make_gold(store, "a")
    assert text(take(store, "ann")) == "a"
    [known] = store.assignments.known_items("ann")
    learn(store, "ann", known)
    assert occasions(store, "ann") == ["calibration"]
    assert store.assignments.next_item("ann") is None
    assert audit(store).ok


def test_a_test_answered_before_is_not_asked_again(store):
    offer(store, "a", gold_rate=0.9)
    make_gold(store, "a")
    said = judge(store, "ann", take(store, "ann"))
    [known] = store.assignments.known_items("ann")
    assert known.said is not None
    assert (known.said.id, known.said.occasion) == (said.id, "gold")


def test_what_was_ranked_before_the_answer_was_known_is_left_out(store):
    offer(store, "a", "b")
    judge(store, "ann", take(store, "ann"))
    make_gold(store, "a", "b")
    assert texts(store.assignments.known_items("ann")) == "b"
    assert texts(store.assignments.known_items("bob")) == "ab"


def test_the_plan_is_kept_for_every_process(store, database):
    assert store.assignments.calibration == CalibrationPlan(enabled=False, items=10)
    store.assignments.calibration = CalibrationPlan(enabled=True, items=4)
    with PreferenceStore(database) as other:
        assert other.assignments.calibration == CalibrationPlan(enabled=True, items=4)


@pytest.mark.parametrize("items", [0, 201])
def test_a_set_of_no_size_is_refused(items):
    with pytest.raises(ConfigError, match=rf"items={items}: from 1 to 200"):
        CalibrationPlan(items=items)


def test_a_researcher_is_offered_their_own_rankings_the_latest_first(store):
    offer(store, *"abcde")
    said = {name: judge(store, "ada", take(store, "ada")) for name in "abc"}
    judge(store, "bob", take(store, "bob"))
    judge(store, "ada", take(store, "ada"), kind="skip")
    offered = store.assignments.rankings_to_know("ada", most=10)
    assert texts(offered) == "cba"
    assert [one.said for one in offered] == [said[name] for name in "cba"]
    assert [one.answer for one in offered] == [said[name].ranking for name in "cba"]
    assert texts(store.assignments.rankings_to_know("ada", most=1)) == "c"
    assert store.assignments.make_gold([said["b"].id]) == 1
    assert texts(store.assignments.rankings_to_know("ada", most=10)) == "ca"
    store.submit(undo("taken back", said["c"], annotator="ada"))
    assert texts(store.assignments.rankings_to_know("ada", most=10)) == "a"
