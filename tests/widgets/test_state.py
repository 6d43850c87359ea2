"""What every widget's state does with events."""

import pytest

from rlhf_lab.widgets.state import Event, WidgetState


class Notes(WidgetState):
    """Writes down what it is told; `failure` is raised once, by the next event."""

    def __init__(self) -> None:
        super().__init__()
        self.handled: list[str] = []
        self.failure: BaseException | None = None

    def handle(self, event: Event) -> None:
        failure, self.failure = self.failure, None
        if failure:
            raise failure
        self.handled.append(event.type)


def event(seq: int, kind: str, **changes: object) -> dict[str, object]:
    return {"seq": seq, "id": f"event-{seq}-{kind}", "type": kind, **changes}


@pytest.fixture
def state() -> Notes:
    return Notes()


def test_events_count_once_in_the_order_of_their_numbers(state):
    state.apply([event(2, "b"), event(1, "a")])
    state.apply([event(1, "a"), event(2, "b"), event(3, "c")])
    assert state.handled == ["a", "b", "c"]
    assert state.acked_seq == 3


def test_what_an_interrupted_kernel_left_undone_counts_when_it_comes_again(state):
    events = [event(1, "a"), event(2, "b")]
    state.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        state.apply(events)
    assert state.acked_seq == 0
    state.apply(events)
    assert state.handled == ["a", "b"]
    assert state.acked_seq == 2


def test_what_fails_is_told_and_not_tried_again_by_itself(state):
    state.failure = OSError("disk full")
    state.apply([event(1, "a"), event(2, "b")])
    assert state.handled == ["b"]
    assert state.notice is not None
    assert state.notice["text"] == "OSError: disk full"
    state.apply([event(1, "a"), event(2, "b")])
    assert state.handled == ["b"]


@pytest.mark.parametrize("name", [[], {}, None, 7, "short", "no spaces please"])
def test_an_event_with_an_odd_id_is_told_of_and_holds_nothing_up(state, name):
    state.apply([event(1, "a", id=name), event(2, "b")])
    assert state.handled == ["b"]
    assert state.acked_seq == 2
    assert state.notice is not None
    assert "has id" in state.notice["text"]
