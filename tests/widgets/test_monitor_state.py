"""The monitor's state: figures by hand, alarms, time, and the wish to stop."""

import json
import math

import pytest

from rlhf_lab.types import Alarm, TrainingSample
from rlhf_lab.widgets.monitor_history import REBASE_AFTER
from rlhf_lab.widgets.monitor_state import SAMPLE_SECONDS, Chart, Curve, MonitorState
from tests.widgets.test_monitor_history import Clock

CHARTS = (
    Chart(title="Reward score", curves=(Curve(name="score", label="score"),), form="signed"),
    Chart(title="KL", curves=(Curve(name="kl", label="KL"),), target=6.0, unit="nats"),
)


class Watched:
    """A state, what a host would have been sent of it, and the clock of both."""

    def __init__(self):
        self.clock = Clock()
        self.stops = 0
        self.state = MonitorState(
            CHARTS,
            title="PPO",
            on_stop=self.count,
            clock=self.clock,
            later=self.clock.later,
        )
        self.views: list[dict] = []
        self.contents: list[dict] = []
        self.state.on_change(self.note)

    def count(self):
        self.stops += 1

    def note(self):
        values = self.state.values()
        self.views.append(json.loads(json.dumps(values["view"], allow_nan=False)))
        content = json.loads(json.dumps(values["content"], allow_nan=False))
        if not self.contents or self.contents[-1] != content:
            self.contents.append(content)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def state(watched) -> MonitorState:
    return watched.state


def sample(text="now") -> TrainingSample:
    return TrainingSample(
        prompt="<b>Why?</b>", now=text, step=1, score=0.5, before="then", before_version="policy@0"
    )


def test_a_point_is_in_the_view_with_its_step(watched, state):
    state.started(done=0, total=8)
    watched.clock.pass_to(101.0)
    state.add(9, {"score": 0.25, "kl": math.nan, "unheard of": 1.0}, done=1)
    view = watched.views[-1]
    assert (view["steps"], view["values"]) == ([9], {"score": [0.25], "kl": [None]})
    assert (view["status"], view["done"], view["total"]) == ("running", 1, 8)


def test_at_most_ten_views_a_second_and_always_the_last(watched, state):
    state.started(done=0, total=500)
    for n in range(1, 201):  # two seconds, a hundred points in each
        watched.clock.pass_to(100.0 + n / 100)
        state.add(n, {"score": n}, done=n)
    assert len(watched.views) <= 22
    watched.clock.pass_to(103.0)
    assert watched.views[-1]["done"] == 200


def test_history_is_sent_once_for_some_hundred_points(watched, state):
    state.started(done=0, total=5000)
    for n in range(1, 2 * REBASE_AFTER + 51):
        watched.clock.pass_to(100.0 + n)
        state.add(n, {"score": n}, done=n)
    bases = {c["base"]: len(c["steps"]) for c in watched.contents}
    assert bases[1] == REBASE_AFTER
    assert bases[2] == 2 * REBASE_AFTER
    assert watched.views[-1]["base"] == 2
    assert len(watched.views[-1]["steps"]) == 50
    assert max(len(v["steps"]) for v in watched.views) < REBASE_AFTER


def test_the_time_left_is_that_of_the_last_steps(watched, state):
    state.started(done=0, total=5)
    assert state.seconds_left is None
    watched.clock.pass_to(110.0)
    state.add(1, {}, done=1)
    watched.clock.pass_to(130.0)
    state.add(2, {}, done=2)
    # 10 s and 20 s: 15 s a step, 3 steps to go.
    assert state.seconds_left == 45.0
    watched.clock.pass_to(137.0)
    assert state.seconds_left == 38.0
    assert state.seconds == 37.0
    state.ended("finished", "Kept.")
    watched.clock.pass_to(200.0)
    assert state.seconds_left is None
    assert state.seconds == 37.0


def test_a_run_taken_up_again_adds_up_its_time(watched, state):
    state.started(done=0, total=5)
    watched.clock.pass_to(110.0)
    state.ended("stopped", "Kept.")
    watched.clock.pass_to(200.0)
    state.started(done=1, total=5)
    watched.clock.pass_to(205.0)
    assert state.seconds == 15.0
    assert state.view["outcome"] == ""


def test_the_same_alarm_is_counted_and_tells_its_latest_figures(state):
    state.started(done=0, total=5)
    state.alarm(3, Alarm("length drift", "90 tokens"))
    state.alarm(4, Alarm("entropy collapse", "0.1 nats"))
    state.alarm(5, Alarm("length drift", "120 tokens"))
    assert state.alarms == [
        {"name": "length drift", "message": "120 tokens", "first": 3, "last": 5, "times": 2},
        {"name": "entropy collapse", "message": "0.1 nats", "first": 4, "last": 4, "times": 1},
    ]


def test_stop_is_passed_on_once_and_shown(watched, state):
    state.started(done=0, total=5)
    state.apply([{"seq": 1, "id": "stop-0001", "type": "stop"}])
    state.apply([{"seq": 2, "id": "stop-0002", "type": "stop"}])
    assert watched.stops == 1
    assert watched.views[-1]["status"] == "stopping"
    assert state.acked_seq == 2
    state.ended("stopped", "Kept as policy@1.")
    assert watched.views[-1]["status"] == "stopped"
    assert watched.views[-1]["outcome"] == "Kept as policy@1."


@pytest.mark.parametrize("status", ["waiting", "finished"])
def test_what_does_not_run_is_not_stopped(watched, state, status):
    if status == "finished":
        state.started(done=0, total=1)
        state.ended("finished", "Kept.")
    assert state.request_stop() == status
    assert watched.stops == 0


def test_a_stop_from_another_thread_publishes_nothing_itself(watched, state):
    state.started(done=0, total=5)
    before = len(watched.views)
    assert state.request_stop() == "stopping"
    assert (watched.stops, len(watched.views)) == (1, before)
    watched.clock.pass_to(101.0)
    state.phase("update")
    assert watched.views[-1]["status"] == "stopping"


def test_a_run_that_cannot_be_stopped_says_so():
    state = MonitorState(CHARTS, title="Reward update")
    state.started(done=0, total=2)
    assert state.view["can_stop"] is False
    assert state.request_stop() == "running"


def test_samples_are_sent_as_safe_html_and_seldom(watched, state):
    state.started(done=0, total=5)
    watched.clock.pass_to(100.0 + SAMPLE_SECONDS)
    state.show([sample()])
    (shown,) = watched.contents[-1]["samples"]
    assert "<b>" not in shown["prompt"]
    assert "&lt;b&gt;Why?" in shown["prompt"]
    assert (shown["before_version"], shown["score"], shown["step"]) == ("policy@0", 0.5, 1)
    sent = len(watched.contents)
    watched.clock.pass_to(101.0 + SAMPLE_SECONDS)
    state.show([sample("later")])
    assert len(watched.contents) == sent
    state.ended("finished", "Kept.")
    assert "later" in watched.contents[-1]["samples"][0]["now"]


def test_all_that_is_sent_is_json_and_tells_the_charts(watched, state):
    state.started(done=0, total=1)
    charts = watched.contents[-1]["charts"]
    assert [c["title"] for c in charts] == ["Reward score", "KL"]
    assert charts[1]["target"] == 6.0
    assert charts[0]["curves"] == [{"name": "score", "label": "score"}]


def test_five_thousand_points_cost_the_run_little(state):
    import time

    real = MonitorState(CHARTS, title="PPO")
    real.started(done=0, total=5000)
    began = time.perf_counter()
    for n in range(5000):
        real.add(n, {"score": n / 7, "kl": n / 11}, done=n + 1)
    # Some 20 microseconds each where this was written; the bound is for busy machines.
    assert (time.perf_counter() - began) / 5000 < 1e-3
    real.ended("finished", "")
