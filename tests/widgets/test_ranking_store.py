"""The ranking state over a real store: long ways back, and any order of acts held against lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import AssignmentPlan, PreferenceStore
from rlhf_lab.types import Demonstration, Judgment, Message, Prompt, RankingItem, Response
from rlhf_lab.widgets.ranking_answers import Form, judgment_of
from rlhf_lab.widgets.ranking_state import RankingState
from rlhf_lab.widgets.state import Event
from tests.store.assignments.sharing import Clock
from tests.widgets.ranking import act, draft, event, keys, left, prompt_shown, submit, told

# Shrinking with a database takes minutes.
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
KINDS = ("ranking", "skip")


def fill(store: PreferenceStore, name: str, items: int, answers: int = 3) -> None:
    """Prompts "Question 0 of NAME?" ... with answers of the version NAME."""
    prompts = [
        Prompt(messages=(Message(role="user", content=f"Question {n} of {name}?"),))
        for n in range(items)
    ]
    store.add_prompts(prompts)
    store.add_responses(
        Response(id=f"{name}-{n}-{k}", prompt_id=p.id, text=f"answer {k}", version=name)
        for n, p in enumerate(prompts)
        for k in range(answers)
    )
    store.assignments.offer(name)


@pytest.fixture
def store(tmp_path: Path):
    with PreferenceStore(tmp_path / "lab.db") as opened:
        yield opened


def state_of(store: PreferenceStore, name: str = "v", **options) -> RankingState:
    return RankingState(RankingQueue(store, annotator="ann", version=name), **options)


def test_sixty_undos_in_a_row_and_as_many_redos(store):
    fill(store, "v", 70)
    state = state_of(store, ahead=8)
    for n in range(60):
        assert f"Question {n} " in prompt_shown(state)
        submit(state, 1 + n % 3, 2, 3, comment=f"said {n}")
    said = store.judgments()
    for n in reversed(range(60)):
        act(state, "undo")
        assert f"Question {n} " in prompt_shown(state)
        assert draft(state)["comment"] == f"said {n}"
        assert draft(state)["ranks"] == [1 + n % 3, 2, 3]
    assert store.judgments() == []
    act(state, "undo")
    assert told(state) == "There is nothing to undo."
    for n in range(60):
        act(state, "redo")
        assert state.progress.done == n + 1
    assert store.judgments() == said
    assert "Question 60 " in prompt_shown(state)
    act(state, "redo")
    assert told(state) == "There is nothing to redo."


def test_undos_of_an_earlier_sitting_come_in_one_batch_with_drafts(store):
    fill(store, "v", 60)
    first = state_of(store)
    for n in range(55):
        submit(first, 3, 2, 1, comment=f"said {n}")
    state = state_of(store)
    state.apply([event(state, "undo", seq=n, on="") for n in range(1, 56)])
    assert len(left(state)) == 60
    assert [shown["draft"]["comment"] for shown in state.content["items"][:55]] == [
        f"said {n}" for n in range(55)
    ]
    assert store.judgments() == []
    assert len(keys(state_of(store, ahead=60))) == 60
    assert keys(state_of(store, ahead=60)) == keys(state)


def test_an_event_that_came_twice_across_a_restart_is_one(store):
    fill(store, "v", 5)
    state = state_of(store)
    sent = [
        event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1),
        event(state, "skip", on=keys(state)[1], seq=2),
        event(state, "undo", seq=3, on=""),
    ]
    state.apply(sent)
    before = [left(state), store.judgments(kinds=KINDS)]
    again = state_of(store)
    again.apply(sent)
    assert [left(again), store.judgments(kinds=KINDS)] == before


class LosesTheConnection(RankingQueue):
    """Once, after it has written a judgment."""

    has_failed = False

    def submit(self, judgment: Judgment) -> bool:
        is_new = super().submit(judgment)
        if not self.has_failed:
            self.has_failed = True
            raise OSError("connection lost")
        return is_new


def test_an_answer_that_was_stored_after_all_is_taken_back_and_may_be_given_again(store):
    fill(store, "v", 3)
    state = RankingState(LosesTheConnection(store, annotator="ann", version="v"))
    first = state.view["current"]
    submit(state, 1, 2, 3)
    act(state, "undo")  # of what had not been saved, as far as anybody knows
    state.apply([event(state, "undo", on="")])  # of what was saved, as it turns out
    assert ids(store) == []
    submit(state, 1, 2, 3, on=first)
    assert ids(store) == ["event-submit-4"]
    assert first not in left(state)


def test_an_answer_that_was_stored_after_all_is_no_more_once_it_is_taken_back(store):
    fill(store, "v", 3)
    state = RankingState(LosesTheConnection(store, annotator="ann", version="v"))
    first = state.view["current"]
    submit(state, 1, 2, 3)
    state.apply([event(state, "undo", on="", of="event-submit-1")])
    assert ids(store) == []
    assert first in left(state)


class LosesTheDisk(RankingQueue):
    """Takes nothing back."""

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        raise OSError("disk full")


def test_who_answers_anew_when_the_undo_failed_means_what_they_say_now(store):
    fill(store, "v", 3)
    state = RankingState(LosesTheDisk(store, annotator="ann", version="v"))
    first = state.view["current"]
    submit(state, 1, 2, 3)
    state.apply(
        [event(state, "undo", seq=2, on=""), event(state, seq=3, on=first, ranks=[3, 2, 1])]
    )
    (said,) = store.judgments()
    assert said.id == "event-submit-3"
    assert first not in left(state)


def test_a_demonstration_that_was_not_saved_is_saved_when_it_is_sent_again(store):
    class CannotDemonstrate(RankingQueue):
        def demonstrate(self, demonstration: Demonstration) -> None:
            raise OSError("disk full")

    fill(store, "v", 3)
    state = RankingState(CannotDemonstrate(store, annotator="ann", version="v"))
    first, second, _ = keys(state)
    sent = [
        event(state, "demonstrate", seq=1, on=second, card=0, text="mine"),
        event(state, "skip", seq=2, on=first),
    ]
    state.apply(sent)
    assert state.view["unsaved"] == ["event-demonstrate-1"]
    again = state_of(store)  # the kernel died before the page heard of either
    again.apply(sent)
    assert [made.text for made in store.demonstrations()] == ["mine"]


def test_what_is_stored_may_be_out_of_reach_and_nothing_is_lost(store):
    class Forgetful(RankingQueue):
        def known(self, ids: Iterable[str]) -> set[str]:
            raise OSError("locked")

    fill(store, "v", 3)
    state = RankingState(Forgetful(store, annotator="ann", version="v"))
    first, second, _ = keys(state)
    state.apply(
        [
            event(state, "demonstrate", seq=1, on=second, card=0, text="mine"),
            event(state, "undo", seq=2, on=""),
            event(state, "skip", seq=3, on=first),
        ]
    )
    assert [made.text for made in store.demonstrations()] == ["mine"]
    assert ids(store) == ["event-skip-3"]


def ids(store: PreferenceStore) -> list[str]:
    return [judgment.id for judgment in store.judgments(kinds=KINDS)]


def test_an_undo_of_nothing_sent_again_takes_back_nothing_that_was_said_since(store):
    fill(store, "v", 5)
    state = state_of(store)
    sent = [
        event(state, "undo", seq=1, on=""),
        event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=2),
    ]
    state.apply(sent)
    assert ids(store) == ["event-submit-2"]
    again = state_of(store)  # the kernel died before the page heard of either
    again.apply(sent)
    assert ids(store) == ["event-submit-2"]
    assert again.progress.done == 1
    assert left(again) == left(state)


def test_a_redo_of_nothing_sent_again_brings_back_nothing_that_was_undone_since(store):
    fill(store, "v", 5)
    state = state_of(store)
    sent = [
        event(state, "redo", seq=1, on=""),
        event(state, "skip", on=keys(state)[0], seq=2),
        event(state, "undo", seq=3, on=""),
    ]
    state.apply(sent)
    assert ids(store) == []
    again = state_of(store)
    again.apply(sent)
    assert ids(store) == []
    # Also where the kernel knows the later ones already.
    late = state_of(store)
    late.apply(sent[1:])
    late.apply(sent)
    assert ids(store) == []
    assert left(late) == left(state)


def test_what_was_brought_back_and_undone_again_stays_on_the_page(store):
    fill(store, "v", 3)
    state = state_of(store)
    sent = [
        event(state, "skip", on=keys(state)[0], seq=1),
        event(state, "undo", seq=2, on=""),
        event(state, "redo", seq=3, on=""),
        event(state, "undo", seq=4, on="", id="undone-again"),
    ]
    state.apply(sent)
    again = state_of(store)
    again.apply(sent[3:])
    again.apply(sent[2:])
    assert left(again) == left(state)
    assert ids(store) == []


def test_an_answer_sent_again_after_it_was_taken_back_stays_taken_back(store):
    fill(store, "v", 3)
    state = state_of(store)
    first = keys(state)[0]
    said = event(state, ranks=[3, 1, 2], on=first, seq=1)
    state.apply([said])
    again = state_of(store)  # the page did not hear of it, and keeps it until its item comes
    again.apply([event(again, "undo", seq=1, on="")])
    again.apply([{**said, "seq": 2}])
    assert ids(store) == []
    assert again.view["current"] == first
    assert left(again) == left(state_of(store))
    assert draft(again)["ranks"] == [3, 1, 2]
    submit(again, 1, 2, 3, id="said-anew")
    assert ids(store) == ["said-anew"]


def test_an_answer_that_an_interrupt_left_half_done_is_one(store):
    fill(store, "v", 3)
    state = state_of(store)
    sent = event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1)
    store.submit(
        judgment_of(Event.parse(sent, 1), state._hand.get(sent["item"]).item, "ann", Form())
    )
    state.apply([sent])
    assert ids(store) == ["event-submit-1"]
    assert left(state) == left(state_of(store))
    assert state.notice is None


def test_an_act_that_was_not_dealt_with_is_done_by_the_next_kernel(store):
    fill(store, "v", 5)
    state = state_of(store)
    first = event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1)
    state.apply([first])
    state_of(store).apply([first, event(state, "undo", seq=2, on="")])
    assert ids(store) == []


def test_what_was_stored_before_a_restart_is_acknowledged_without_a_word(store):
    fill(store, "v", 3)
    state = state_of(store)
    sent = [
        event(state, ranks=[1, 2, 3], on=keys(state)[0], seq=1),
        event(state, "skip", on=keys(state)[1], seq=2),
    ]
    state.apply(sent)
    again = state_of(store)
    again.apply(sent)
    assert again.acked_seq == 2
    assert again.notice is None
    assert again.view["unsaved"] == []
    assert ids(store) == ["event-submit-1", "event-skip-2"]


def test_an_answer_to_what_is_not_on_the_page_is_told_and_named(store):
    fill(store, "v", 3)
    state = state_of(store)
    state.apply([event(state, "skip", on="0123456789abcdef", seq=1)])
    assert state.acked_seq == 1
    assert told(state).startswith("Not saved: an answer. Its item is not on this page")
    assert state.view["unsaved"] == ["event-skip-1"]
    submit(state, 1, 2, 3)
    assert state.view["unsaved"] == []


def test_an_undo_meant_for_another_answer_changes_nothing(store):
    fill(store, "v", 5)
    state = state_of(store)
    submit(state, 1, 2, 3)
    submit(state, 3, 2, 1)
    act(state_of(store), "undo")  # in another window
    # Left over by a page: what it took back is not the latest any more.
    again = state_of(store)
    again.apply([event(again, "undo", seq=1, on="", of="event-submit-2", id="undo-left-over")])
    assert ids(store) == ["event-submit-1"]
    assert told(again) == (
        "Nothing was undone: it was meant for an answer that is not the latest now."
    )
    again.apply([event(again, "redo", seq=2, on="", of="event-submit-1")])
    assert ids(store) == ["event-submit-1"]
    assert told(again).startswith("Nothing was redone")
    again.apply([event(again, "undo", seq=3, on="", of="event-submit-1", id="undo-meant-so")])
    assert ids(store) == []


def test_who_finds_all_in_the_hands_of_others_waits_for_it(tmp_path):
    clock = Clock()
    with PreferenceStore(tmp_path / "lab.db", clock=clock) as store:
        fill(store, "v", 3)
        store.assignments.plan = AssignmentPlan(overlap=1, lease_seconds=60)
        anns = state_of(store)
        bobs = RankingState(RankingQueue(store, annotator="bob", version="v"))
        assert bobs.view["phase"] == "waiting"
        assert bobs.view["progress"] == {"done": 0, "total": 3}
        assert not bobs.done
        submit(anns, 1, 2, 3)
        clock.advance(61)
        act(bobs, "refresh")
        assert bobs.view["phase"] == "ranking"
        for _ in range(2):
            submit(bobs, 1, 2, 3, id=f"bobs-{bobs.acked_seq:06}")
        assert bobs.done
        assert bobs.view["progress"] == {"done": 2, "total": 2}
        anns.refresh()
        assert anns.done


def test_two_people_with_overlap_both_have_something_to_rank(store):
    fill(store, "v", 20)
    store.assignments.plan = AssignmentPlan(overlap=1)
    states = [
        RankingState(RankingQueue(store, annotator=who, version="v")) for who in ("ann", "bob")
    ]
    assert [len(keys(each)) for each in states] == [8, 8]
    assert not set(map(prompt_shown, states[:1])) & set(map(prompt_shown, states[1:]))


def test_what_a_page_keeps_is_kept_for_one_version(store):
    fill(store, "v", 1)
    fill(store, "w", 1)
    kept = [state_of(store, name).content["store_key"] for name in ("v", "w", "v")]
    assert kept[0] == kept[2] != kept[1]


def test_an_edit_of_the_same_response_replaces_the_one_before_also_after_a_restart(store):
    fill(store, "v", 2)
    for number, text in enumerate(["better", "better still", "best"]):
        state = state_of(store)
        sent = event(state, "demonstrate", card=1, text=text, id=f"edit-number-{number}")
        state.apply([sent])
        state_of(store).apply([sent])  # the page sends it again
    other = event(state, "demonstrate", card=0, text="of another one")
    state.apply([other])
    assert [made.text for made in store.demonstrations()] == ["best", "of another one"]
    assert len(store.demonstrations(include_superseded=True)) == 4


RANKS = ((1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 1, 2), (2, 1, 1), (1, 1, 1))


Said = tuple[int, str, tuple[int, ...] | None]


@dataclass
class Model:
    """Plain lists: what was said in order, what was taken back, and what is to come."""

    queue: list[int]
    said: list[Said] = field(default_factory=list)
    taken_back: list[Said] = field(default_factory=list)
    drafts: dict[int, tuple[int, ...] | None] = field(default_factory=dict)

    def say(self, number: int, event_id: str, ranks: tuple[int, ...] | None) -> None:
        self.queue.remove(number)
        self.said.append((number, event_id, ranks))
        self.taken_back.clear()

    def undo(self) -> None:
        if self.said:
            number, event_id, ranks = self.said.pop()
            self.taken_back.append((number, event_id, ranks))
            self.queue.insert(0, number)
            self.drafts[number] = ranks

    def redo(self) -> None:
        if self.taken_back:
            self.said.append(self.taken_back.pop())
            self.queue.remove(self.said[-1][0])


class Page(RuleBasedStateMachine):
    """A page that queues events while the kernel is busy, sends batches, and sends some again.

    All runs share a database: each has a version and prompts of its own.
    """

    store: PreferenceStore
    runs = 0
    ITEMS, AHEAD = 9, 4

    def __init__(self) -> None:
        super().__init__()
        Page.runs += 1
        self.name = f"v{Page.runs}"
        fill(self.store, self.name, self.ITEMS)
        self.model = Model(queue=list(range(self.ITEMS)))
        self.batch: list[dict] = []
        self.sent: list[dict] = []
        self.restart()

    def teardown(self) -> None:
        self.send()

    def _queue(self, kind: str, on: str = "", **fields) -> str:
        number = len(self.sent) + len(self.batch) + 1
        sent = {"seq": number, "id": f"{self.name}-event-{number}", "type": kind, "item": on}
        self.batch.append({**sent, "seconds": 1, **fields})
        return str(sent["id"])

    @rule(pick=st.integers(0, 2), ranks=st.sampled_from(RANKS) | st.none())
    def say(self, pick: int, ranks: tuple[int, ...] | None) -> None:
        there = [n for n in self.model.queue if n in self.key_of]
        if not there:
            return
        number = there[pick % len(there)]
        if ranks is None:
            made = self._queue("skip", self.key_of[number])
        else:
            made = self._queue("submit", self.key_of[number], ranks=list(ranks))
        self.model.say(number, made, ranks)

    @rule(times=st.integers(1, 3), named=st.booleans())
    def undo(self, times: int, named: bool) -> None:
        for _ in range(times):
            self._take_back("undo", self.model.said, named)
            self.model.undo()

    @rule(times=st.integers(1, 3), named=st.booleans())
    def redo(self, times: int, named: bool) -> None:
        for _ in range(times):
            self._take_back("redo", self.model.taken_back, named)
            self.model.redo()

    def _take_back(self, kind: str, stack: list[Said], named: bool) -> None:
        self._queue(kind, **({"of": stack[-1][1]} if named and stack else {}))

    @rule(since=st.integers(0, 5))
    def send(self, since: int = 0) -> None:
        """The batch, after some that were sent before; twice."""
        sent = [*self.sent[max(0, len(self.sent) - since) :], *self.batch]
        self.sent += self.batch
        self.batch = []
        for _ in range(2):
            self.state.apply(sent)
        self.check()

    @rule()
    def restart(self) -> None:
        if self.batch:
            self.send()
        self.model.drafts.clear()
        queue = RankingQueue(self.store, annotator="ann", version=self.name)
        self.state = RankingState(queue, ahead=self.AHEAD)
        self.check()

    def check(self) -> None:
        model, items = self.model, self.state.content["items"]
        number_of = {}
        for shown in items:
            found = re.search(r"Question (\d+)", shown["turns"][0]["html"])
            assert found
            number_of[shown["key"]] = int(found[1])
        self.key_of = {n: key for key, n in number_of.items()}
        to_rank = [number_of[key] for key in left(self.state)]
        assert to_rank == model.queue[: len(to_rank)]
        assert bool(to_rank) == bool(model.queue)
        stored = self.store.judgments(annotator="ann", kinds=KINDS)
        ours = [j for j in stored if j.id.startswith(f"{self.name}-")]
        assert [j.id for j in ours] == [event_id for _, event_id, _ in model.said]
        for judgment, (_, _, ranks) in zip(ours, model.said, strict=True):
            found_ranks = judgment.ranking and judgment.ranking.ranks()
            typed = [found_ranks[i] for i in judgment.shown_order] if found_ranks else None
            assert typed == (list(ranks) if ranks else None)
        view = self.state.view
        assert view["progress"] == {"done": len(model.said), "total": self.ITEMS}
        assert view["phase"] == ("ranking" if model.queue else "finished")
        for number in to_rank:
            if number in model.drafts:
                [shown] = [shown for shown in items if shown["key"] == self.key_of[number]]
                ranks = model.drafts[number]
                assert shown["draft"]["ranks"] == (list(ranks) if ranks else None)


def test_any_order_of_acts_and_batches_equals_plain_lists(store):
    Page.store = store
    run = settings(max_examples=25, stateful_step_count=30, deadline=None, phases=NO_SHRINK)
    run_state_machine_as_test(Page, settings=run)
