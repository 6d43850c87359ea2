"""The ranking state over a real store: any order of acts, held against plain lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.ranking_state import RankingState
from tests.widgets.ranking import KINDS, fill, left

# Shrinking with a database takes minutes.
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
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
