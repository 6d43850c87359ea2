"""The calibration set as a source of the ranking widget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.annotators import CalibrationQueue, RankingQueue
from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import CalibrationPlan, PreferenceStore
from rlhf_lab.types import Demonstration, Judgment, Progress, Ranking
from rlhf_lab.widgets.ranking_state import RankingState
from tests.widgets.ranking import act, event, fill, prompt_shown, submit, told


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    """Four items of three answers; of the first three it is known that 0 is best and 2 worst."""
    with PreferenceStore(tmp_path / "lab.db") as opened:
        fill(opened, "v", 4)
        expert = RankingQueue(opened, annotator="expert", version="v")
        ids = []
        for item in expert.upcoming(3):
            shown = tuple(sorted(c.id for c in item.candidates))
            ids.append(f"gold-{item.prompt.id}")
            expert.submit(
                Judgment(
                    id=ids[-1],
                    prompt_id=item.prompt.id,
                    annotator="expert",
                    shown_order=shown,
                    ranking=Ranking(tiers=tuple((i,) for i in shown)),
                )
            )
        assert opened.assignments.make_gold(ids) == 3
        opened.assignments.calibration = CalibrationPlan(enabled=True)
        yield opened


@pytest.fixture
def queue(store: PreferenceStore) -> CalibrationQueue:
    return CalibrationQueue(store, annotator="ann")


def state_of(queue: CalibrationQueue) -> RankingState:
    return RankingState(queue, editing=False, reveal=queue.answer, told_by="the researcher")


def rank(state: RankingState, queue: CalibrationQueue, order: str) -> None:
    """Rank the first item so that its answers, by their numbers, come in this order."""
    [item] = queue.upcoming(1)
    submit(state, *(1 + order.index(c.id[-1]) for c in item.candidates))


def test_each_answer_is_stored_before_the_researchers_is_told(store, queue):
    state = state_of(queue)
    assert state.view["reveal"] is None
    [item] = queue.upcoming(1)
    letters = {c.id[-1]: letter for letter, c in zip("ABC", item.candidates, strict=True)}
    rank(state, queue, "021")
    said = " > ".join(letters[number] for number in "012")
    assert state.view["reveal"]["text"] == f"The researcher says {said}: as you in 2 of 3 pairs."
    [judgment] = store.judgments(annotator="ann")
    assert judgment.occasion == "calibration"
    assert judgment.ranking.response_ids == ("v-0-0", "v-0-2", "v-0-1")


def test_a_report_adds_up_what_was_told(queue):
    state = state_of(queue)
    rank(state, queue, "021")  # 2 of 3 pairs
    rank(state, queue, "012")  # 3 of 3
    act(state, "skip")
    report = queue.report()
    assert (report.left, report.total, len(report.answered)) == (0, 3, 3)
    assert report.pairs == (5, 6)
    assert report.agreement.estimate == pytest.approx(5 / 6)
    assert report.agreement.n == 2
    assert [known.item.prompt.text for known in report.differing] == ["Question 0 of v?"]
    assert state.done
    assert state.view["progress"] == {"done": 3, "total": 3}


def test_ties_are_no_agreement_and_still_a_difference(queue):
    state = state_of(queue)
    submit(state, 1, 1, 1)
    assert state.view["reveal"]["agrees"] is None
    assert queue.report().agreement is None
    assert len(queue.report().differing) == 1


def test_it_goes_on_where_it_was_after_a_reload(queue):
    rank(state_of(queue), queue, "012")
    again = state_of(queue)
    assert again.view["progress"] == {"done": 1, "total": 3}
    assert "Question 1 " in prompt_shown(again)


def test_what_was_told_cannot_be_taken_back(store, queue):
    state = state_of(queue)
    rank(state, queue, "210")
    act(state, "undo")
    assert told(state) == "There is nothing to undo."
    act(state, "redo")
    assert told(state) == "There is nothing to redo."
    assert len(store.judgments(annotator="ann")) == 1


def test_a_second_window_makes_no_better_answer_of_the_first(store, queue):
    state, other = state_of(queue), state_of(queue)
    [item] = queue.upcoming(1)
    rank(state, queue, "210")
    submit(other, *(1 + int(c.id[-1]) for c in item.candidates), id="in-another-window")
    assert other.view["reveal"]["agrees"] == 1.0
    assert [j.id for j in store.judgments(annotator="ann")] == ["in-another-window"]
    assert queue.report().pairs == (0, 3)


def test_the_same_answer_sent_again_is_one(store, queue):
    state = state_of(queue)
    sent = event(state, ranks=[1, 2, 3], id="sent-twice")
    state.apply([sent])
    state_of(queue).apply([sent])
    assert [j.id for j in store.judgments(annotator="ann")] == ["sent-twice"]
    [first] = store.judgments(annotator="ann")
    assert queue.submit(first) is False


def test_an_item_that_left_the_set_is_refused_and_nothing_is_stored(store, queue):
    items = queue.upcoming(None)
    store.assignments.calibration = CalibrationPlan(enabled=True, items=1)
    shown = tuple(c.id for c in items[2].candidates)
    judgment = Judgment(
        id="too late", prompt_id=items[2].prompt.id, annotator="ann", kind="skip",
        shown_order=shown,
    )  # fmt: skip
    with pytest.raises(JudgmentError, match="not in the calibration set any more"):
        queue.submit(judgment)
    with pytest.raises(JudgmentError, match="not in the calibration set any more"):
        queue.answer(items[2])
    assert store.judgments(annotator="ann", kinds=("skip",)) == []
    assert queue.progress() == Progress(done=0, total=1)


def test_nothing_is_written_there(store, queue):
    [item] = queue.upcoming(1)
    made = Demonstration(id="d", prompt_id=item.prompt.id, text="so", annotator="ann")
    with pytest.raises(JudgmentError, match="ranked and not edited"):
        queue.demonstrate(made)
    assert store.demonstrations() == []
