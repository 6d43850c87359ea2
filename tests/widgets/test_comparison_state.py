"""The comparing widget's state over a real store: blind, durable, ahead of the kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment
from rlhf_lab.widgets.comparison_lead import LEAD_EVERY
from rlhf_lab.widgets.comparison_state import ComparisonState
from tests.browser import compare_source
from tests.browser.compare_source import NEW, OLD, fill, stored, winner
from tests.widgets.comparing import Failing, do, event, open_keys, prefer


@pytest.fixture
def database(compared: Path) -> Path:
    return compared


@pytest.fixture
def source(comparisons: Failing) -> Failing:
    return comparisons


@pytest.fixture
def state(comparing: ComparisonState) -> ComparisonState:
    return comparing


@pytest.mark.parametrize(("choice", "tiers"), [("A", "a>b"), ("B", "b>a"), ("tie", "a=b")])
def test_a_choice_is_a_ranking_of_the_two_as_they_were_shown(database, state, choice, tiers):
    (pair,) = compare_source.queue(database).waiting(1)
    a, b = (c.id for c in pair.candidates)
    do(state, "submit", choice=choice)
    (judgment,) = stored(database)
    expected = {"a>b": ((a,), (b,)), "b>a": ((b,), (a,)), "a=b": ((a, b),)}[tiers]
    assert judgment.ranking is not None
    assert judgment.ranking.tiers == expected
    assert judgment.shown_order == (a, b)
    assert (judgment.id, judgment.annotator) == ("event-submit-1", "tester")
    assert (judgment.kind, judgment.strength, judgment.seconds) == ("ranking", None, 2.5)


def test_a_skip_is_stored_and_the_pair_gone(database, state):
    first = open_keys(state)[0]
    do(state, "skip")
    (judgment,) = stored(database)
    assert (judgment.kind, judgment.ranking) == ("skip", None)
    assert first not in open_keys(state)
    assert state.view["progress"] == {"done": 1, "total": 8}


def test_pairs_are_handed_out_ahead_and_any_of_them_may_be_judged(database, source):
    state = ComparisonState(source, ahead=4)
    keys = open_keys(state)
    assert len(keys) == 4
    events = [event(state, "submit", seq=n, item=k) for n, k in enumerate(reversed(keys), start=1)]
    state.apply(events)
    assert len(stored(database)) == 4
    assert state.acked_seq == 4
    assert len(open_keys(state)) == 4
    assert not set(open_keys(state)) & set(keys)


def test_the_page_is_given_more_when_half_is_answered_and_what_it_shows_stays(source):
    state = ComparisonState(source, ahead=4)
    first = open_keys(state)
    do(state, "submit")
    assert [i["key"] for i in state.content["items"]] == first
    do(state, "submit")
    assert open_keys(state)[:2] == first[2:]
    assert len(open_keys(state)) == 4


def test_a_batch_reads_the_store_once_for_what_is_shown(source, state):
    keys = open_keys(state)
    source.calls.clear()
    state.apply([event(state, "submit", seq=n + 1, item=keys[n]) for n in range(3)])
    assert source.calls == ["submit"] * 3 + ["waiting", "report"]


def test_nothing_on_the_page_unblinds_before_the_end(state):
    prefer(state, NEW, NEW, OLD, None, NEW, NEW)
    do(state, "undo")
    do(state, "skip")
    payload = json.dumps(state.values())
    for secret in ("secret-", "policy@", "version", "token", "tester"):
        assert secret not in payload
    assert state.view["result"] is None


def test_the_lead_is_the_same_whoever_leads(tmp_path):
    leads = []
    for favourite, other in ((NEW, OLD), (OLD, NEW)):
        path = tmp_path / f"{favourite}.db"
        with PreferenceStore(path) as store:
            fill(store, 8)
        state = ComparisonState(compare_source.queue(path))
        prefer(state, favourite, favourite, other, favourite)
        assert LEAD_EVERY == 5
        assert state.view["lead"] is None
        prefer(state, None)
        leads.append(state.view["lead"])
    # 3 of 5 and a tie: p = 3.5 / 5, n = 5, z^2 = 3.841459:
    # centre (0.7 + 0.3841459) / 1.7682918 = 0.613103
    # half 1.959964 / 1.7682918 * sqrt(0.21 / 5 + 3.841459 / 100) = 1.108394 * 0.283575 = 0.314313
    assert leads[0]["estimate"] == pytest.approx(0.7)
    assert leads[0]["n"] == 5
    assert leads[0] == pytest.approx(leads[1])
    assert leads[0]["low"] == pytest.approx(0.298790, abs=1e-5)
    assert leads[0]["high"] == pytest.approx(0.927416, abs=1e-5)


def test_the_lead_is_renewed_by_every_fifth_comparison_and_at_the_end(tmp_path):
    path = tmp_path / "lead.db"
    with PreferenceStore(path) as store:
        fill(store, 12)
    state = ComparisonState(compare_source.queue(path))
    told = []
    for version in [NEW, OLD, NEW, NEW, None, NEW, NEW, OLD, NEW, NEW, NEW]:
        prefer(state, version)
        told.append(state.view["lead"] and round(state.view["lead"]["estimate"], 3))
    # 3.5 of 5, then 7.5 of 10; the 11th says nothing.
    assert told == [None] * 4 + [0.7] * 5 + [0.75] * 2
    prefer(state, OLD)
    assert state.done
    assert state.view["lead"]["n"] == 12


def test_the_lead_tells_nothing_of_an_answer_that_is_changed_or_skipped(tmp_path):
    path = tmp_path / "lead.db"
    with PreferenceStore(path) as store:
        fill(store, 20)
    state = ComparisonState(compare_source.queue(path))
    prefer(state, NEW, NEW, NEW, NEW, OLD)
    before = state.view["lead"]
    assert before["estimate"] == pytest.approx(0.8)
    for version in (NEW, OLD, None):
        do(state, "undo")
        assert state.view["lead"] == before
        prefer(state, version)
        assert state.view["lead"] == before
    for _ in range(6):
        do(state, "skip")
    assert state.view["lead"] == before


def test_a_state_made_again_tells_the_lead_where_the_one_before_told_it(tmp_path):
    path = tmp_path / "lead.db"
    with PreferenceStore(path) as store:
        fill(store, 20)
    state = ComparisonState(compare_source.queue(path))
    prefer(state, *[NEW] * 5)
    again = ComparisonState(compare_source.queue(path))
    assert again.view["lead"] == state.view["lead"]
    again.acked_seq = 100  # events of another page have other ids
    prefer(again, OLD, OLD)
    later = ComparisonState(compare_source.queue(path))
    later.acked_seq = 200
    assert later.view["lead"] is None
    prefer(later, NEW, NEW)
    assert later.view["lead"] is None
    prefer(later, NEW)
    assert later.view["lead"]["n"] == 10


def test_all_taken_back_there_is_no_lead(state):
    prefer(state, *[NEW] * 5)
    for _ in range(5):
        do(state, "undo")
    assert state.view["lead"] is None


def test_the_end_names_the_versions_and_undo_hides_them_again(state):
    prefer(state, NEW, NEW, NEW, NEW, NEW, NEW, OLD, None)
    assert state.done
    assert state.view["phase"] == "finished"
    result = state.view["result"]
    assert result["first"] == {"name": NEW, "wins": 6}
    assert result["second"] == {"name": OLD, "wins": 1}
    assert (result["ties"], result["skipped"], result["done"], result["total"]) == (1, 0, 8, 8)
    # (6 + 0.5) / 8
    assert result["rate"]["estimate"] == pytest.approx(0.8125)
    assert result["verdict"] == "unclear"
    assert result["needed"] == 10  # 3.841459 / (4 * 0.3125^2) = 9.83
    do(state, "undo")
    assert state.view["phase"] == "comparing"
    assert state.view["result"] is None
    assert "policy@" not in json.dumps(state.values())


def test_names_are_shown_before_the_end_when_asked_for_and_hidden_by_the_next_answer(state):
    prefer(state, NEW, OLD)
    do(state, "reveal")
    assert state.view["phase"] == "comparing"
    assert state.view["result"]["done"] == 2
    assert state.view["result"]["first"]["name"] == NEW
    prefer(state, NEW)
    assert state.view["result"] is None


def test_an_event_sent_again_is_applied_once(database, state):
    sent = event(state, "submit")
    for _ in range(3):
        state.apply([sent, sent])
    undo = event(state, "undo")
    for _ in range(3):
        state.apply([undo, undo])
    assert [e.kind for e in stored(database)] == ["ranking", "undo"]
    assert state.acked_seq == 2


def test_undo_and_redo_fifty_deep_and_what_was_chosen_comes_back(tmp_path):
    path = tmp_path / "many.db"
    with PreferenceStore(path) as store:
        fill(store, 52)
    state = ComparisonState(compare_source.queue(path))
    chosen = ["A", "B", "tie"] * 17 + ["A"]
    keys = []
    for choice in chosen:
        keys.append(do(state, "submit", choice=choice)["item"])
    assert state.done
    for key, choice in reversed(list(zip(keys, chosen, strict=True))):
        sent = do(state, "undo")
        assert state.view["back"] == {"item": key, "event": sent["id"]}
        assert state.view["drafts"][key] == choice
        assert key in open_keys(state)
    assert state.view["undone"] == keys[::-1]
    assert state.view["progress"] == {"done": 0, "total": 52}
    do(state, "undo")
    assert state.notice
    assert state.notice["text"] == "There is nothing to undo."
    for key in keys:
        do(state, "redo")
        assert key not in open_keys(state)
    assert state.done
    assert state.view["undone"] == []
    do(state, "redo")
    assert state.notice["text"] == "There is nothing to do again."
    kinds = [e.kind for e in stored(path)]
    assert kinds == ["ranking"] * 52 + ["undo"] * 104


def test_a_pair_that_left_the_page_is_put_back_in_front_by_undo(source):
    state = ComparisonState(source, ahead=2)
    first = open_keys(state)[0]
    prefer(state, NEW, NEW, NEW)
    assert first not in [i["key"] for i in state.content["items"]]
    for _ in range(3):
        do(state, "undo")
    assert open_keys(state)[0] == first


def test_a_batch_may_judge_and_take_back_the_same_pair(database, state):
    key = open_keys(state)[0]
    state.apply(
        [
            event(state, "submit", seq=1, item=key, choice="A"),
            event(state, "undo", seq=2, item=key),
            event(state, "submit", seq=3, item=key, choice="B"),
        ]
    )
    assert [e.kind for e in stored(database)] == ["ranking", "undo", "ranking"]
    assert state.view["progress"]["done"] == 1
    assert state.view["answered"] == [key]
    assert state.view["undone"] == []


def test_a_state_made_again_resumes(database, state):
    prefer(state, NEW, OLD, None)
    left = [i["cards"] for i in state.content["items"] if i["key"] in open_keys(state)]
    again = ComparisonState(compare_source.queue(database))
    assert [i["cards"] for i in again.content["items"]] == left
    assert again.view["progress"] == {"done": 3, "total": 8}
    do(again, "undo")
    assert again.view["progress"]["done"] == 2
    assert len(open_keys(again)) == 6


def test_what_another_page_judged_goes_when_more_is_handed_out(database, source):
    state = ComparisonState(source, ahead=4)
    other = ComparisonState(compare_source.queue(database))
    prefer(other, *[NEW] * 5)
    do(state, "refresh")
    assert state.view["progress"] == {"done": 5, "total": 8}
    assert len(open_keys(state)) == 3


def test_new_responses_are_found_on_refresh(database, state):
    prefer(state, *[None] * 8)
    assert state.done
    with PreferenceStore(database) as store:
        fill(store, 9)
    state.refresh()
    assert not state.done
    assert state.view["progress"] == {"done": 8, "total": 9}
    assert len(open_keys(state)) == 1


def test_no_pairs_are_told_apart_from_all_done(source):
    class Nothing(Failing):
        def waiting(self, count: int) -> list:
            return []

        def report(self):
            from rlhf_lab.types import ComparisonReport

            return ComparisonReport(first=NEW, second=OLD, annotator="tester")

    state = ComparisonState(Nothing(source.source))
    assert state.view["phase"] == "empty"
    assert not state.done


def test_texts_are_sanitised_and_the_plain_ones_are_as_they_were(tmp_path):
    path = tmp_path / "hostile.db"
    with PreferenceStore(path) as store:
        fill(store, 1, hostile=True)
    (shown,) = ComparisonState(compare_source.queue(path)).content["items"]
    html = json.dumps([shown["turns"], [card["html"] for card in shown["cards"]]])
    assert "<img" not in html
    assert "<script" not in html
    assert "<img src=x" in shown["cards"][0]["text"]


def test_the_report_and_the_progress_are_the_sources(state):
    prefer(state, NEW, NEW, None)
    assert (state.progress.done, state.progress.total) == (3, 8)
    assert (state.report.wins, state.report.ties) == (2, 1)
    assert {winner(j) for j in stored_of(state)} == {NEW, "tie"}


def stored_of(state: ComparisonState) -> list[Judgment]:
    return state._source.source._store.judgments()
