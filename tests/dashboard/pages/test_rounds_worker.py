"""What a page tells of who works in the lab."""

import os
from datetime import datetime, timedelta

import pytest

from rlhf_lab.dashboard.pages.rounds_worker import SILENT, UNTAKEN, WorkerWatch
from rlhf_lab.dashboard.worker import PURPOSE
from rlhf_lab.store import TrainingLock
from rlhf_lab.types import utc_now
from tests.dashboard.pages.html_of import elements, text_of


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(lab, clock):
    return WorkerWatch(lab.path, clock)


def look(watch: WorkerWatch, jobs) -> str:
    return text_of(watch.look(jobs.open(), jobs.all()))


def test_a_worker_that_works_needs_no_words(watch, jobs, lab):
    assert look(watch, jobs) == ""
    with TrainingLock(lab.path, purpose=PURPOSE):
        jobs.ask("ppo", {}, "ada")
        assert look(watch, jobs) == ""
        jobs.take("w1")
        assert look(watch, jobs) == ""


def test_a_notebook_that_trains_is_named_with_its_user_and_since_when(watch, jobs, lab):
    with TrainingLock(lab.path, purpose="model <b>work</b>"):
        shown = watch.look([], [])
        assert "works in this lab: model <b>work</b>, begun" in text_of(shown)
        assert f"pid {os.getpid()} on" in text_of(shown)
        assert "b" not in elements(shown)
        assert 'data-tone="info"' in shown
        jobs.ask("ppo", {}, "ada")
        assert 'data-tone="warn"' in watch.look(jobs.open(), jobs.all())
    assert "works in this lab" not in look(watch, jobs)


def test_a_notebook_that_crashed_holds_nothing(watch, jobs, lab):
    with TrainingLock(lab.path) as lock:
        gone = lock.holder().model_copy(update={"pid": 2**22 - 1})
    (lab.path / "training.holder.json").write_text(gone.model_dump_json())
    assert look(watch, jobs) == ""


def test_a_worker_that_is_not_heard_of_is_told_of(watch, clock, jobs):
    job = jobs.ask("ppo", {}, "ada")
    jobs.take("pid 7 on lab")
    clock.ahead = SILENT + timedelta(seconds=1)
    assert "last heard of" in look(watch, jobs)
    assert "(pid 7 on lab)" in look(watch, jobs)
    clock.ahead = timedelta(0)
    jobs.beat(job.id, "pid 7 on lab")
    assert look(watch, jobs) == ""


def test_a_queue_that_nobody_takes_from_is_told_of(watch, clock, jobs):
    job = jobs.ask("ppo", {}, "ada")
    assert look(watch, jobs) == ""
    clock.ahead = UNTAKEN + timedelta(seconds=1)
    assert "Nobody takes what is in the queue" in look(watch, jobs)
    jobs.wait(job.id, "Waits: the disk is full.")  # it says itself why
    assert look(watch, jobs) == ""


def test_a_job_whose_turn_has_just_come_is_given_time(watch, clock, jobs):
    jobs.ask("ppo", {}, "ada")
    second = jobs.ask("reward", {}, "ada")
    taken = jobs.take("w1")
    clock.ahead = UNTAKEN - timedelta(seconds=2)
    jobs.finish(taken.id, "w1", "done", "8 steps.")
    assert jobs.open()[0].id == second.id
    assert look(watch, jobs) == ""
