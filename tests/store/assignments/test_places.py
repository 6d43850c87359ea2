"""Who has an item in hand, and for how long."""

from __future__ import annotations

import itertools
from collections import Counter

from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.types import Progress
from tests.store.assignments.sharing import LEASE, judge, offer, take, text


def test_an_item_in_hand_is_the_same_until_it_is_judged(store, clock):
    offer(store, "a", "b")
    first = take(store, "ann")
    assert text(first) == "a"
    clock.advance(LEASE - 1)
    assert take(store, "ann") == first
    judge(store, "ann", first)
    assert text(take(store, "ann")) == "b"


def test_a_place_in_somebodys_hands_is_nobody_elses(store):
    offer(store, "a", "b", overlap=1)
    assert text(take(store, "ann")) == "a"
    assert text(take(store, "bob")) == "b"
    assert store.assignments.next_item("cat") is None


def test_a_lease_that_ran_out_gives_the_place_to_somebody_else(store, clock):
    offer(store, "a", "b", overlap=1)
    assert text(take(store, "ann")) == "a"
    clock.advance(LEASE)
    assert text(take(store, "bob")) == "a"
    assert text(take(store, "ann")) == "b"  # her place is gone, so she gets another


def test_whoever_is_back_before_anybody_took_the_place_goes_on_with_it(store, clock):
    offer(store, "a", "b", overlap=1)
    item = take(store, "ann")
    clock.advance(10 * LEASE)
    assert take(store, "ann") == item
    assert text(take(store, "bob")) == "b"


def test_asking_again_renews_the_lease(store, clock):
    offer(store, "a", overlap=1)
    for _ in range(3):
        assert text(take(store, "ann")) == "a"
        clock.advance(LEASE - 1)
    assert store.assignments.next_item("bob") is None


def test_items_go_to_as_many_as_the_plan_wants_and_to_nobody_twice(store):
    offer(store, *"abcdef", overlap=2, shuffled=True)
    people = ["ann", "bob", "cat"]
    seen: dict[str, list[str]] = {who: [] for who in people}
    for who in itertools.islice(itertools.cycle(people), 30):
        item = store.assignments.next_item(who)
        if item is not None:
            judge(store, who, item)
            seen[who].append(item.prompt.text)
    assert Counter(itertools.chain(*seen.values())) == dict.fromkeys("abcdef", 2)
    assert all(len(set(theirs)) == len(theirs) for theirs in seen.values())
    assert all(store.assignments.next_item(who) is None for who in people)


def test_leave_ranked_leaves_out_what_anybody_ranked_and_not_what_they_look_at(store):
    offer(store, "a", "b", "c")
    judge(store, "ann", take(store, "ann"))
    assert text(take(store, "ann")) == "b"
    assert text(store.assignments.next_item("rubric", leave_ranked=True)) == "b"
    assert store.assignments.progress("rubric", leave_ranked=True) == Progress(done=0, total=2)


def test_leave_ranked_keeps_the_places_of_a_plan(store):
    offer(store, "a", "b", "c")
    store.assignments.plan = AssignmentPlan(overlap=1)
    judge(store, "ann", take(store, "ann"))
    assert text(take(store, "ann")) == "b"
    assert text(store.assignments.next_item("rubric", leave_ranked=True)) == "c"
