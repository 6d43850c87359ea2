"""The ranking state machine: every judgment once, in order, durable before the next item."""

import json

import pytest

from rlhf_lab.errors import StoreError
from rlhf_lab.types import Judgment, Progress, RankingItem
from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser.sample_items import ListSource, item


class Source(ListSource):
    """A source that can be told to fail, and notes what happened in which order."""

    def __init__(self, items: list[RankingItem]):
        super().__init__(items)
        self.failures: dict[str, Exception] = {}
        self.fails_after_writing = False
        self.calls: list[str] = []

    def _call(self, name: str):
        self.calls.append(name)
        if name in self.failures:
            raise self.failures[name]

    def next_item(self):
        self._call("next_item")
        return super().next_item()

    def submit(self, judgment: Judgment):
        if self.fails_after_writing:
            super().submit(judgment)
        self._call("submit")
        super().submit(judgment)

    def undo(self):
        self._call("undo")
        return super().undo()

    def progress(self):
        self._call("progress")
        return super().progress()


@pytest.fixture
def source() -> Source:
    return Source(
        [
            item("First?", "one", "two", "three", "four"),
            item("Second?", "five", "six"),
            item("Third?", "seven", "eight", "nine"),
        ]
    )


@pytest.fixture
def state(source: Source) -> RankingState:
    return RankingState(source)


def event(state: RankingState, kind: str = "submit", *, seq: int = 0, **fields: object) -> dict:
    """An event for the item on the screen, numbered after the latest."""
    shown = state.view["item"]
    seq = seq or state.acked_seq + 1
    base = {"seq": seq, "id": f"event-{kind}-{seq}", "type": kind, "seconds": 2.5}
    key = shown["key"] if shown else ""
    return {**base, "item": key, "ranks": [], **fields}


def prompt_shown(state: RankingState) -> str:
    shown = state.view["item"]
    return shown["turns"][-1]["html"] if shown else ""


def test_a_judgment_says_what_was_seen_and_what_was_thought_of_it(source, state):
    state.apply([event(state, ranks=[2, 1, 2, 4])])

    ids = [response.id for response in source.items[0].candidates]
    (judgment,) = source.stored
    assert judgment.id == "event-submit-1"
    assert judgment.prompt_id == source.items[0].prompt.id
    assert judgment.annotator == "tester"
    assert judgment.kind == "ranking"
    assert judgment.shown_order == tuple(ids)
    assert judgment.ranking is not None
    assert judgment.ranking.tiers == ((ids[1],), (ids[0], ids[2]), (ids[3],))
    assert judgment.seconds == 2.5


def test_a_judgment_is_stored_before_the_next_item_is_asked_for(source, state):
    source.calls.clear()
    state.apply([event(state, ranks=[1, 2, 3, 4])])
    assert source.calls[0] == "submit"
    assert "next_item" in source.calls[1:]
    assert "Second?" in prompt_shown(state)


def test_the_page_learns_nothing_that_unblinds(state):
    state.apply([event(state, ranks=[1, 2, 3, 4])])
    state.apply([event(state, "undo")])
    payload = json.dumps(state.view)
    for secret in ("secret-response", "policy@", "version", "seed", "token", "tester"):
        assert secret not in payload


def test_the_key_of_an_item_is_the_same_while_it_is_shown_and_differs_elsewhere(source, state):
    first = state.view["item"]
    state.refresh()
    again = state.view["item"]
    other = RankingState(source).view["item"]
    assert first
    assert again
    assert other
    assert first["key"] == again["key"] != other["key"]
    assert first["cards"] == other["cards"]


@pytest.mark.parametrize("times", [2, 5])
def test_an_event_sent_again_is_applied_once(source, state, times):
    sent = event(state, ranks=[1, 1, 1, 1])
    for _ in range(times):
        state.apply([sent, sent])
    assert len(source.stored) == 1
    assert state.acked_seq == 1
    assert "Second?" in prompt_shown(state)


def test_a_queue_that_grows_while_the_kernel_is_busy_is_applied_from_where_it_was(source, state):
    first = event(state, "skip")
    state.apply([first])
    state.apply([first, event(state, ranks=[2, 1])])
    assert [judgment.kind for judgment in source.stored] == ["skip", "ranking"]
    assert state.acked_seq == 2


def test_events_are_applied_in_the_order_of_their_numbers(source, state):
    submit = event(state, ranks=[1, 2, 3, 4], seq=1)
    undo = event(state, "refresh", seq=2)
    state.apply([undo, submit])
    assert state.acked_seq == 2
    assert len(source.stored) == 1


def test_an_older_number_of_another_page_is_applied_if_it_is_about_what_is_shown(source, state):
    state.apply([event(state, "skip", seq=9)])
    state.apply([event(state, seq=3, ranks=[1, 2])])
    assert [judgment.kind for judgment in source.stored] == ["skip", "ranking"]
    assert state.acked_seq == 9


def test_an_event_about_an_item_that_is_gone_changes_nothing_and_says_so(source, state):
    late = event(state, ranks=[4, 3, 2, 1], id="from-another-page")
    state.apply([event(state, ranks=[1, 2, 3, 4])])
    state.apply([{**late, "seq": 2}])
    assert len(source.stored) == 1
    assert state.acked_seq == 2
    assert state.notice
    assert "another view" in state.notice["text"]


def test_an_undo_pressed_twice_takes_back_one_judgment(source, state):
    state.apply([event(state, "skip")])
    state.apply([event(state, "skip")])
    undo = event(state, "undo")
    state.apply([undo, {**undo, "id": "second-undo", "seq": undo["seq"] + 1}])
    assert len(source.stored) == 1


def test_undo_brings_the_item_back_in_its_order_with_its_ranks(source, state):
    before = state.view["item"]
    assert before
    state.apply([event(state, ranks=[3, 1, 1, 2])])
    state.apply([event(state, "undo")])
    after = state.view["item"]
    assert after
    assert after["cards"] == before["cards"]
    assert after["ranks"] == [3, 1, 1, 2]
    assert state.progress == Progress(done=0, total=3)


def test_undo_with_nothing_to_undo_keeps_the_item(state):
    state.apply([event(state, "undo")])
    assert "First?" in prompt_shown(state)
    assert state.notice == {"id": 1, "tone": "info", "text": "There is nothing to undo."}


def test_a_skip_has_the_order_shown_and_no_ranking(source, state):
    state.apply([event(state, "skip")])
    (judgment,) = source.stored
    assert judgment.kind == "skip"
    assert judgment.ranking is None
    assert len(judgment.shown_order) == 4


def test_a_judgment_that_cannot_be_stored_is_told_and_the_item_stays(source, state):
    source.failures["submit"] = StoreError("disk full: free 2 MB.")
    state.apply([event(state, ranks=[1, 2, 3, 4])])
    assert source.stored == []
    assert state.acked_seq == 1
    assert "First?" in prompt_shown(state)
    notice = state.notice
    assert notice
    assert notice["tone"] == "error"
    assert "disk full: free 2 MB." in notice["text"]

    source.failures.clear()
    state.apply([event(state, ranks=[1, 2, 3, 4])])
    assert len(source.stored) == 1
    assert state.notice is None


def test_a_store_that_fails_after_writing_has_the_same_judgment_once(source, state):
    source.failures["submit"] = OSError("connection lost")
    source.fails_after_writing = True
    state.apply([event(state, ranks=[1, 2, 3, 4], seconds=2)])
    source.failures.clear()
    state.apply([event(state, ranks=[1, 2, 3, 4], seconds=9)])
    assert len(source.stored) == 1
    assert source.stored[0].seconds == 2


def test_after_a_failure_other_ranks_are_another_judgment(source, state):
    source.failures["submit"] = OSError("connection lost")
    state.apply([event(state, ranks=[1, 2, 3, 4])])
    source.failures.clear()
    state.apply([event(state, ranks=[4, 3, 2, 1])])
    assert source.stored[0].id == "event-submit-2"


def test_a_saved_judgment_stays_saved_when_the_next_item_cannot_be_read(source, state):
    sent = event(state, ranks=[1, 2, 3, 4])
    source.failures["next_item"] = OSError("database is locked")
    state.apply([sent])
    assert len(source.stored) == 1
    assert state.view["phase"] == "error"
    assert state.notice
    assert "OSError: database is locked" in state.notice["text"]

    source.failures.clear()
    state.apply([event(state, "refresh")])
    assert "Second?" in prompt_shown(state)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ranks": [1, 2, 3]},
        {"ranks": [1, 2, 3, 5]},
        {"ranks": [0, 1, 2, 3]},
        {"ranks": [1, 2, 3, True]},
        {"ranks": "1234"},
        {"ranks": [1, 2, 3, 4.0]},
        {"ranks": []},
        {"id": ""},
        {"id": 7},
        {"id": "x" * 65},
        {"id": "'; drop table judgments"},
        {"type": "delete"},
        {"type": None},
    ],
    ids=str,
)
def test_a_malformed_event_is_told_acknowledged_and_stores_nothing(source, state, wrong):
    state.apply([event(state, **{"ranks": [1, 2, 3, 4], **wrong})])
    assert source.stored == []
    assert state.acked_seq == 1
    assert state.notice
    assert state.notice["tone"] == "error"
    assert "First?" in prompt_shown(state)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -3, "7", None])
def test_a_clock_that_went_wrong_loses_no_judgment(source, state, seconds):
    state.apply([event(state, ranks=[1, 2, 3, 4], seconds=seconds)])
    assert source.stored[0].seconds == 0


def test_finished_and_empty_are_told_apart(source, state):
    for _ in source.items:
        assert not state.done
        state.apply([event(state, "skip")])
    assert state.done
    assert state.view["phase"] == "finished"
    assert state.view["progress"] == {"done": 3, "total": 3}

    nothing = RankingState(ListSource([]))
    assert nothing.view["phase"] == "empty"
    assert not nothing.done


def test_undo_works_from_the_end(source, state):
    for _ in source.items:
        state.apply([event(state, "skip")])
    state.apply([event(state, "undo")])
    assert "Third?" in prompt_shown(state)
    assert not state.done


def test_refresh_finds_what_was_generated_later():
    source = ListSource([])
    state = RankingState(source)
    source.items.append(item("New?", "a", "b"))
    state.apply([event(state, "refresh")])
    assert "New?" in prompt_shown(state)


@pytest.mark.parametrize("count", [1, 10])
def test_an_item_that_digits_cannot_rank_is_refused_and_can_be_skipped(count):
    source = ListSource([item("Odd?", *(f"answer {n}" for n in range(count)))])
    state = RankingState(source)
    state.apply([event(state, ranks=[1] * count)])
    assert source.stored == []
    assert state.notice
    assert "Skip it" in state.notice["text"]
    state.apply([event(state, "skip")])
    assert state.done


def test_texts_are_sanitised_on_their_way_to_the_page():
    source = ListSource([item("<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "ok")])
    shown = RankingState(source).view["item"]
    assert shown
    assert "<img" not in shown["turns"][0]["html"]
    assert "<script" not in shown["cards"][0]["html"]
