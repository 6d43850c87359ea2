"""A job's monitor, fed from the store alone."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from rlhf_lab.dashboard.following import MOST_EVENTS, JobFollower, job_charts, job_title
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.job_events import EventWriter
from rlhf_lab.training import PPOConfig
from rlhf_lab.types import Alarm, TrainingSample
from tests.store.helpers import NOON


class Clock:
    """Stands still unless it is set."""

    now = NOON

    def __call__(self):
        return self.now

    def goes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jobs(tmp_path, clock):
    with PreferenceStore(tmp_path / "lab.sqlite", clock=clock) as store:
        yield store.jobs


@pytest.fixture
def run(jobs):
    """A PPO job that is running, and a listener that stores what it is told."""
    job = jobs.ask("ppo", {"steps": 4}, "ada")
    jobs.take("w")
    return job, EventWriter(lambda event: jobs.tell(job.id, "w", [event]))


def follow(jobs, job, clock, **options) -> JobFollower:
    return JobFollower(jobs, job.id, clock=clock, **options)


def step(told, number: int, clock: Clock, seconds: float = 10) -> None:
    clock.goes(seconds)
    told.add(number, {"kl": number / 2, "score": 0.5}, done=number)


def test_a_monitor_shows_what_the_job_tells_as_it_comes(jobs, run, clock):
    job, told = run
    follower = follow(jobs, job, clock)
    assert follower.poll()
    assert (follower.state.status, follower.state.title) == ("waiting", "PPO, 4 steps")
    told.started(done=0, total=4)
    told.phase("rollout")
    step(told, 1, clock)
    assert follower.poll()
    state = follower.state
    assert (state.status, state.done, state.total) == ("running", 1, 4)
    assert state.view["phase"] == "rollout"
    step(told, 2, clock)
    told.alarm(2, Alarm("KL high", "2 nats"))
    told.show([TrainingSample(prompt="p", now="n", step=2)])
    follower.poll()
    assert state.history.all() == {
        "steps": [1, 2],
        "values": {
            **{name: [None, None] for name in state.history.all()["values"]},
            "kl": [0.5, 1.0],
            "score": [0.5, 0.5],
        },
    }
    assert [alarm["name"] for alarm in state.alarms] == ["KL high"]
    assert [sample.now for sample in state.samples] == ["n"]
    jobs.finish(job.id, "w", "done", "4 steps, kept as policy@1.")
    assert follower.poll() is False
    assert (state.status, state.outcome) == ("finished", "4 steps, kept as policy@1.")
    assert state.view["status"] == "finished"


def test_who_comes_later_sees_the_times_of_the_run(jobs, run, clock):
    job, told = run
    told.started(done=0, total=4)
    for number in (1, 2):
        step(told, number, clock)
    clock.goes(4)
    follower = follow(jobs, job, clock)
    follower.poll()
    assert follower.state.seconds == 24
    assert follower.state.seconds_left == 2 * 10 - 4
    jobs.finish(job.id, "w", "failed", "no room left")
    clock.goes(3600)
    late = follow(jobs, job, clock)
    late.poll()
    assert (late.state.status, late.state.seconds) == ("failed", 24)


def test_a_run_that_another_worker_goes_on_with_is_one_run(jobs, run, clock):
    job, told = run
    follower = follow(jobs, job, clock)
    told.started(done=0, total=4)
    step(told, 1, clock)
    jobs.recover()
    follower.poll()
    assert "goes on" in follower.job.note
    jobs.take("w")
    told.started(done=1, total=4)
    step(told, 2, clock)
    follower.poll()
    assert follower.state.history.steps == [1, 2]
    assert (follower.state.status, follower.state.done) == ("running", 2)


def test_everything_of_one_poll_is_published_once(jobs, run, clock):
    job, told = run
    follower = follow(jobs, job, clock)
    published = []
    follower.state.on_change(lambda: published.append(follower.state.view["done"]))
    told.started(done=0, total=4)
    for number in (1, 2, 3):
        step(told, number, clock)
    follower.poll()
    assert published == [3]
    follower.poll()
    assert published == [3]


def test_a_long_run_is_read_in_parts_and_each_event_once(jobs, clock, monkeypatch):
    job = jobs.ask("ppo", {"steps": 2500}, "ada")
    jobs.take("w")
    events = []
    told = EventWriter(events.append)
    told.started(done=0, total=2500)
    for number in range(1, 2501):
        told.add(number, {"kl": 0.1}, done=number)
    jobs.tell(job.id, "w", events)
    jobs.finish(job.id, "w", "done", "2500 steps.")
    read = []
    real = jobs.events
    monkeypatch.setattr(jobs, "events", lambda *a: read.append(len(found := real(*a))) or found)
    follower = follow(jobs, job, clock)
    assert [follower.poll() for _ in range(4)] == [True, True, False, False]
    assert read == [MOST_EVENTS, MOST_EVENTS, 501]
    assert (follower.state.done, follower.state.status) == (2500, "finished")


def test_the_stop_button_calls_back_once(jobs, run, clock):
    job, told = run
    pressed = []
    follower = follow(jobs, job, clock, on_stop=lambda: pressed.append(jobs.cancel(job.id, "bob")))
    told.started(done=0, total=4)
    follower.poll()
    assert follower.state.view["can_stop"] is True
    follower.state.apply([{"seq": 1, "id": "stop-0001", "type": "stop"}])
    follower.poll()
    follower.state.apply([{"seq": 2, "id": "stop-0002", "type": "stop"}])
    assert [job.cancelled_by for job in pressed] == ["bob"]
    assert follower.state.view["status"] == "stopping"
    jobs.finish(job.id, "w", "cancelled", "Cancelled by bob: 1 of 4 steps.")
    follower.poll()
    assert (follower.state.status, follower.state.outcome) == (
        "stopped", "Cancelled by bob: 1 of 4 steps."
    )  # fmt: skip


def test_a_wish_to_stop_that_is_refused_is_told_and_nothing_stops(jobs, run, clock):
    def refuse():
        raise ValueError("not yours")

    job, told = run
    follower = follow(jobs, job, clock, on_stop=refuse)
    told.started(done=0, total=4)
    follower.poll()
    follower.state.apply([{"seq": 1, "id": "stop-0001", "type": "stop"}])
    assert follower.state.status == "running"
    assert follower.state.notice["text"] == "ValueError: not yours"
    assert jobs.get(job.id).cancelled_by is None


def test_what_somebody_else_cancelled_is_shown_as_stopping(jobs, run, clock):
    job, told = run
    follower = follow(jobs, job, clock, on_stop=lambda: pytest.fail("nobody pressed it here"))
    told.started(done=0, total=4)
    follower.poll()
    jobs.cancel(job.id, "cy")
    follower.poll()
    assert follower.state.view["status"] == "stopping"


def test_a_job_that_never_began_has_an_end_too(jobs, clock):
    job = jobs.ask("evaluate", {}, "ada")
    follower = follow(jobs, job, clock)
    jobs.cancel(job.id, "bob")
    assert follower.poll() is False
    assert (follower.state.status, follower.state.outcome) == ("stopped", "Cancelled by bob.")
    assert (follower.state.title, follower.state.charts) == ("Evaluation against policy@0", ())


def test_the_line_to_aim_at_is_the_one_that_the_run_aims_at(jobs):
    def target(**arguments):
        return job_charts(jobs.ask("ppo", arguments, "ada"))[1].target

    assert target() == PPOConfig().kl_target
    assert target(kl_target=3) == 3.0
    assert target(kl="fixed") is None


def test_every_kind_has_a_title(jobs):
    asked = [("generate", {}), ("reward", {}), ("ppo", {"steps": 1}), ("evaluate", {}),
             ("checkout", {"name": "policy@3"}), ("undo", {})]  # fmt: skip
    assert [job_title(jobs.ask(kind, arguments, "ada")) for kind, arguments in asked] == [
        "Responses to 32 prompts", "Reward update", "PPO, 1 step", "Evaluation against policy@0",
        "Checkout of policy@3", "Undo",
    ]  # fmt: skip


def test_neither_following_nor_supervising_nor_an_idle_worker_imports_torch():
    code = (
        "import sys\n"
        "from rlhf_lab.dashboard import following, supervisor, worker\n"
        "following.ppo_charts(6.0), following.reward_charts()\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
