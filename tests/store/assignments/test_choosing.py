"""Items by what they teach, the random share, and candidates among spare samples."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.choosing import in_random_share
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import ItemRow
from rlhf_lab.types import Ranking
from tests.store.assignments.sharing import LEASE, judge, judge_all, offer, take, text
from tests.store.helpers import NOON, fill, prompt, response

NAMES = [f"p{n:03}" for n in range(60)]


def by_text(store: PreferenceStore) -> dict[str, tuple[str, bool]]:
    """Name in the store of each item, and whether it is kept out of the choosing."""
    texts = {p.id: p.text for p in store.prompts()}
    return {texts[i.prompt_id]: (i.id, i.is_kept) for i in store.assignments.open_items()}


def prioritised(store: PreferenceStore, names: list[str] = NAMES, **plan) -> list[str]:
    """Items that teach the more the later their name comes; those not kept, best first."""
    offer(store, *names, strategy="informative", **plan)
    found = by_text(store)
    store.assignments.prioritise(None, {found[n][0]: 0.1 + i for i, n in enumerate(names)})
    return [n for n in reversed(names) if not found[n][1]]


def test_what_teaches_most_comes_first_and_kept_ones_by_chance(store):
    best_first = prioritised(store)
    seen = judge_all(store, "ann")
    assert sorted(seen) == NAMES  # every one once
    assert [n for n in seen if n in best_first] == best_first
    kept = [n for n in seen if n not in best_first]
    assert 4 <= len(kept) <= 20  # 12 on average
    assert kept not in (sorted(kept), sorted(kept, reverse=True))
    early = Counter(n in best_first for n in seen[:30])
    assert 1 <= early[False] <= 13  # a fifth of 30 on average


def test_the_random_share_is_told_by_the_judgment_alone(store, database):
    best_first = prioritised(store)
    judge_all(store, "ann", most=40)
    with PreferenceStore(database) as other:
        texts = {p.id: p.text for p in other.prompts()}
        for judgment in other.judgments():
            kept = in_random_share(judgment.prompt_id, judgment.shown_order)
            assert kept == (texts[judgment.prompt_id] not in best_first)


def test_priorities_change_nothing_of_which_of_the_share_come_in_which_order(store, tmp_path):
    best_first = prioritised(store)
    kept = [n for n in judge_all(store, "ann", most=40) if n not in best_first]
    with PreferenceStore(tmp_path / "other.db") as other:
        offer(other, *NAMES, strategy="informative")
        found = by_text(other)
        other.assignments.prioritise(None, {found[n][0]: 1 / (1 + i) for i, n in enumerate(NAMES)})
        again = [n for n in judge_all(other, "ann", most=40) if n not in best_first]
    assert kept == again


def test_held_out_prompts_are_never_chosen_for_what_they_teach(store):
    held = [prompt(f"h{n}", split="heldout") for n in range(20)]
    store.add_prompts(held)
    store.add_responses(response(p, n) for p in held for n in range(2))
    prioritised(store)
    assert all(kept for name, (_, kept) in by_text(store).items() if name.startswith("h"))
    seen = judge_all(store, "ann", most=40)
    assert 2 <= sum(name.startswith("h") for name in seen) <= 15  # 8 on average


def test_a_queue_may_have_another_strategy_than_the_plan(store):
    best_first = prioritised(store)
    assert judge_all(store, "bob", most=3, strategy="random") == NAMES[:3]
    store.assignments.plan = AssignmentPlan(lease_seconds=LEASE)
    assert judge_all(store, "cat", most=3) == NAMES[:3]
    seen = judge_all(store, "dan", most=10, strategy="informative")
    assert [n for n in seen if n in best_first] == best_first[: sum(n in best_first for n in seen)]
    with pytest.raises(ConfigError, match="strategy='best'"):
        store.assignments.next_item("ann", strategy="best")
    with pytest.raises(ConfigError, match="strategy='best'"):
        AssignmentPlan(strategy="best")


def test_leases_and_overlap_hold_whatever_the_strategy(store, clock):
    best_first = prioritised(store, overlap=1)
    mine = [text(i) for i in store.assignments.upcoming("ann", None, 5)]
    theirs = [text(i) for i in store.assignments.upcoming("bob", None, 60)]
    assert sorted(mine + theirs) == NAMES  # nothing is in two hands
    assert [n for n in mine if n in best_first] == best_first[: sum(n in best_first for n in mine)]
    judge(store, "ann", take(store, "ann"))
    back = store.assignments.undo("ann")
    assert text(take(store, "ann")) == text(back) == mine[0]


def test_new_priorities_replace_those_of_before(store):
    prioritised(store)
    found = by_text(store)
    chosen = next(n for n in NAMES if not found[n][1])
    store.assignments.prioritise("policy@0", {found[chosen][0]: 0.5})
    with store.database.read() as session:
        rows = {r.id: r.priority for r in session.scalars(select(ItemRow))}
    assert rows.pop(found[chosen][0]) == 0.5
    assert set(rows.values()) == {0.0}


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_what_is_no_amount_of_information_is_refused(store, wrong):
    prioritised(store, NAMES[:3])
    with pytest.raises(ConfigError, match="0 or more, in nats"):
        store.assignments.prioritise(None, {by_text(store)["p000"][0]: wrong})


def test_open_items_have_the_rankings_that_count(store):
    offer(store, "a", "b")
    item = take(store, "ann")
    said = judge(store, "ann", item)
    judge(store, "bob", take(store, "bob"))
    store.assignments.undo("bob")
    found = {i.prompt_id: i for i in store.assignments.open_items("policy@0")}
    assert found[item.prompt.id].rankings == (said.ranking,)
    assert isinstance(said.ranking, Ranking)
    assert found[prompt("b").id].rankings == ()
    assert store.assignments.open_items("policy@1") == []


def test_spare_samples_are_offered_once_they_are_chosen(store):
    one = prompt("one")
    store.add_prompts([one])
    store.add_responses(response(one, n, purpose="spare") for n in range(4))
    fill(store, "two")
    assert store.assignments.offer() == 1  # the mark is now past the samples
    assert store.assignments.make_candidates(["one-1", "one-3"]) == 2
    assert store.assignments.offer() == 1
    shown = {
        text(i): {c.id for c in i.candidates} for i in store.assignments.upcoming("ann", None, 9)
    }
    assert shown["one"] == {"one-1", "one-3"}
    assert store.assignments.make_candidates(["one-1"]) == 0
    assert [r.purpose for r in store.responses(one.id)] == [
        "spare", "candidate", "spare", "candidate",
    ]  # fmt: skip


def test_only_samples_can_be_made_candidates(store):
    fill(store, "one")
    store.add_responses([response(prompt("one"), 7, purpose="evaluation", created_at=NOON)])
    with pytest.raises(StoreError, match="'one-7' is evaluation"):
        store.assignments.make_candidates(["one-0", "one-7"])
    with pytest.raises(StoreError, match="'nope' is not stored"):
        store.assignments.make_candidates(["nope"])
