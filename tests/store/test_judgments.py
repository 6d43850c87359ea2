from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import PreferenceStore, judging
from rlhf_lab.types import Judgment, Ranking, utc_now
from tests.store.helpers import fill, prompt, ranking, skip, undo


@pytest.fixture
def one(store):
    return fill(store, "one")[0]


def ids(judgments: list[Judgment]) -> list[str]:
    return [j.id for j in judgments]


def test_a_judgment_comes_back_equal_ties_included(store, one):
    tied = ranking("r1", one, ranking=Ranking(tiers=(("one-0", "one-1"),)), comment="same 🤷")
    assert store.submit(tied) is True
    assert store.judgments() == [tied]


@pytest.mark.parametrize("strength", ["negligibly", "slightly", "clearly", "much", None])
def test_a_strength_comes_back_and_belongs_to_the_submission(store, one, strength):
    said = ranking("r1", one, strength=strength)
    assert store.submit(said) is True
    assert store.judgments() == [said]
    assert store.submit(said) is False
    other = "much" if strength is None else None
    with pytest.raises(JudgmentError, match="'r1' already holds another judgment"):
        store.submit(replace(said, strength=other))


def test_the_same_submission_twice_is_one_judgment(store, one):
    assert store.submit(ranking("r1", one)) is True
    assert store.submit(ranking("r1", one, created_at=utc_now())) is False
    assert store.judgments(include_superseded=True) == [ranking("r1", one)]


def test_another_judgment_under_a_stored_id_is_refused(store, one):
    store.submit(ranking("r1", one))
    with pytest.raises(
        JudgmentError, match=r"'r1' already holds another judgment .by 'ann'.*new id"
    ):
        store.submit(ranking("r1", one, best=1))


def test_a_retry_of_a_superseded_submission_is_still_recognised(store, one):
    store.submit(ranking("r1", one))
    correction = ranking("r2", one, best=1, supersedes="r1")
    assert store.submit(correction) is True
    assert store.submit(correction) is False
    assert store.submit(ranking("r1", one)) is False
    assert store.judgments() == [correction]


def test_a_correction_replaces_and_a_chain_leaves_its_last(store, one):
    for number, target in [(1, None), (2, "r1"), (3, "r2")]:
        store.submit(ranking(f"r{number}", one, supersedes=target))
    assert ids(store.judgments()) == ["r3"]
    assert ids(store.judgments(include_superseded=True)) == ["r1", "r2", "r3"]


def test_a_second_opinion_on_the_same_candidates_replaces_the_first_and_undo_brings_it_back(
    store, one
):
    first, second = ranking("r1", one), ranking("r2", one, best=1)
    assert store.submit(first) is True
    assert store.submit(second) is True
    assert store.judgments() == [replace(second, supersedes="r1")]
    assert store.submit(second) is False  # the retry does not know what it replaced
    store.submit(undo("u1", second))
    assert store.judgments() == [first]


def test_other_candidates_other_people_and_skipped_prompts_are_other_opinions(store):
    one = fill(store, "one", responses=3)[0]
    pair = Ranking(tiers=(("one-2",), ("one-0",)))
    said = [
        ranking("r1", one),
        ranking("r2", one, annotator="bob"),
        ranking("r3", one, shown_order=("one-0", "one-2"), ranking=pair),
        skip("s1", one),
    ]
    for judgment in said:
        store.submit(judgment)
    assert store.judgments(kinds=("ranking", "skip")) == said


def test_a_redo_is_refused_beside_what_was_said_since(store, one):
    store.submit(ranking("r1", one))
    takes_back = undo("u1", ranking("r1", one))
    store.submit(takes_back)
    store.submit(ranking("r2", one, best=1))
    with pytest.raises(JudgmentError, match="redoing r1 would stand beside r2"):
        store.submit(undo("u2", takes_back))
    store.submit(undo("u3", ranking("r2", one)))
    store.submit(undo("u2", takes_back))
    assert ids(store.judgments()) == ["r1"]


def test_a_redo_is_refused_beside_what_another_redo_brought_back(store, one):
    first, second = ranking("r1", one), ranking("r2", one, best=1)
    store.submit(first)
    store.submit(undo("u1", first))
    store.submit(second)
    store.submit(undo("u2", second))
    store.submit(undo("u3", undo("u1", first)))
    with pytest.raises(JudgmentError, match="redoing r2 would stand beside r1"):
        store.submit(undo("u4", undo("u2", second)))
    assert store.judgments() == [first]


def test_undo_takes_back_and_undoing_the_undo_redoes(store, one):
    first, takes_back = ranking("r1", one), undo("u1", ranking("r1", one))
    store.submit(first)
    store.submit(takes_back)
    assert store.judgments() == []
    assert store.latest_active("ann") is None
    store.submit(undo("u2", takes_back))
    assert store.judgments() == [first]
    assert ids(store.judgments(kinds=("ranking", "skip", "undo"))) == ["r1", "u2"]


def test_undoing_a_correction_brings_back_what_it_replaced(store, one):
    store.submit(ranking("r1", one))
    correction = ranking("r2", one, best=1, supersedes="r1")
    store.submit(correction)
    store.submit(undo("u1", correction))
    assert ids(store.judgments()) == ["r1"]
    store.submit(ranking("r3", one, supersedes="r1"))
    with pytest.raises(JudgmentError, match="redoing r2 would act again on r1, which has been sup"):
        store.submit(undo("u2", undo("u1", correction)))
    assert ids(store.judgments()) == ["r3"]


def test_judgments_can_be_chosen_by_prompt_annotator_and_kind(store):
    one, two = fill(store, "one", "two")
    for judgment in (
        ranking("r1", one), skip("s1", two), ranking("r2", two, annotator="bob"),
    ):  # fmt: skip
        store.submit(judgment)
    assert ids(store.judgments()) == ["r1", "r2"]
    assert ids(store.judgments(annotator="ann", kinds=("ranking", "skip"))) == ["r1", "s1"]
    assert ids(store.judgments(prompt_id=two.id, kinds=("skip",))) == ["s1"]
    latest = store.latest_active("ann")
    assert latest is not None
    assert latest.id == "s1"


CASES = {
    "no annotator": ({"annotator": " "}, "has no annotator"),
    "no id": ({"id": ""}, "has no id"),
    "endless": ({"seconds": math.inf}, "seconds=inf: a duration is a finite number"),
    "negative": ({"seconds": -1.0}, r"seconds=-1\.0"),
    "unknown prompt": ({"prompt_id": "nope"}, "'nope' is not a stored prompt: add it with"),
    "one candidate": (
        {"shown_order": ("one-0",), "ranking": Ranking(tiers=(("one-0",),))},
        r"a ranking of 1 response\(s\) says nothing",
    ),
    "shown twice": ({"shown_order": ("one-0", "one-1", "one-0")}, "each response is shown once"),
    "unknown response": (
        {"shown_order": ("one-0", "x"), "ranking": Ranking(tiers=(("one-0",), ("x",)))},
        r"\['x'\] are not stored responses",
    ),
    "other prompt's": (
        {"shown_order": ("one-0", "two-0"), "ranking": Ranking(tiers=(("one-0", "two-0"),))},
        r"\{'two-0': '[0-9a-f]+'\} .* do not answer",
    ),
    "unknown target": ({"supersedes": "gone"}, "'gone' is not a stored judgment"),
    "another's": ({"supersedes": "bobs"}, "bobs has annotator='bob', this event has 'ann'"),
    "other prompt": ({"supersedes": "on-two"}, "on-two has prompt_id="),
    "replaced": ({"supersedes": "old"}, r"old is already superseded: .* latest_active\('ann'\)"),
    "an undo": ({"supersedes": "undo"}, "undo is an undo: only another undo can supersede it"),
}


@pytest.mark.parametrize(("changes", "message"), CASES.values(), ids=CASES)
def test_what_is_refused_says_why_and_stores_nothing(store, changes, message):
    one, two = fill(store, "one", "two")
    store.submit(ranking("bobs", one, annotator="bob"))
    store.submit(ranking("on-two", two))
    store.submit(ranking("old", one))
    store.submit(ranking("new", one, supersedes="old"))
    taken_back = ranking("taken back", one)
    store.submit(taken_back)
    store.submit(undo("undo", taken_back))
    everything = store.judgments(kinds=("ranking", "skip", "undo"), include_superseded=True)
    with pytest.raises(JudgmentError, match=message):
        store.submit(replace(ranking("fresh", one), **changes))
    assert store.judgments(kinds=("ranking", "skip", "undo"), include_superseded=True) == everything


class Model:
    """What should be active, as plain state: per chain, a stack of edits and what was undone.

    Written differently from the code on purpose: it applies each event to the current state
    instead of deriving the state from the record.
    """

    def __init__(self) -> None:
        self.active: list[str] = []  # rankings and skips that count
        self.replaced_by: dict[str, str | None] = {}  # event: what it put out of force
        self.open_undos: dict[str, str] = {}  # undo in force: what it took back
        self.undo_targets: dict[str, str] = {}  # the same for every undo there ever was
        self.question: dict[str, object] = {}  # ranking or skip: what it is about, if that is known
        self.active_then: dict[str, set[str]] = {}  # undo: what counted before it

    def judge(self, name: str, target: str | None, question: object = None) -> bool:
        if target is None and question is not None:
            same = [e for e in self.question if e in self.active and self.question[e] == question]
            target = same[-1] if same else None
        if target is not None:
            if target not in self.active:
                return False
            self.active.remove(target)
        self.replaced_by[name] = target
        self.active.append(name)
        self.question[name] = question
        return True

    def undo(self, name: str, target: str) -> bool:
        before = list(self.active), dict(self.open_undos)
        done = self._take_back(name, target)
        if done and self._two_opinions(set(self.active) - set(before[0]), target):
            self.active, self.open_undos = before
            return False
        if done:
            self.undo_targets[name] = target
            self.active_then[name] = set(before[0])
        return done

    def _two_opinions(self, back: set[str], target: str) -> bool:
        """Whether something came back beside an opinion on the same that did not count then."""
        if target not in self.undo_targets:
            return False
        since = set(self.active) - back - self.active_then[target]
        asked = {self.question[e] for e in back} - {None}
        return any(self.question[e] in asked for e in since)

    def _take_back(self, name: str, target: str) -> bool:
        if target in self.active:
            self.active.remove(target)
            if self.replaced_by[target] is not None:
                self.active.append(str(self.replaced_by[target]))
        elif target in self.open_undos:
            if not self._revive(self.open_undos[target]):
                return False
            del self.open_undos[target]
        else:
            return False
        self.open_undos[name] = target
        return True

    def _revive(self, revived: str) -> bool:
        if revived in self.undo_targets:  # an undo that had been undone: it acts once more
            return self._take_back(revived, self.undo_targets[revived])
        before = self.replaced_by[revived]
        if before is not None:
            if before not in self.active:
                return False
            self.active.remove(before)
        self.active.append(revived)
        return True


# Shrinking with a database takes minutes; the test of the rules below finds short examples.
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
PICK = st.integers(0, 4) | st.integers(0, 10**6)  # mostly a recent event


class StoreMachine(RuleBasedStateMachine):
    """Judge, correct, undo, redo and reopen at random; store and model must agree.

    All runs share a database: each has prompts of its own.
    """

    location = None
    count = 0

    def __init__(self) -> None:
        super().__init__()
        StoreMachine.count += 1
        self.run = f"run {StoreMachine.count}"
        self.store = PreferenceStore(self.location)
        self.prompts = fill(self.store, f"{self.run} one", f"{self.run} two")
        self.model = Model()
        self.events: dict[str, Judgment] = {}

    def teardown(self) -> None:
        self.store.close()

    def _name(self) -> str:
        return f"{self.run} e{len(self.events)}"

    def _submit(self, judgment: Judgment, expected: bool) -> None:
        if expected:
            assert self.store.submit(judgment) is True
            assert self.store.submit(judgment) is False
            replaced = judgment.supersedes or self.model.replaced_by.get(judgment.id)
            self.events[judgment.id] = replace(judgment, supersedes=replaced)
        else:
            with pytest.raises(JudgmentError):
                self.store.submit(judgment)

    @rule(which=st.integers(0, 1), who=st.sampled_from("ab"), skipped=st.booleans())
    def judge(self, which: int, who: str, skipped: bool) -> None:
        make = skip if skipped else ranking
        judgment = make(self._name(), self.prompts[which], annotator=who)
        question = None if skipped else (which, who)
        self._submit(judgment, self.model.judge(judgment.id, None, question))

    @rule(pick=PICK, best=st.integers(0, 1))
    def correct(self, pick: int, best: int) -> None:
        if not self.events:
            return
        target = list(self.events.values())[-1 - pick % len(self.events)]
        to = next(p for p in self.prompts if p.id == target.prompt_id)
        changes = {"annotator": target.annotator, "best": best, "supersedes": target.id}
        judgment = ranking(self._name(), to, **changes)
        question = (self.prompts.index(to), target.annotator)
        self._submit(judgment, self.model.judge(judgment.id, target.id, question))

    @rule(pick=PICK)
    def take_back(self, pick: int) -> None:
        if not self.events:
            return
        target = list(self.events.values())[-1 - pick % len(self.events)]
        event = undo(self._name(), target, annotator=target.annotator)
        self._submit(event, self.model.undo(event.id, target.id))

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = PreferenceStore(self.location)

    @invariant()
    def the_same_judgments_count(self) -> None:
        active = self._stored(kinds=("ranking", "skip"))
        assert set(ids(active)) == set(self.model.active)
        assert active == [e for e in self.events.values() if e.id in self.model.active]
        everything = self._stored(kinds=("ranking", "skip", "undo"), include_superseded=True)
        assert everything == list(self.events.values())

    def _stored(self, **choice) -> list[Judgment]:
        found = [j for p in self.prompts for j in self.store.judgments(p.id, **choice)]
        return sorted(found, key=lambda j: int(j.id.rpartition(" e")[2]))


def test_any_sequence_of_events_equals_the_model(database):
    StoreMachine.location = database
    run = settings(max_examples=25, stateful_step_count=20, deadline=None, phases=NO_SHRINK)
    run_state_machine_as_test(StoreMachine, settings=run)


def test_prompts_of_judgments_must_be_stored_even_for_a_skip(store):
    with pytest.raises(JudgmentError, match="is not a stored prompt"):
        store.submit(skip("s1", prompt("never added")))


def accepted_by_the_rules(event: Judgment, history: list[Judgment]) -> bool:
    target = next((e for e in history if e.id == event.supersedes), None)
    try:
        judging.check_supersedes(event, target, history)
    except JudgmentError:
        return False
    return True


@pytest.mark.parametrize("length", [4, 8, 16])
def test_the_rules_equal_the_model_on_long_random_records(length):
    to = prompt("one")
    for seed in range(1_500):
        draw = random.Random(seed)
        model, history = Model(), [ranking("e0", to)]
        model.judge("e0", None)
        for n in range(1, length):
            target = history[-1 - min(draw.randrange(len(history)), draw.randrange(len(history)))]
            if draw.random() < 0.7:
                event = undo(f"e{n}", target)
                expected = model.undo(event.id, target.id)
            else:
                event = ranking(f"e{n}", to, supersedes=target.id)
                expected = model.judge(event.id, target.id)
            assert accepted_by_the_rules(event, history) == expected, (seed, history, event)
            if expected:
                history.append(event)
            active = [e.id for e in judging.active_events(history) if e.kind != "undo"]
            assert sorted(active) == sorted(model.active), (seed, history)
            assert len(active) <= 1  # one chain, so one judgment at most
