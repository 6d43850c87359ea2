"""Two annotators at work in any order of acts, held against lists of acts with a pointer each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import Counts, PreferenceStore
from rlhf_lab.store.tables import ItemRow
from rlhf_lab.types import Judgment, Ranking
from tests.store.helpers import NOON, prompt, response

# Shrinking with a database takes minutes.
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
PICK = st.integers(0, 2) | st.integers(0, 10**6)  # mostly a recent one


@dataclass
class Acts:
    """What one annotator did, as an editor keeps it: undone acts wait beyond the pointer.

    Undo moves the pointer back, redo forward, and a new act forgets what is beyond it.
    """

    done: list[Judgment] = field(default_factory=list)
    pointer: int = 0

    def standing(self) -> list[Judgment]:
        """What counts: acts up to the pointer, but for those that a later one of them replaced."""
        standing: list[Judgment] = []
        for act in self.done[: self.pointer]:
            standing = [s for s in standing if s.id != act.supersedes]
            standing.append(act)
        return standing

    def add(self, act: Judgment) -> None:
        self.done[self.pointer :] = [act]
        self.pointer += 1


class Annotators(RuleBasedStateMachine):
    """All runs share a database: each has prompts and people of its own."""

    location = None
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        Annotators.runs += 1
        self.names = [f"{who} {self.runs}" for who in ("ann", "bob")]
        self.store = PreferenceStore(self.location)
        self.before = self.store.counts()
        self.version = f"policy@{self.runs}"
        self.prompts = [prompt(f"{letter} {self.runs}") for letter in "xyz"]
        self.store.add_prompts(self.prompts)
        self.store.add_responses(
            response(p, n, version=self.version) for p in self.prompts for n in range(2)
        )
        assert self.store.assignments.offer(self.version) == 3
        self.acts = {name: Acts() for name in self.names}
        self.events = 0

    def teardown(self) -> None:
        self.store.close()

    def _opinion(self, who: str, prompt_id: str, best: int, **changes) -> Judgment:
        letter = next(p.text for p in self.prompts if p.id == prompt_id)
        shown = (f"{letter}-0", f"{letter}-1")
        tiers = ((shown,), (shown[:1], shown[1:]), (shown[1:], shown[:1]))
        skipped = best == len(tiers)
        self.events += 1
        return Judgment(
            id=f"{self.runs}-{self.events}",
            prompt_id=prompt_id,
            annotator=who,
            kind="skip" if skipped else "ranking",
            shown_order=shown,
            ranking=None if skipped else Ranking(tiers=tiers[best]),
            created_at=NOON,
            **changes,
        )

    @rule(who=st.integers(0, 1), best=st.integers(0, 3))
    def judge_what_is_handed_out(self, who: int, best: int) -> None:
        name = self.names[who]
        had = {s.prompt_id for s in self.acts[name].standing()}
        item = self.store.assignments.next_item(name, self.version)
        assert (item is None) == ({p.id for p in self.prompts} == had)
        if item is None:
            return
        assert item.prompt.id not in had
        act = self._opinion(name, item.prompt.id, best)
        assert self.store.submit(act) is True
        assert self.store.submit(act) is False
        self.acts[name].add(act)

    @rule(who=st.integers(0, 1), which=st.integers(0, 2), best=st.integers(0, 3))
    def judge_something_else(self, who: int, which: int, best: int) -> None:
        act = self._opinion(self.names[who], self.prompts[which].id, best)
        assert self.store.submit(act) is True
        assert self.store.submit(act) is False
        acts = self.acts[act.annotator]
        earlier = [s.id for s in acts.standing() if s.prompt_id == act.prompt_id]
        acts.add(replace(act, supersedes=earlier[0]) if earlier else act)

    @rule(who=st.integers(0, 1), pick=PICK, best=st.integers(0, 3))
    def correct(self, who: int, pick: int, best: int) -> None:
        acts = self.acts[self.names[who]]
        if not acts.done:
            return
        target = acts.done[-1 - pick % len(acts.done)]
        act = self._opinion(target.annotator, target.prompt_id, best, supersedes=target.id)
        if target in acts.standing():
            assert self.store.submit(act) is True
            assert self.store.submit(act) is False
            acts.add(act)
        else:
            with pytest.raises(JudgmentError, match="is already superseded"):
                self.store.submit(act)

    @rule(who=st.integers(0, 1), times=st.integers(1, 3))
    def undo(self, who: int, times: int) -> None:
        acts = self.acts[self.names[who]]
        for _ in range(times):
            item = self.store.assignments.undo(self.names[who])
            if acts.pointer == 0:
                assert item is None
            else:
                acts.pointer -= 1
                assert item.prompt.id == acts.done[acts.pointer].prompt_id

    @rule(who=st.integers(0, 1), times=st.integers(1, 3))
    def redo(self, who: int, times: int) -> None:
        acts = self.acts[self.names[who]]
        for _ in range(times):
            item = self.store.assignments.redo(self.names[who])
            if acts.pointer == len(acts.done):
                assert item is None
            else:
                assert item.prompt.id == acts.done[acts.pointer].prompt_id
                acts.pointer += 1

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = PreferenceStore(self.location)

    @invariant()
    def the_same_judgments_count(self) -> None:
        for name, acts in self.acts.items():
            standing = acts.standing()
            kinds = ("ranking", "skip")
            assert self.store.judgments(annotator=name, kinds=kinds) == standing
            assert self.store.latest_active(name) == (standing[-1] if standing else None)
            done = self.store.assignments.progress(name, self.version).done
            assert done == len({s.prompt_id for s in standing})

    @invariant()
    def counts_and_items_follow(self) -> None:
        standing = [s for acts in self.acts.values() for s in acts.standing()]
        kinds = [s.kind for s in standing]
        assert self.store.counts() == Counts(
            prompts=self.before.prompts + 3,
            heldout_prompts=0,
            responses=self.before.responses + 6,
            rankings=self.before.rankings + kinds.count("ranking"),
            skips=self.before.skips + kinds.count("skip"),
            annotators=self.before.annotators + len({s.annotator for s in standing}),
            versions=0,
        )
        ours = [p.id for p in self.prompts]
        with self.store.database.read() as session:
            query = select(ItemRow.prompt_id, ItemRow.done).where(ItemRow.prompt_id.in_(ours))
            stored = {prompt_id: done for prompt_id, done in session.execute(query)}
        ranked = {(s.prompt_id, s.annotator) for s in standing if s.kind == "ranking"}
        assert stored == {p: sum(of == p for of, _ in ranked) for p in ours}


def test_any_sequence_of_acts_equals_lists_of_acts_with_a_pointer(database):
    Annotators.location = database
    run = settings(max_examples=20, stateful_step_count=25, deadline=None, phases=NO_SHRINK)
    run_state_machine_as_test(Annotators, settings=run)
