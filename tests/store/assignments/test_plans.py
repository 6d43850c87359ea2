"""What is offered, and what a plan may ask for."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from rlhf_lab.errors import ConfigError, JudgmentError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import AssignmentRow, ItemRow
from rlhf_lab.types import Judgment, Ranking
from tests.store.assignments.sharing import (
    item_rows,
    judge,
    judge_all,
    make_gold,
    occasions,
    offer,
    take,
    take_and_judge,
    text,
)
from tests.store.helpers import fill, prompt, response


def test_offering_again_adds_only_what_was_answered_since(store):
    fill(store, "a", "b")
    assert store.assignments.offer("policy@0") == 2
    assert store.assignments.offer("policy@0") == 0
    assert store.assignments.offer() == 0
    fill(store, "c", responses=1)
    assert store.assignments.offer() == 0  # one answer is nothing to compare
    store.add_responses([response(prompt("c"), 1), response(prompt("c"), 2, purpose="evaluation")])
    store.add_responses(response(prompt("a"), n, version="policy@1") for n in (5, 6))
    assert store.assignments.offer("policy@1") == 1
    assert store.assignments.offer() == 1
    assert store.assignments.offer("policy@0") == 0
    assert sorted(item_rows(store)) == ["a", "b", "c"]


def test_a_larger_item_retires_the_smaller_one_even_in_hand(store):
    offer(store, "a", overlap=1)
    small = take(store, "ann")
    store.add_responses([response(prompt("a"), 2)])
    assert store.assignments.offer() == 1
    large = take(store, "ann")
    assert len(large.candidates) == 3
    judge(store, "ann", small)  # sent from a page that was still open
    assert len(store.judgments()) == 1
    assert item_rows(store) == {"a2": ("retired", 1), "a": ("open", 0)}
    assert take(store, "ann") == large
    assert store.assignments.undo("ann") == small
    assert take(store, "ann") == large


def test_a_known_answer_is_not_retired(store):
    offer(store, "a")
    make_gold(store, "a")
    store.add_responses([response(prompt("a"), 2)])
    store.assignments.offer()
    with store.database.read() as session:
        assert sorted(session.scalars(select(ItemRow.state))) == ["gold", "open"]


def test_a_changed_plan_opens_and_closes_items(store):
    offer(store, "a", "b", overlap=1)
    for _ in "ab":
        take_and_judge(store, "ann")
    assert store.assignments.next_item("bob") is None
    store.assignments.plan = AssignmentPlan(overlap=2)
    assert item_rows(store) == {"a": ("open", 1), "b": ("open", 1)}
    take_and_judge(store, "bob")
    store.assignments.plan = AssignmentPlan()
    assert text(take(store, "cat")) == "a"
    store.assignments.plan = AssignmentPlan(overlap=1)
    assert item_rows(store) == {"a": ("full", 2), "b": ("full", 1)}
    judge(store, "cat", take(store, "cat"))  # what she had in hand is hers
    assert occasions(store, "cat") == ["regular"]
    assert store.assignments.next_item("cat") is None


def test_every_process_sees_the_same_plan(store, database):
    plan = AssignmentPlan(overlap=3, shuffled=True, gold_rate=0.1, lease_seconds=5)
    store.assignments.plan = plan
    with PreferenceStore(database) as other:
        assert other.assignments.plan == plan


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"overlap": 0}, "overlap=0: at least 1"),
        ({"gold_rate": 0.6, "repeat_rate": 0.4}, "together below 1"),
        ({"gold_rate": float("nan")}, "gold_rate=nan"),
        ({"repeat_rate": -0.1}, "0 or more"),
        ({"repeat_after": 0}, "repeat_after=0"),
        ({"lease_seconds": 0}, "lease_seconds=0: above 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        AssignmentPlan(**wrong)


def test_only_rankings_that_count_and_were_offered_can_be_known_answers(store):
    offer(store, "a", "b")
    _, judgment = take_and_judge(store, "ann")
    skipped = judge(store, "ann", take(store, "ann"), kind="skip")
    store.assignments.undo("ann")
    store.assignments.undo("ann")
    for name in (judgment.id, skipped.id, "nope"):
        with pytest.raises(JudgmentError, match=f"'{name}' is not a ranking that counts"):
            store.assignments.make_gold([name])
    fill(store, "c")
    shown = ("c-0", "c-1")
    never = Judgment(
        id="never", prompt_id=prompt("c").id, annotator="ann", shown_order=shown,
        ranking=Ranking(tiers=(shown,)),
    )  # fmt: skip
    store.submit(never)
    with pytest.raises(JudgmentError, match="'never' ranks responses that were never offered tog"):
        store.assignments.make_gold(["never"])


def test_what_was_ranked_before_it_was_offered_is_not_asked_again(store):
    fill(store, "a", "b")
    shown = ("a-0", "a-1")
    store.submit(
        Judgment(
            id="early", prompt_id=prompt("a").id, annotator="ann", shown_order=shown,
            ranking=Ranking(tiers=(shown,)),
        )
    )  # fmt: skip
    store.assignments.offer()
    assert item_rows(store) == {"a": ("open", 1), "b": ("open", 0)}
    assert judge_all(store, "ann") == ["b"]
    with store.database.read() as session:
        assert session.scalar(select(AssignmentRow.judgment_id).limit(1)) == "early"


@pytest.mark.parametrize("seconds", [0, -1, 1e12, float("inf"), float("nan")])
def test_a_lease_no_calendar_holds_is_refused(seconds):
    with pytest.raises(ConfigError, match="at most 31536000, a year"):
        AssignmentPlan(lease_seconds=seconds)
