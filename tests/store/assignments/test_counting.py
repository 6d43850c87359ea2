"""Which judgments fill the places of an item."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import PreferenceStore, events
from rlhf_lab.types import Judgment, Ranking, RankingItem
from tests.store.assignments.sharing import (
    LEASE,
    item_rows,
    judge,
    make_gold,
    occasions,
    offer,
    take,
    take_and_judge,
    text,
)
from tests.store.helpers import NOON, fill, prompt, response


def test_a_late_judgment_is_kept_but_is_one_too_many(store, clock):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    clock.advance(LEASE)
    judge(store, "bob", take(store, "bob"))
    late = judge(store, "ann", item)
    assert [j.occasion for j in store.judgments()] == ["regular", "extra"]
    assert store.judgments(annotator="ann")[0].ranking == late.ranking
    assert item_rows(store) == {"a": ("full", 1)}
    assert store.assignments.next_item("ann") is None
    assert store.assignments.undo("ann") == item
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_late_judgment_whose_place_is_still_free_counts(store, clock):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    clock.advance(10 * LEASE)
    judge(store, "ann", item)
    assert occasions(store, "ann") == ["regular"]
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_judgment_nobody_asked_for_is_extra_while_others_hold_the_place(store):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    judge(store, "bob", item)
    judge(store, "ann", item)
    assert occasions(store, "bob") == ["extra"]
    assert occasions(store, "ann") == ["regular"]
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_skip_gives_the_place_to_somebody_else(store):
    offer(store, "a", overlap=1)
    judge(store, "ann", take(store, "ann"), kind="skip")
    assert item_rows(store) == {"a": ("open", 0)}
    assert store.assignments.next_item("ann") is None
    judge(store, "bob", take(store, "bob"))
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_correction_counts_once_and_stays_what_it_was_asked_for(store):
    offer(store, "a", "b", overlap=2, gold_rate=0.9)
    make_gold(store, "b")
    for _ in range(2):
        item, judgment = take_and_judge(store, "ann")
        reverse = Ranking(tiers=tuple(reversed(judgment.ranking.tiers)))
        judge(store, "ann", item, ranking=reverse, supersedes=judgment.id)
    assert sorted(occasions(store, "ann")) == ["gold", "regular"]
    assert item_rows(store)["a"] == ("open", 1)
    assert store.assignments.next_item("ann") is None


def test_a_ranking_corrected_into_a_skip_gives_its_place_back(store):
    offer(store, "a", overlap=1)
    item, judgment = take_and_judge(store, "ann")
    judge(store, "ann", item, kind="skip", supersedes=judgment.id)
    assert item_rows(store) == {"a": ("open", 0)}
    assert text(take(store, "bob")) == "a"


def test_rankings_of_several_people_stored_at_once_are_noted_for_each(store):
    offer(store, "a", "b", overlap=3)
    shown = ("a-0", "a-1")
    said = [
        Judgment(
            id=f"import-{who}", prompt_id=prompt("a").id, annotator=who, shown_order=shown,
            ranking=Ranking(tiers=(shown,)),
        )
        for who in ("ann", "bob")
    ]  # fmt: skip
    with store.database.write() as session:
        events.append_many(session, said, NOON)
    assert item_rows(store)["a"] == ("open", 2)
    assert [text(take(store, who)) for who in ("ann", "bob", "cat")] == ["b", "b", "a"]


def full_without(store: PreferenceStore, who: str) -> RankingItem:
    """One item of three places: `who` skips it, three others rank it."""
    offer(store, "a", overlap=3)
    item = take(store, who)
    judge(store, who, item, kind="skip", id="skip")
    for other in ("bob", "cat", "dan"):
        judge(store, other, take(store, other))
    return item


def regular(store: PreferenceStore) -> int:
    return sum(j.occasion == "regular" for j in store.judgments())


def test_undoing_a_skip_gives_no_place_that_others_have_taken(store):
    item = full_without(store, "ann")
    store.assignments.undo("ann")
    assert store.assignments.next_item("ann") is None
    judge(store, "ann", item)
    assert (regular(store), len(store.judgments())) == (3, 4)


def test_a_ranking_instead_of_a_skip_is_extra_once_the_places_are_taken(store):
    item = full_without(store, "ann")
    judge(store, "ann", item, supersedes="skip")
    assert (regular(store), len(store.judgments())) == (3, 4)


def test_a_redo_is_refused_when_others_have_taken_the_place(store, clock):
    offer(store, "a", overlap=2)
    for who in ("ann", "bob"):
        judge(store, who, take(store, who))
    store.assignments.undo("ann")
    clock.advance(LEASE + 1)
    judge(store, "cat", take(store, "cat"))
    with pytest.raises(JudgmentError, match="others have ranked the item"):
        store.assignments.redo("ann")
    assert regular(store) == 2


def test_a_redo_is_refused_while_others_have_the_places_in_hand(store, clock):
    offer(store, "a", overlap=2)
    item, _ = take_and_judge(store, "ann")
    store.assignments.undo("ann")
    clock.advance(LEASE + 1)
    in_hand = {who: take(store, who) for who in ("bob", "cat")}
    with pytest.raises(JudgmentError, match="or have it in hand, and it needs no more rankings"):
        store.assignments.redo("ann")
    assert store.judgments() == []
    for who, theirs in in_hand.items():
        assert theirs.prompt == item.prompt
        judge(store, who, theirs)
    assert item_rows(store) == {"a": ("full", 2)}
    assert regular(store) == 2


def test_a_redo_takes_a_place_that_others_leave(store, clock):
    offer(store, "a", overlap=2)
    item, judgment = take_and_judge(store, "ann")
    store.assignments.undo("ann")
    clock.advance(LEASE + 1)
    for who in ("bob", "cat"):
        take(store, who)
    clock.advance(LEASE + 1)
    judge(store, "bob", take(store, "bob"))  # and the lease of cat has run out
    assert store.assignments.redo("ann") == item
    assert judgment in store.judgments()
    assert item_rows(store) == {"a": ("full", 2)}


def test_offering_many_items_costs_as_much_for_each(tmp_path):
    """A batch of prompts must not go through all that their version ever said."""

    def steps(prompts: int) -> int:
        counted = 0

        def count() -> None:
            nonlocal counted
            counted += 1

        with PreferenceStore(tmp_path / f"{prompts}.db") as store:
            fill(store, *(f"question {n}" for n in range(prompts)))
            event.listen(
                store.database.engine,
                "checkout",
                lambda connection, *_: connection.set_progress_handler(count, 1000),
            )
            assert store.assignments.offer("policy@0") == prompts
        return counted

    few, many = steps(1_500), steps(6_000)
    assert few > 0
    assert many < 5 * few  # four times the items


def test_what_is_given_back_goes_to_others_at_once(store):
    offer(store, "a", "b", overlap=1)
    held = store.assignments.upcoming("ann", None, 2)
    assert store.assignments.next_item("bob") is None
    judge(store, "ann", held[0])
    assert store.assignments.give_back("ann") == 1
    assert text(store.assignments.next_item("bob")) == "b"
    assert store.assignments.give_back("ann") == 0
    assert [j.annotator for j in store.judgments()] == ["ann"]


def test_what_is_ranked_is_of_the_present_version_or_of_the_newest_that_has_any(store):
    offer(store, "a")
    assert store.assignments.version_to_rank("policy@0") == "policy@0"
    assert store.assignments.version_to_rank("policy@7") == "policy@0"
    store.add_responses(response(prompt("a"), n, version="policy@7") for n in (5, 6))
    assert store.assignments.version_to_rank("policy@7") == "policy@7"
    assert store.assignments.version_to_rank("policy@0") == "policy@0"


def test_without_items_the_present_version_is_what_would_be_ranked(store):
    assert store.assignments.version_to_rank("policy@3") == "policy@3"
