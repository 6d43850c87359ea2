"""The queue of model work, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.job_events import EventWriter, NewEvent, replay
from rlhf_lab.types import Alarm, TrainingSample
from tests.lab.labs import Notes
from tests.store.helpers import NOON, start


class Clock:
    """A minute later each time it is asked."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def jobs(database):
    with PreferenceStore(database, clock=Clock()) as store:
        yield store.jobs


def added(step: int) -> NewEvent:
    return NewEvent("add", {"step": step, "figures": {}, "done": step})


def test_a_job_waits_with_its_arguments_filled_in(jobs):
    job = jobs.ask("generate", {"k": 3}, "ada")
    assert (job.state, job.asked_by, job.kind) == ("queued", "ada", "generate")
    assert job.arguments == {"k": 3, "prompts": 32, "heldout": 0.25}
    assert job.asked_at == NOON + timedelta(minutes=1)
    assert jobs.get(job.id) == job
    assert jobs.open() == jobs.all() == [job]


def test_asking_again_with_the_same_id_is_one_job(jobs):
    first = jobs.ask("ppo", {"steps": 3}, "ada", id="click 1")
    jobs.take("w")
    again = jobs.ask("ppo", {"steps": 3}, "ada", id="click 1")
    assert (first.id, again.id, again.state) == ("click 1", "click 1", "running")
    assert len(jobs.all()) == 1
    for other in (("ppo", {"steps": 4}, "ada"), ("undo", {}, "ada"), ("ppo", {"steps": 3}, "bob")):
        with pytest.raises(ConfigError, match="'click 1' is that of another ppo job"):
            jobs.ask(*other, id="click 1")


def test_jobs_are_taken_in_order_and_one_at_a_time(jobs):
    first, second = jobs.ask("undo", {}, "ada"), jobs.ask("reward", {}, "bob")
    assert jobs.next() == first
    taken = jobs.take("w1")
    assert (taken.id, taken.state, taken.worker, taken.attempts) == (first.id, "running", "w1", 1)
    assert taken.started_at == taken.beat_at
    assert jobs.take("w2") is None
    assert [job.id for job in jobs.open()] == [first.id, second.id]
    done = jobs.finish(first.id, "w1", "done", "Made.")
    assert (done.state, done.note, done.is_over) == ("done", "Made.", True)
    assert done.ended_at > done.started_at
    assert jobs.take("w2").id == second.id
    assert [job.id for job in jobs.all()] == [second.id, first.id]


def test_only_who_took_a_job_says_how_far_it_is(jobs):
    job = jobs.ask("ppo", {"steps": 4}, "ada")
    with pytest.raises(StoreError, match="is queued, with no worker, and not running with w1"):
        jobs.beat(job.id, "w1")
    jobs.take("w1")
    for act in (
        lambda: jobs.tell(job.id, "w2", done=3),
        lambda: jobs.finish(job.id, "w2", "done", ""),
        lambda: jobs.give_back(job.id, "w2", ""),
        lambda: jobs.note_resume(job.id, "w2", {}),
    ):
        with pytest.raises(StoreError, match="is running, with w1, and not running with w2"):
            act()
    before = jobs.get(job.id).beat_at
    assert jobs.beat(job.id, "w1").beat_at > before
    jobs.finish(job.id, "w1", "failed", "no")
    with pytest.raises(StoreError, match="is failed"):
        jobs.finish(job.id, "w1", "done", "yes")
    with pytest.raises(StoreError, match="'nothing' is no job of this lab"):
        jobs.get("nothing")


def test_progress_and_events_are_read_from_where_one_stopped(jobs):
    job, other = jobs.ask("ppo", {"steps": 4}, "ada"), jobs.ask("undo", {}, "ada")
    jobs.take("w")
    told = jobs.tell(job.id, "w", [added(1), added(2)], done=2, total=4)
    assert (told.done, told.total) == (2, 4)
    one, two = jobs.events(job.id)
    jobs.tell(job.id, "w", [added(3)])
    assert [e.values["step"] for e in jobs.events(job.id, after=two.seq)] == [3]
    assert [e.values["step"] for e in jobs.events(job.id, after=one.seq, limit=1)] == [2]
    assert jobs.get(job.id).done == 2
    assert jobs.events(other.id) == []


def test_of_phases_and_samples_only_the_last_is_kept(jobs):
    job = jobs.ask("ppo", {"steps": 4}, "ada")
    jobs.take("w")
    phase = [NewEvent("phase", {"name": name}) for name in "abc"]
    jobs.tell(job.id, "w", [phase[0], added(1), NewEvent("show", {"samples": []}), phase[1]])
    assert [e.kind for e in jobs.events(job.id)] == ["add", "show", "phase"]
    jobs.tell(job.id, "w", [added(2), phase[2]])
    kept = [(e.kind, e.values.get("name")) for e in jobs.events(job.id)]
    assert kept == [("add", None), ("show", None), ("add", None), ("phase", "c")]


def test_cancelling_a_waiting_job_ends_it_and_a_running_one_asks_for_its_end(jobs):
    running, waiting = jobs.ask("ppo", {"steps": 4}, "ada"), jobs.ask("undo", {}, "ada")
    jobs.take("w")
    ended = jobs.cancel(waiting.id, "bob")
    assert (ended.state, ended.note, ended.cancelled_by) == (
        "cancelled",
        "Cancelled by bob.",
        "bob",
    )
    asked = jobs.cancel(running.id, "bob")
    assert (asked.state, asked.is_stopping) == ("running", True)
    assert jobs.cancel(running.id, "cy").cancelled_by == "bob"
    assert jobs.beat(running.id, "w").is_stopping
    jobs.finish(running.id, "w", "cancelled", "1 of 4 steps, kept as policy@1.")
    assert jobs.cancel(running.id, "cy").note == "1 of 4 steps, kept as policy@1."


def test_what_failed_or_was_cancelled_is_asked_for_anew(jobs):
    job = jobs.ask("ppo", {"steps": 4, "kl_coef": 0.1}, "ada")
    with pytest.raises(ConfigError, match="is queued: only what failed or was cancelled"):
        jobs.retry(job.id, "bob")
    jobs.cancel(job.id, "bob")
    again = jobs.retry(job.id, "bob", as_id="click 2")
    assert jobs.retry(job.id, "bob", as_id="click 2").id == again.id != job.id
    assert (again.kind, again.arguments, again.asked_by) == ("ppo", job.arguments, "bob")
    assert (again.state, again.done, again.attempts, again.total) == ("queued", 0, 0, 4)


def test_a_job_given_back_keeps_its_place_and_progress(jobs):
    first, _ = jobs.ask("ppo", {"steps": 4}, "ada"), jobs.ask("undo", {}, "ada")
    jobs.take("w1")
    jobs.tell(first.id, "w1", done=2, kept=True)
    back = jobs.give_back(first.id, "w1", "2 of 4 steps")
    assert (back.state, back.done, back.note) == ("queued", 2, "2 of 4 steps")
    taken = jobs.take("w2")
    assert (taken.id, taken.attempts, taken.deaths, taken.note) == (first.id, 2, 0, "")


def test_a_dead_workers_job_is_next_again_and_its_deaths_count_until_there_is_progress(jobs):
    job = jobs.ask("ppo", {"steps": 4}, "ada")
    jobs.ask("undo", {}, "ada")
    for worker, deaths in (("w1", 1), ("w2", 2)):
        assert jobs.take(worker).id == job.id
        jobs.tell(job.id, worker, done=0, kept=True)
        [left] = jobs.recover("by SIGKILL")
        assert (left.state, left.deaths) == ("queued", deaths)
        assert "(by SIGKILL)" in left.note
    assert jobs.take("w3").attempts == 3
    assert jobs.tell(job.id, "w3", done=1, kept=True).deaths == 0
    assert jobs.tell(job.id, "w3", done=1, kept=True).deaths == 0
    assert jobs.recover()[0].deaths == 1
    jobs.take("w4")
    # Steps that another attempt makes again are no progress.
    assert jobs.tell(job.id, "w4", done=2, kept=False).deaths == 1
    assert jobs.recover()[0].deaths == 2
    assert jobs.recover() == []


def test_a_cancelled_job_of_a_dead_worker_is_over(jobs):
    job = jobs.ask("ppo", {"steps": 4}, "ada")
    jobs.take("w1")
    jobs.tell(job.id, "w1", done=3, total=4, kept=True)
    jobs.cancel(job.id, "bob")
    [left] = jobs.recover()
    assert left.state == "cancelled"
    assert left.note == "Cancelled by bob; 3 of 4 are done and kept."
    assert jobs.next() is None


def test_a_note_on_why_it_waits_is_only_for_what_waits(jobs):
    job = jobs.ask("undo", {}, "ada")
    jobs.wait(job.id, "Waits: pid 3 trains.")
    assert jobs.get(job.id).note == "Waits: pid 3 trains."
    jobs.take("w")
    jobs.wait(job.id, "Waits: pid 4 trains.")
    assert jobs.get(job.id).note == ""


def test_what_a_later_worker_has_to_know_is_kept(jobs):
    job = jobs.ask("undo", {}, "ada")
    jobs.take("w")
    jobs.note_resume(job.id, "w", {"present": "policy@3"})
    assert jobs.get(job.id).resume == {"present": "policy@3"}
    with pytest.raises(StoreError, match="does not come back equal"):
        jobs.note_resume(job.id, "w", {1: 2})


def test_listener_calls_come_back_as_they_were_made(jobs):
    job = jobs.ask("ppo", {"steps": 4}, "ada")
    jobs.take("w")
    events: list[NewEvent] = []
    before, after = Notes(), Notes()
    sample = TrainingSample(
        prompt="p \ud800", now="n\0", step=2, score=0.5, before_version="policy@0"
    )
    for listener in (EventWriter(events.append), before):
        listener.started(done=1, total=4)
        listener.add(2, {"kl": float("inf"), "score": 1e-17}, done=2)
        listener.add(2, {"heldout_loss": 0.25})
        listener.alarm(2, Alarm("KL high", "by 3"))
        listener.show([sample])
        listener.phase("rollout")
        listener.ended("stopped", "Kept as policy@1.")
    jobs.tell(job.id, "w", events)
    for event in jobs.events(job.id):
        replay(event, after)
    before.told[4] = ("show", [sample])
    assert after.told == before.told


TAKE = """
import json, sys
from rlhf_lab.store import PreferenceStore
with PreferenceStore(sys.argv[1]) as store:
    sys.stdin.readline()
    found = []
    while store.jobs.next() is not None:
        job = store.jobs.take(sys.argv[2])
        if job is not None:
            store.jobs.tell(job.id, sys.argv[2], done=1)
            store.jobs.finish(job.id, sys.argv[2], "done", "")
            found.append(job.id)
    print(json.dumps(found))
"""


def test_processes_that_take_at_the_same_time_never_get_the_same_job(store, database):
    ids = [store.jobs.ask("undo", {}, "ada").id for _ in range(30)]
    workers = [start(TAKE, str(database), f"w{n}") for n in range(3)]
    found = []
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, _ = worker.communicate(timeout=60)
        found += json.loads(out)
    assert sorted(found) == sorted(ids)
    assert all((job.state, job.attempts) == ("done", 1) for job in store.jobs.all())
