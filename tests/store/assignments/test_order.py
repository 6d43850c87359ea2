"""What comes next: the order, known answers, repeats."""

from __future__ import annotations

from collections import Counter

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.types import Progress
from tests.store.assignments.sharing import (
    judge,
    judge_all,
    make_gold,
    occasions,
    offer,
    take,
    take_and_judge,
    text,
)
from tests.store.helpers import fill


def test_the_order_is_that_of_offering_unless_the_plan_shuffles(store):
    offer(store, *"zyxw")
    assert judge_all(store, "ann") == list("zyxw")


def test_everybody_has_an_order_of_their_own_that_is_always_the_same(store, tmp_path):
    letters = "abcdefghijkl"
    offer(store, *letters, shuffled=True)
    orders = {who: judge_all(store, who) for who in ("ann", "bob")}
    assert sorted(orders["ann"]) == sorted(orders["bob"]) == list(letters)
    assert orders["ann"] != orders["bob"] != list(letters)
    with PreferenceStore(tmp_path / "again.db") as other:
        offer(other, *letters, shuffled=True)
        assert judge_all(other, "bob") == orders["bob"]
        assert judge_all(other, "ann", seed=1) != orders["ann"]


def test_a_known_answer_from_the_end_does_not_make_them_skip_what_comes_before_it(store):
    offer(store, *"abcdefgh", gold_rate=0.5)
    make_gold(store, "h")
    seen = judge_all(store, "ann")
    assert "h" in seen[:-1]
    assert [t for t in seen if t != "h"] == list("abcdefg")


def test_known_answers_come_at_the_plans_rate(store):
    names = [f"p{n:03}" for n in range(110)]
    offer(store, *names, gold_rate=0.25)
    make_gold(store, *names[:40])
    judge_all(store, "ann", most=80)
    found = Counter(occasions(store, "ann"))
    assert found.keys() == {"gold", "regular"}
    assert 12 <= found["gold"] <= 28  # 20 on average


def test_without_known_answers_left_regular_items_come(store):
    offer(store, *"abcdef", gold_rate=0.9)
    make_gold(store, "a")
    assert sorted(judge_all(store, "ann")) == list("abcdef")
    assert Counter(occasions(store, "ann")) == {"regular": 5, "gold": 1}
    assert store.assignments.progress("ann") == Progress(done=6, total=6)


def test_what_was_judged_before_its_answer_was_known_is_not_asked_again(store):
    offer(store, "a", "b", gold_rate=0.9)
    judge(store, "ann", take(store, "ann"))
    make_gold(store, "a")
    assert judge_all(store, "ann") == ["b"]


def test_an_answer_in_hand_when_it_becomes_known_counts_as_known(store):
    offer(store, "a")
    item = take(store, "ann")
    make_gold(store, "a")
    assert take(store, "ann") == item
    judge(store, "ann", item)
    assert occasions(store, "ann") == ["gold"]
    assert store.assignments.next_item("ann") is None


def test_a_judgment_taken_back_and_given_again_after_the_answer_is_known_is_one(store):
    offer(store, "a", "b", gold_rate=0.9)
    item = take(store, "ann")
    judge(store, "ann", item)
    make_gold(store, "a")
    assert store.assignments.undo("ann") == item
    judge(store, "ann", take(store, "ann"))
    assert text(take(store, "ann")) == "b"
    assert occasions(store, "ann") == ["gold"]


def test_a_repeated_item_has_been_followed_by_enough_others(store):
    names = [f"p{n:02}" for n in range(40)]
    offer(store, *names, repeat_rate=0.4, repeat_after=5)
    seen = judge_all(store, "ann", most=40)
    counted = Counter(seen)
    repeated = [t for t, times in counted.items() if times == 2]
    assert set(counted.values()) == {1, 2}
    assert 8 <= len(repeated) <= 24  # 16 of 40 on average, but for the first five
    for each in repeated:
        first, second = (n for n, t in enumerate(seen) if t == each)
        assert second - first > 5
    assert Counter(occasions(store, "ann"))["repeat"] == len(repeated)
    done = store.assignments.progress("ann")
    assert done == Progress(done=len(counted), total=40)


def test_a_repeated_item_is_shown_in_another_order(store):
    fill(store, "a", "b", responses=6)
    store.assignments.offer()
    store.assignments.plan = AssignmentPlan(repeat_rate=0.9, repeat_after=1)
    shown: dict[str, list[tuple[str, ...]]] = {"a": [], "b": []}
    while (item := store.assignments.next_item("ann")) is not None:
        shown[item.prompt.text].append(tuple(c.id for c in item.candidates))
        judge(store, "ann", item)
    assert len(shown["a"]) == 2
    assert sorted(shown["a"][0]) == sorted(shown["a"][1])
    assert shown["a"][0] != shown["a"][1]


def test_skipped_items_are_not_repeated(store):
    offer(store, *"abcdef", repeat_rate=0.9, repeat_after=1)
    seen = []
    while (item := store.assignments.next_item("ann")) is not None:
        judge(store, "ann", item, kind="skip")
        seen.append(item.prompt.text)
    assert seen == list("abcdef")


def test_what_was_judged_again_a_moment_ago_is_not_repeated_now(store):
    offer(store, *"abcd", repeat_rate=0.99, repeat_after=3)
    first, second, third = (take_and_judge(store, "ann") for _ in range(3))
    judge(store, "ann", first[0], supersedes=first[1].id)  # now the latest of the three
    take_and_judge(store, "ann")
    repeated = store.assignments.next_item("ann")
    assert text(repeated) == text(second[0])
    assert text(repeated) != text(third[0])
