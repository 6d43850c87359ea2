"""The points of a run, and what of them is sent."""

import math

import pytest

from rlhf_lab.widgets.monitor_history import REBASE_AFTER, History
from rlhf_lab.widgets.pace import Pace, after


@pytest.fixture
def history() -> History:
    return History(["score", "kl"])


def test_a_figure_that_is_missing_is_a_gap(history):
    history.add(1, {"score": 0.5, "kl": 2.0, "unknown": 7.0})
    history.add(2, {"kl": 3.0})
    assert history.all() == {
        "steps": [1, 2],
        "values": {"score": [0.5, None], "kl": [2.0, 3.0]},
    }
    assert len(history) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_a_gap(history, value):
    history.add(1, {"score": value})
    assert history.all()["values"]["score"] == [None]


def test_numbers_are_kept_to_six_digits(history):
    history.add(1, {"score": 0.123456789, "kl": 1234567.0})
    assert history.all()["values"] == {"score": [0.123457], "kl": [1234570.0]}


def test_the_same_step_again_adds_figures(history):
    history.add(1, {"score": 0.5})
    history.add(1, {"kl": 2.0})
    assert history.all() == {"steps": [1], "values": {"score": [0.5], "kl": [2.0]}}


def test_an_earlier_step_takes_off_what_came_after_it(history):
    for step in (1, 2, 3):
        history.add(step, {"score": step})
    history.add(2, {"score": 20.0})
    assert history.all()["steps"] == [1, 2]
    assert history.all()["values"] == {"score": [1.0, 20.0], "kl": [None, None]}


def test_points_move_into_the_base_when_there_are_many(history):
    for step in range(1, REBASE_AFTER):
        history.add(step, {"score": 1.0})
    assert not history.rebase()
    assert (history.base, len(history.since()["steps"])) == (0, REBASE_AFTER - 1)
    history.add(REBASE_AFTER, {"score": 1.0})
    assert history.rebase()
    assert history.base == 1
    assert history.since() == {"steps": [], "values": {"score": [], "kl": []}}
    assert len(history.based()["values"]["score"]) == REBASE_AFTER
    history.add(REBASE_AFTER + 1, {"kl": 4.0})
    assert not history.rebase()
    assert history.since() == {"steps": [REBASE_AFTER + 1], "values": {"score": [None], "kl": [4]}}


@pytest.mark.parametrize("step", [2, 1])
def test_a_change_to_what_a_page_has_already_makes_a_new_base(history, step):
    history.add(1, {"score": 1.0})
    history.add(2, {"score": 2.0})
    assert history.rebase(at_once=True)
    history.add(step, {"kl": 5.0})
    assert history.rebase()
    assert history.base == 2
    assert history.based()["steps"] == [1, 2][:step]
    assert history.based()["values"]["kl"][-1] == 5.0


class Clock:
    """Seconds that pass when told to, and what was put off until then."""

    def __init__(self):
        self.now = 100.0
        self.due: list[tuple[float, object]] = []

    def __call__(self) -> float:
        return self.now

    def later(self, seconds, action):
        entry = (self.now + seconds, action)
        self.due.append(entry)

        class Entry:
            def cancel(_):
                if entry in self.due:
                    self.due.remove(entry)

        return Entry()

    def pass_to(self, now):
        self.now = now
        for entry in [e for e in self.due if e[0] <= now + 1e-9]:
            self.due.remove(entry)
            entry[1]()


def test_ten_a_second_and_always_the_last_one():
    clock, seen = Clock(), []
    pace = Pace(lambda: seen.append(round(clock.now, 3)), clock=clock, later=clock.later)
    for now in (100.0, 100.02, 100.04, 100.06):
        clock.pass_to(now)
        pace.ask()
    assert seen == [100.0]
    clock.pass_to(100.1)
    assert seen == [100.0, 100.1]
    clock.pass_to(100.5)
    assert seen == [100.0, 100.1], "nothing was asked for since"
    pace.ask()
    assert seen[-1] == 100.5


def test_what_is_done_at_once_settles_what_was_put_off():
    clock, seen = Clock(), []
    pace = Pace(lambda: seen.append(clock.now), clock=clock, later=clock.later)
    pace.ask()
    pace.ask()
    clock.pass_to(100.05)
    pace.now()
    clock.pass_to(101.0)
    assert seen == [100.0, 100.05]


def test_the_real_timer_does_it_in_another_thread():
    import threading

    done = threading.Event()
    after(0.0, done.set)
    assert done.wait(5)
