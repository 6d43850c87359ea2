"""Ranking and comparing by one person: each takes back what was said there, and what is meant."""

from __future__ import annotations

from rlhf_lab.annotators import ComparisonQueue
from rlhf_lab.store import taking_back
from rlhf_lab.types import RankingItem, Version
from tests.store.assignments.sharing import judge, offer, take, take_and_judge
from tests.store.helpers import prompt, response

OLD, NEW = "policy@0", "policy@1"


def two_versions(store, *texts: str) -> None:
    """Items of `policy@0`, and one answer of `policy@1` to each of their prompts."""
    offer(store, *texts)
    store.add_version(Version(name=OLD, parent=None, path=OLD))
    store.add_version(Version(name=NEW, parent=OLD, path=NEW))
    store.add_responses(response(prompt(text), 7, version=NEW) for text in texts)


def comparing(store, who: str = "ann") -> ComparisonQueue:
    return ComparisonQueue(store, (NEW, OLD), annotator=who, split=None)


def compare(store, pairs: ComparisonQueue) -> RankingItem:
    [pair] = pairs.waiting(1)
    judge(store, "ann", pair)
    return pair


def test_an_undo_of_rankings_leaves_comparisons_and_theirs_leaves_rankings(store):
    two_versions(store, "a", "b")
    pairs = comparing(store)
    first, _ = take_and_judge(store, "ann")
    compared = compare(store, pairs)
    assert store.assignments.undo("ann") == first
    assert store.assignments.undo("ann") is None
    assert pairs.report().done == 1
    assert pairs.undo() == compared
    assert pairs.undo() is None


def test_rankings_are_found_behind_any_number_of_comparisons(store, monkeypatch):
    monkeypatch.setattr(taking_back, "_PAGE", 2)
    two_versions(store, *"abcdef")
    pairs = comparing(store)
    first, _ = take_and_judge(store, "ann")
    for _ in range(6):
        compare(store, pairs)
    assert pairs.waiting(1) == []
    assert store.assignments.undo("ann") == first


def test_a_redo_is_not_in_the_way_of_what_was_said_elsewhere(store):
    two_versions(store, "a", "b")
    pairs = comparing(store)
    first, _ = take_and_judge(store, "ann")
    compared = compare(store, pairs)
    store.assignments.undo("ann")
    pairs.undo()
    # Each said something more, elsewhere for the other.
    assert store.assignments.redo("ann") == first
    assert pairs.redo() == compared
    store.assignments.undo("ann")
    compare(store, pairs)
    assert store.assignments.redo("ann") == first
    pairs.undo()
    judge(store, "ann", take(store, "ann"))
    assert pairs.redo() is not None


def test_a_redo_brings_back_only_what_was_undone_there(store):
    two_versions(store, "a")
    pairs = comparing(store)
    compare(store, pairs)
    pairs.undo()
    assert store.assignments.redo("ann") is None
    take_and_judge(store, "ann")
    store.assignments.undo("ann")
    assert pairs.redo() is not None
    assert pairs.redo() is None


def test_what_was_undone_is_not_brought_back_after_something_else_was_said_there(store):
    two_versions(store, "a", "b", "c")
    take_and_judge(store, "ann")
    store.assignments.undo("ann")  # of a
    judge(store, "ann", take(store, "ann"))
    second, _ = take_and_judge(store, "ann")
    assert store.assignments.undo("ann") == second
    assert store.assignments.redo("ann") == second
    assert store.assignments.redo("ann") is None


def test_an_undo_meant_for_one_judgment_takes_back_no_other(store):
    offer(store, "a", "b")
    first, one = take_and_judge(store, "ann")
    _, two = take_and_judge(store, "ann")
    assert store.assignments.undo("ann", of=one.id) is None
    assert store.assignments.undo("ann", of="never stored") is None
    assert store.judgments() == [one, two]
    store.assignments.undo("ann", of=two.id, submission="u2")
    assert store.assignments.undo("ann", of=one.id, submission="u1") == first
    assert store.judgments() == []
    # Sent again it is the same act, whatever is the latest by now.
    assert store.assignments.undo("ann", of=one.id, submission="u1") == first


def test_a_redo_meant_for_one_judgment_brings_back_no_other(store):
    offer(store, "a", "b")
    _, one = take_and_judge(store, "ann")
    second, two = take_and_judge(store, "ann")
    store.assignments.undo("ann", submission="u1")
    assert store.assignments.redo("ann", of=one.id) is None
    assert store.judgments() == [one]
    assert store.assignments.redo("ann", of=two.id) == second
    assert store.judgments() == [one, two]
    store.assignments.undo("ann", submission="u2")
    assert store.assignments.redo("ann", of="u1") is None
    assert store.assignments.redo("ann", of="u2") == second
    assert store.judgments() == [one, two]


def test_which_acts_are_stored_is_known_of_each_person(store):
    offer(store, "a", "b")
    _, one = take_and_judge(store, "ann")
    store.assignments.undo("ann", submission="u1")
    ids = [one.id, "u1", "never"]
    assert store.assignments.known("ann", ids) == {one.id, "u1"}
    assert store.assignments.known("bob", ids) == set()
    assert store.assignments.known("ann", []) == set()
