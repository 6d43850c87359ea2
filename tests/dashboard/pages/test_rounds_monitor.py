"""The live monitor: it follows the job that runs, and its button cancels it."""

import pytest

from rlhf_lab.dashboard.pages.rounds_monitor import Monitor, followed
from rlhf_lab.store.job_events import EventWriter
from rlhf_lab.types import Alarm
from tests.browser.versions_lab import event


@pytest.fixture
def monitor(context):
    return Monitor(context)


def state(monitor: Monitor):
    return monitor.shown[0].state


class Run:
    """What a worker writes of a job."""

    def __init__(self, jobs, kind="ppo", arguments=None) -> None:
        self._jobs = jobs
        self.id = jobs.ask(kind, arguments or {}, "bob").id
        jobs.take("w1")

    def tell(self, *, done: int | None = None) -> EventWriter:
        return EventWriter(lambda new: self._jobs.tell(self.id, "w1", [new], done=done, total=8))

    def finish(self, outcome="done", note="policy@1 was kept.") -> None:
        self._jobs.finish(self.id, "w1", outcome, note)


def test_without_an_update_there_is_nothing_to_see(monitor, jobs):
    jobs.ask("generate", {}, "ada")
    jobs.ask("ppo", {}, "ada")
    jobs.take("w1")
    monitor.update(jobs.all())
    assert not monitor.shown.visible


def test_curves_and_alarms_show_as_they_come(monitor, jobs):
    run = Run(jobs, arguments={"steps": 8})
    run.tell().started(done=0, total=8)
    monitor.update(jobs.all())
    assert (state(monitor).status, state(monitor).total) == ("running", 8)
    assert state(monitor).title == "PPO, 8 steps"
    run.tell(done=1).add(1, {"score": 0.25, "kl": 1.5}, done=1)
    run.tell().alarm(1, Alarm("kl", "KL rises fast."))
    monitor.update(jobs.all())
    assert state(monitor).done == 1
    assert state(monitor).history.steps == [1]
    assert [alarm["message"] for alarm in state(monitor).alarms] == ["KL rises fast."]
    run.finish()
    monitor.update(jobs.all())
    assert (state(monitor).status, state(monitor).outcome) == ("finished", "policy@1 was kept.")


def test_it_stays_with_a_run_and_turns_to_the_next(monitor, jobs):
    first = Run(jobs, "reward")
    monitor.update(jobs.all())
    shown = monitor.shown[0]
    monitor.update(jobs.all())
    assert monitor.shown[0] is shown
    first.finish()
    monitor.update(jobs.all())
    assert monitor.shown[0] is shown
    Run(jobs)
    monitor.update(jobs.all())
    assert monitor.shown[0] is not shown
    assert state(monitor).title == "PPO, 8 steps"


def test_its_button_cancels_the_job(monitor, jobs):
    run = Run(jobs)
    run.tell().started(done=0, total=8)
    monitor.update(jobs.all())
    monitor.shown[0].events = [event("stop")]
    assert jobs.get(run.id).cancelled_by == "ada"
    assert state(monitor).status == "stopping"


def test_who_may_not_cancel_is_told_and_the_run_goes_on(monitor, jobs, accounts):
    run = Run(jobs)
    run.tell().started(done=0, total=8)
    monitor.update(jobs.all())
    accounts.set_role("ada", "annotator", "root")
    monitor.shown[0].events = [event("stop")]
    assert jobs.get(run.id).cancelled_by is None
    assert state(monitor).status == "running"
    assert "ada is annotator" in state(monitor).notice["text"]


def test_the_one_that_runs_goes_before_later_ones_that_were_begun(jobs):
    first, second = (jobs.ask("ppo", {}, "ada") for _ in range(2))
    jobs.take("w1")
    assert followed(jobs.all()).id == first.id
    jobs.finish(first.id, "w1", "failed", "Out of memory.")
    assert followed(jobs.all()).id == first.id
    jobs.take("w1")
    assert followed(jobs.all()).id == second.id
