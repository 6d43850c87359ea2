"""Undo and redo."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import Progress
from tests.store.assignments.sharing import (
    LEASE,
    item_rows,
    judge,
    judge_all,
    offer,
    take,
    take_and_judge,
    text,
)
from tests.store.helpers import fill, prompt, response


def test_undo_keeps_the_place_for_as_long_as_a_lease(store, clock):
    offer(store, "a", overlap=1)
    item, _ = take_and_judge(store, "ann")
    clock.advance(5 * LEASE)
    assert store.assignments.undo("ann") == item
    assert item_rows(store) == {"a": ("open", 0)}
    assert store.assignments.next_item("bob") is None
    assert take(store, "ann") == item
    clock.advance(LEASE)
    assert text(take(store, "bob")) == "a"


def test_redo_takes_back_the_undo_until_something_else_is_judged(store):
    offer(store, "a", "b")
    first, judgment = take_and_judge(store, "ann")
    assert store.assignments.redo("ann") is None
    assert store.assignments.undo("ann") == first
    assert store.judgments() == []
    assert store.assignments.redo("ann") == first
    assert [j.id for j in store.judgments()] == [judgment.id]
    assert store.assignments.redo("ann") is None
    store.assignments.undo("ann")
    judge(store, "ann", take(store, "ann"))
    assert store.assignments.redo("ann") is None
    assert text(take(store, "ann")) == "b"


def test_undo_and_redo_reach_sixty_deep_and_back_again(store):
    names = [f"p{n:02}" for n in range(60)]
    offer(store, *names, overlap=1)
    assert judge_all(store, "ann") == names
    kept = store.judgments()
    back = [text(store.assignments.undo("ann")) for _ in names]
    assert back == names[::-1]
    assert store.assignments.undo("ann") is None
    assert store.judgments() == []
    assert store.assignments.progress("ann") == Progress(done=0, total=60)
    forth = [text(store.assignments.redo("ann")) for _ in names]
    assert forth == names
    assert store.assignments.redo("ann") is None
    assert store.judgments() == kept
    assert set(item_rows(store).values()) == {("full", 1)}


def test_undo_of_a_correction_gives_what_it_corrected_back(store):
    offer(store, "a", overlap=1)
    item, judgment = take_and_judge(store, "ann")
    judge(store, "ann", item, kind="skip", supersedes=judgment.id)
    assert store.assignments.undo("ann") == item
    assert [j.id for j in store.judgments()] == [judgment.id]
    assert item_rows(store) == {"a": ("full", 1)}


def test_undo_and_redo_are_of_one_person_and_one_version(store):
    fill(store, "a")
    store.add_responses(response(prompt("a"), n, version="policy@1") for n in (7, 8))
    store.assignments.offer()
    old = take(store, "ann", version="policy@0")
    judge(store, "ann", old)
    new = take(store, "ann", version="policy@1")
    judge(store, "ann", new)
    assert store.assignments.undo("bob") is None
    assert store.assignments.undo("ann", "policy@0") == old
    assert store.assignments.undo("ann", "policy@0") is None
    assert store.assignments.redo("bob") is None
    assert store.assignments.redo("ann", "policy@1") is None
    assert store.assignments.redo("ann", "policy@0") == old
    assert len(store.judgments()) == 2


def test_an_undo_sent_twice_is_one_and_its_id_is_its_own(store):
    offer(store, "a", "b")
    take_and_judge(store, "ann")
    second, judgment = take_and_judge(store, "ann")
    for _ in range(2):
        assert store.assignments.undo("ann", submission="u1") == second
    assert len(store.judgments()) == 1
    for _ in range(2):
        assert store.assignments.redo("ann", submission="u2") == second
    assert len(store.judgments()) == 2
    with pytest.raises(JudgmentError, match=rf"'{judgment.id}' already holds a ranking by 'ann'"):
        store.assignments.undo("ann", submission=judgment.id)
    with pytest.raises(JudgmentError, match="'u1' already holds a undo by 'ann': make a new id"):
        store.assignments.undo("bob", submission="u1")


def test_a_correction_is_redone_in_an_item_that_has_all_its_rankings(store):
    offer(store, "a", overlap=1)
    item, first = take_and_judge(store, "ann")
    second = judge(store, "ann", item, comment="better", supersedes=first.id)
    store.assignments.undo("ann")
    assert store.judgments() == [first]
    store.assignments.redo("ann")
    assert store.judgments() == [second]
