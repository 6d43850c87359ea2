from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from rlhf_lab.annotators import RankingQueue, rank_all
from rlhf_lab.annotators.queue import submission_id
from rlhf_lab.store import AssignmentPlan, PreferenceStore
from rlhf_lab.types import (
    Judgment,
    Message,
    Progress,
    Prompt,
    Ranking,
    RankingItem,
    Response,
    Sampling,
)


def prompt(text: str) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),))


def response(to: Prompt, number: int, version: str = "policy@0", **changes) -> Response:
    return Response(
        id=f"{to.text}-{version}-{number}",
        prompt_id=to.id,
        text=f"answer {number}",
        token_ids=(number,),
        version=version,
        sampling=Sampling(),
        seed=number,
        end_reason="stop",
        **changes,
    )


@pytest.fixture
def store(database: Path | str) -> Iterator[PreferenceStore]:
    """Three prompts with four candidates each."""
    with PreferenceStore(database) as opened:
        prompts = [prompt(t) for t in "abc"]
        opened.add_prompts(prompts)
        opened.add_responses(response(p, n) for p in prompts for n in range(4))
        yield opened


class ByNumber:
    name = "by number"

    def __init__(self, fail_at: int | None = None):
        self.calls = 0
        self.fail_at = fail_at

    def rank(self, prompt: Prompt, candidates) -> Ranking:
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        return Ranking.from_ranks({c.id: c.seed for c in candidates})


def queue(store: PreferenceStore, annotator: str = "me", **changes) -> RankingQueue:
    return RankingQueue(store, annotator=annotator, **changes)


def judge(source: RankingQueue, item: RankingItem, kind: str = "ranking", tag: str = "") -> None:
    shown = tuple(c.id for c in item.candidates)
    source.submit(
        Judgment(
            id=submission_id(source.annotator, *shown, kind, tag),
            prompt_id=item.prompt.id,
            annotator=source.annotator,
            kind=kind,
            shown_order=shown,
            ranking=ByNumber().rank(item.prompt, item.candidates) if kind == "ranking" else None,
        )
    )


def all_items(store: PreferenceStore, annotator: str = "me", **changes) -> list[RankingItem]:
    """What a queue would show, one after the other; each is skipped and the skips taken back."""
    ours = queue(store, annotator, **changes)
    found = []
    while (item := ours.next_item()) is not None:
        found.append(item)
        judge(ours, item, kind="skip", tag=str(uuid4()))
    for _ in found:
        ours.undo()
    return found


def test_the_same_item_is_shown_until_it_is_judged(store: PreferenceStore):
    ours = queue(store)
    item = ours.next_item()
    assert item.prompt.text == "a"
    assert {c.seed for c in item.candidates} == {0, 1, 2, 3}
    assert ours.next_item() == item
    assert queue(store).next_item() == item
    assert ours.progress() == Progress(done=0, total=3)
    judge(ours, item)
    assert ours.next_item().prompt.text == "b"
    assert queue(store).progress() == Progress(done=1, total=3)


def test_skipped_items_do_not_come_back(store: PreferenceStore):
    ours = queue(store)
    judge(ours, ours.next_item(), kind="skip")
    assert ours.next_item().prompt.text == "b"
    assert ours.progress() == Progress(done=1, total=3)


def test_the_end_of_the_queue_is_none(store: PreferenceStore):
    ours = queue(store)
    assert rank_all(ours, ByNumber()) == 3
    assert ours.next_item() is None
    assert ours.progress() == Progress(done=3, total=3)


def test_annotators_do_not_see_each_others_progress(store: PreferenceStore):
    rank_all(queue(store, "ann"), ByNumber())
    assert queue(store, "bob").progress() == Progress(done=0, total=3)


def test_candidates_are_shuffled_by_seed_and_annotator_alone(store: PreferenceStore):
    def shown(annotator: str, seed: int) -> list[RankingItem]:
        return all_items(store, annotator, seed=seed)

    def orders(annotator: str, seed: int) -> list[tuple[int, ...]]:
        return [tuple(c.seed for c in item.candidates) for item in shown(annotator, seed=seed)]

    assert orders("ann", 0) == orders("ann", 0)
    found = {str(orders(a, s)) for a in ("ann", "bob") for s in range(3)}
    assert len(found) == 6
    places = [order.index(0) for seed in range(40) for order in orders("ann", seed)]
    assert all(15 <= places.count(n) <= 45 for n in range(4))


def test_only_candidates_of_the_asked_version_are_shown_together(store: PreferenceStore):
    a = store.prompts()[0]
    store.add_responses(response(a, n, "policy@1") for n in range(2))
    assert queue(store, version="policy@1").progress().total == 1
    item = queue(store, version="policy@1").next_item()
    assert {c.version for c in item.candidates} == {"policy@1"}
    everything = all_items(store)
    assert len(everything) == 4
    assert all(len({c.version for c in item.candidates}) == 1 for item in everything)


def test_evaluation_responses_and_single_answers_are_never_shown(store: PreferenceStore):
    d = prompt("d")
    store.add_prompts([d])
    store.add_responses([response(d, 0)])
    store.add_responses(response(d, n, purpose="evaluation") for n in (1, 2))
    assert queue(store).progress().total == 3


def test_undo_gives_the_last_item_back(store: PreferenceStore):
    ours = queue(store)
    first = ours.next_item()
    judge(ours, first)
    second = ours.next_item()
    judge(ours, second, kind="skip")
    assert ours.undo() == second
    assert ours.next_item() == second
    assert ours.undo() == first
    assert ours.next_item() == first
    assert ours.undo() is None
    assert store.judgments() == []
    assert ours.progress().done == 0


def test_an_undone_item_can_be_judged_and_undone_again(store: PreferenceStore):
    ours = queue(store)
    for tag in "123":
        item = ours.next_item()
        judge(ours, item, tag=tag)
        assert ours.progress().done == 1
        assert ours.undo() == item
    assert ours.progress().done == 0


def test_undo_reaches_neither_other_people_nor_other_versions(store: PreferenceStore):
    rank_all(queue(store, "ann", version="policy@0"), ByNumber())
    store.add_responses(response(store.prompts()[0], n, "policy@1") for n in range(2))
    assert queue(store, "bob").undo() is None
    assert queue(store, "ann", version="policy@1").undo() is None
    assert len(store.judgments()) == 3


def test_an_annotators_ranking_is_stored_as_it_was_given(store: PreferenceStore):
    rank_all(queue(store, "ann"), ByNumber())
    for judgment in store.judgments(annotator="ann"):
        order = [store.response(i).seed for i in judgment.ranking.response_ids]
        assert order == [0, 1, 2, 3]


def test_an_interrupted_annotation_goes_on_where_it_stopped(store: PreferenceStore):
    ours = queue(store)
    with pytest.raises(KeyboardInterrupt):
        rank_all(ours, ByNumber(fail_at=3))
    assert ours.progress().done == 2
    assert rank_all(ours, ByNumber()) == 1
    assert rank_all(ours, ByNumber()) == 0
    assert len(store.judgments()) == 3


def test_what_was_undone_is_annotated_again(store: PreferenceStore):
    ours = queue(store)
    rank_all(ours, ByNumber())
    for _ in range(2):
        ours.undo()
        assert rank_all(ours, ByNumber()) == 1
        assert len(store.judgments()) == 3


def test_submission_ids_tell_their_parts_apart():
    assert submission_id("a", "b") == submission_id("a", "b")
    assert submission_id("a", "b") != submission_id("ab") != submission_id("a", "", "b")
    assert len(submission_id("a")) == 32


def test_items_that_come_again_in_another_order_are_ranked_again(store: PreferenceStore):
    store.assignments.plan = AssignmentPlan(repeat_rate=0.9, repeat_after=1)
    assert rank_all(queue(store, "ann"), ByNumber()) == 3
    said = store.judgments()
    orders = {judgment.occasion: set() for judgment in said}
    for judgment in said:
        orders[judgment.occasion].add(judgment.shown_order)
    assert orders["repeat"] - orders["regular"]
    assert {frozenset(order) for order in orders["repeat"]} <= {
        frozenset(order) for order in orders["regular"]
    }
