"""Several items handed out at once."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.tables import AssignmentRow
from tests.store.assignments.sharing import (
    LEASE,
    Clock,
    judge,
    make_gold,
    occasions,
    offer,
    take,
    text,
)


def ahead(store: PreferenceStore, who: str, count: int, version: str | None = None) -> list[str]:
    return [item.prompt.text for item in store.assignments.upcoming(who, version, count)]


def test_as_many_as_were_asked_for_are_in_hand_and_the_first_is_the_next(store):
    offer(store, *"abcdefgh")
    assert ahead(store, "ann", 3) == list("abc")
    assert ahead(store, "ann", 5) == list("abcde")
    assert ahead(store, "ann", 2) == list("ab")
    assert text(take(store, "ann")) == "a"
    assert ahead(store, "ann", 20) == list("abcdefgh")
    assert ahead(store, "ann", 0) == []


def test_what_was_judged_is_made_up_for(store):
    offer(store, *"abcdefgh")
    items = store.assignments.upcoming("ann", None, 4)
    judge(store, "ann", items[2])
    judge(store, "ann", items[0])
    assert ahead(store, "ann", 4) == list("bdef")


def test_an_item_is_the_same_however_many_are_asked_for(store):
    offer(store, *"abcdefgh", shuffled=True)
    [alone] = store.assignments.upcoming("ann", None, 1)
    together = store.assignments.upcoming("ann", None, 8)
    assert together[0] == alone
    assert [text(item) for item in together] == ahead(store, "ann", 8)
    with PreferenceStore(store.database.url.render_as_string(hide_password=False)) as other:
        assert other.assignments.upcoming("ann", None, 8) == together


def test_items_come_in_the_same_order_one_by_one_or_ahead(store, tmp_path):
    orders = []
    with PreferenceStore(tmp_path / "other.db") as other:
        for lab, count in ((store, 1), (other, 6)):
            offer(lab, *"abcdefghij", shuffled=True, gold_rate=0.3)
            make_gold(lab, "c", "d")
            seen = []
            while items := lab.assignments.upcoming("ann", None, count, seed=4):
                judge(lab, "ann", items[0])
                seen.append(items[0].prompt.text)
            orders.append(seen)
            assert set("abefghij") <= set(seen)
            assert Counter(occasions(lab, "ann"))["regular"] == 8
    assert orders[0] == orders[1]
    assert set(orders[0]) & set("cd")


def test_all_that_are_in_hand_are_nobody_elses(store, clock):
    offer(store, *"abcdef", overlap=1)
    assert ahead(store, "ann", 4) == list("abcd")
    assert ahead(store, "bob", 4) == list("ef")
    assert ahead(store, "cat", 4) == []
    clock.advance(LEASE)
    assert ahead(store, "cat", 1) == ["a"]
    assert ahead(store, "ann", 4) == list("bcde")  # which nobody took since


def test_leases_are_renewed_together_for_what_was_asked_for(store, clock):
    offer(store, *"abcd", overlap=1)
    assert ahead(store, "ann", 4) == list("abcd")
    for _ in range(3):
        clock.advance(LEASE - 1)
        assert ahead(store, "ann", 3) == list("abc")
    assert ahead(store, "bob", 4) == ["d"]


def test_a_part_of_what_was_in_hand_may_go_to_others(store, clock):
    offer(store, *"abcde", overlap=1)
    ahead(store, "ann", 4)
    clock.advance(LEASE)
    judge(store, "bob", take(store, "bob"))
    assert ahead(store, "bob", 2) == ["b", "c"]
    assert ahead(store, "ann", 4) == ["d", "e"]
    assert {j.occasion for j in store.judgments()} == {"regular"}


def test_what_was_taken_back_comes_first_and_stays_there(store, clock):
    offer(store, *"abcdef")
    items = store.assignments.upcoming("ann", None, 4)
    for item in (items[0], items[2], items[1]):
        clock.advance(1)
        judge(store, "ann", item)
    for expected in ("bdef", "cbdef", "acbdef"):
        clock.advance(1)
        store.assignments.undo("ann")
        assert "".join(ahead(store, "ann", 6)) == expected
        assert "".join(ahead(store, "ann", 6)) == expected
    judge(store, "ann", take(store, "ann"))
    assert "".join(ahead(store, "ann", 6)) == "cbdef"


def test_what_was_taken_back_comes_first_at_one_moment_too(store):
    offer(store, *"abcdef")
    for item in store.assignments.upcoming("ann", None, 4)[:2]:
        judge(store, "ann", item)
    ahead(store, "ann", 4)
    store.assignments.undo("ann")
    assert "".join(ahead(store, "ann", 4)) == "bcde"
    store.assignments.undo("ann")
    assert "".join(ahead(store, "ann", 4)) == "abcd"


def test_undo_tells_what_had_been_said(store):
    offer(store, "a")
    item = take(store, "ann")
    said = judge(store, "ann", item, comment="so", strength="negligibly")
    assert store.assignments.undo("ann", submission="u1").said == said
    assert store.assignments.undo("ann", submission="u1").said == said
    assert store.assignments.redo("ann").said == said
    assert store.assignments.next_item("ann") is None


def test_the_secret_is_one_for_a_lab_and_another_for_the_next(store, database, tmp_path):
    assert store.assignments.secret == store.assignments.secret
    assert len(store.assignments.secret) == 64
    with PreferenceStore(database) as again, PreferenceStore(tmp_path / "other.db") as other:
        assert again.assignments.secret == store.assignments.secret
        assert other.assignments.secret != store.assignments.secret


people = st.sampled_from(["ann", "bob", "cat"])
acts = st.lists(
    st.tuples(people, st.sampled_from(["ask", "rank", "skip", "undo", "away"]), st.integers(1, 6)),
    max_size=40,
)


@given(acts=acts, overlap=st.integers(1, 2))
@settings(max_examples=30, deadline=None)
def test_no_place_is_given_twice_whatever_people_do(tmp_path_factory, acts, overlap):
    clock = Clock()
    place = tmp_path_factory.mktemp("ahead") / "lab.db"
    with PreferenceStore(place, clock=clock) as store:
        offer(store, *"abcdefgh", overlap=overlap, shuffled=True)
        hands: dict[str, list] = {"ann": [], "bob": [], "cat": []}
        for who, kind, number in acts:
            if kind == "ask":
                hands[who] = store.assignments.upcoming(who, None, number)
                assert len({item.prompt.id for item in hands[who]}) == len(hands[who]) <= number
            elif kind == "undo":
                store.assignments.undo(who)
            elif kind == "away":
                clock.advance(number * LEASE / 4)
            elif hands[who]:
                item = hands[who].pop(number % len(hands[who]))
                judge(store, who, item, kind="ranking" if kind == "rank" else "skip")
            _check_places(store, clock, overlap)


def _check_places(store: PreferenceStore, clock: Clock, overlap: int) -> None:
    counted = [(j.prompt_id, j.annotator) for j in store.judgments() if j.occasion == "regular"]
    assert len(set(counted)) == len(counted)
    assert all(n <= overlap for n in Counter(prompt for prompt, _ in counted).values())
    with store.database.read() as session:
        rows = session.scalars(select(AssignmentRow)).all()
        leased = {
            (row.item_id, row.annotator)
            for row in rows
            if row.judgment_id is None and row.leased_until > clock.now
        }
    per_item = Counter(item for item, _ in leased)
    assert all(n <= overlap for n in itertools.chain(per_item.values(), [0]))


@pytest.mark.parametrize(("overlap", "handed_out"), [(None, 48), (1, 8), (3, 8)])
def test_fewer_are_handed_out_where_others_wait_for_them(store, overlap, handed_out):
    offer(store, *(f"p{n:02}" for n in range(50)), overlap=overlap)
    assert len(store.assignments.upcoming("ann", None, None)) == handed_out
    assert store.assignments.lease_seconds == LEASE
