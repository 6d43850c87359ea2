"""What a worker makes of the queue; here it runs in the process of the tests."""

from __future__ import annotations

import shutil

import pytest
from filelock import FileLock

from rlhf_lab import Lab
from rlhf_lab.dashboard.job_kinds import steps_kept
from rlhf_lab.dashboard.worker import wait_for_place
from rlhf_lab.errors import LabInUse
from rlhf_lab.store import TrainingLock
from tests.dashboard.jobs.working import (
    ENDLESS,
    SHORT,
    SMALL,
    has_done,
    is_over,
    ppo_config,
    sampling,
    work,
    working,
)
from tests.dashboard.waiting import until
from tests.lab.labs import tell
from tests.store.helpers import start
from tests.tiny import same


def ended(lab: Lab, job) -> tuple[str, str]:
    found = lab.store.jobs.get(job.id)
    return found.state, found.note


def weights(lab: Lab, name: str):
    return dict(lab._bench.tree.load(lab.store.version(name)).tensors["policy"])


def test_jobs_do_what_the_same_calls_do_in_a_notebook(lab, taught_folder, tmp_path):
    jobs = lab.store.jobs
    asked = [
        jobs.ask("generate", {"k": 3, "prompts": 8, **SHORT}, "ada"),
        jobs.ask("ppo", {"steps": 2, **SMALL}, "ada"),
        jobs.ask("evaluate", {"prompts": 3, **SHORT}, "ada"),
        jobs.ask("undo", {}, "ada"),
        jobs.ask("checkout", {"name": "policy@1"}, "ada"),
        jobs.ask("reward", {}, "ada"),
    ]
    work(lab)
    generate, ppo, evaluate, undo, checkout, reward = (jobs.get(job.id) for job in asked)
    shutil.copytree(taught_folder, tmp_path / "by hand")
    with Lab(tmp_path / "by hand", progress=False) as other:
        batch = other.generate(k=3, prompts=8, sampling=sampling(other))
        run = other.ppo(steps=2, config=ppo_config(other)).run()
        report = other.evaluate(prompts=3, sampling=sampling(other))
        assert tell(lab) == tell(other)
        assert same(weights(lab, "policy@1"), weights(other, "policy@1"))
        figures = [m.values for m in lab.store.metrics("ppo")]
        assert [f["score"] for f in figures] == [s.score for s in run.history]
        assert (
            lab.store.metrics("evaluation")[0].values == other.store.metrics("evaluation")[0].values
        )
    assert {job.state for job in (generate, ppo, evaluate, undo, checkout, reward)} == {"done"}
    assert (generate.note, generate.done, generate.total) == (f"{batch}.", 24, 24)
    assert (ppo.note, ppo.done, ppo.total) == ("2 steps, kept as policy@1.", 2, 2)
    assert (evaluate.note, evaluate.done, evaluate.total) == (f"{report}.", 6, 6)
    assert undo.note == "Back from policy@1 to policy@0."
    assert checkout.note == "policy@1 is the present policy."
    assert reward.note == "No rankings that reward@0 has not learned: it is what it was."
    assert lab.version == "policy@1"
    steps = [e.values["done"] for e in jobs.events(ppo.id) if e.kind == "add"]
    assert steps == [1, 2]


def test_a_reward_update_tells_its_losses_and_makes_a_version(lab):
    lab.generate(k=3, prompts=8, sampling=sampling(lab))
    assert lab.annotate() > 0
    job = lab.store.jobs.ask("reward", {"epochs": 2, "learning_rate": 0.01}, "ada")
    work(lab)
    state, note = ended(lab, job)
    assert state == "done"
    assert note.startswith("reward@1: ")
    told = [e.values["figures"] for e in lab.store.jobs.events(job.id) if e.kind == "add"]
    losses = [figures["loss"] for figures in told if "loss" in figures]
    assert len(losses) == lab.store.jobs.get(job.id).done == lab.store.jobs.get(job.id).total
    assert lab.store.get_setting("head.reward") == "reward@1"


def test_undo_goes_to_the_policy_that_was_named_whatever_came_in_between(lab):
    lab.ppo(steps=1, config=ppo_config(lab)).run()
    lab.let_go()
    lab.store.jobs.ask("ppo", {"steps": 1, **SMALL}, "ada")
    undo = lab.store.jobs.ask("undo", {"to": "policy@0"}, "ada")
    work(lab)
    assert lab.store.jobs.get(undo.id).note == "Back from policy@2 to policy@0."
    assert (lab.version, lab.store.get_setting("head.reward")) == ("policy@0", "reward@0")


def test_a_cancelled_ppo_job_ends_after_its_step_which_is_kept(lab):
    job = lab.store.jobs.ask("ppo", {"steps": ENDLESS, **SMALL}, "ada")
    after = lab.store.jobs.ask("undo", {}, "ada")
    with working(lab):
        until(has_done(lab.store, job, 1))
        lab.store.jobs.cancel(job.id, "bob")
        until(is_over(lab.store, after))
    found = lab.store.jobs.get(job.id)
    assert found.state == "cancelled"
    assert found.note == f"Cancelled by bob: {found.done} of {ENDLESS} steps, kept as policy@1."
    assert found.done == lab.store.version("policy@1").metrics["steps"]
    assert found.done == len(lab.store.metrics("ppo"))
    assert ended(lab, after) == ("done", "Back from policy@1 to policy@0.")


def test_a_job_that_cannot_be_done_fails_with_the_reason_and_the_next_one_begins(lab):
    jobs = lab.store.jobs
    wrong = jobs.ask("checkout", {"name": "policy@7"}, "ada")
    itself = jobs.ask("evaluate", {"baseline": "policy@0"}, "ada")
    right = jobs.ask("checkout", {"name": "policy@0"}, "ada")
    work(lab)
    assert jobs.get(wrong.id).state == jobs.get(itself.id).state == "failed"
    assert "'policy@7' is not a version of this lab: did you mean" in jobs.get(wrong.id).note
    assert "is the present policy, and a policy only ties with itself" in jobs.get(itself.id).note
    assert jobs.get(right.id).state == "done"


def test_a_programs_error_fails_the_job_and_not_the_worker(lab, monkeypatch):
    def broken(*_args, **_options):
        raise ZeroDivisionError("by 0")

    monkeypatch.setattr(Lab, "undo", broken)
    first = lab.store.jobs.ask("undo", {}, "ada")
    second = lab.store.jobs.ask("checkout", {"name": "policy@0"}, "ada")
    work(lab)
    assert ended(lab, first) == ("failed", "ZeroDivisionError: by 0")
    assert ended(lab, second)[0] == "done"


def left_by_a_dead_worker(lab: Lab, kind: str, arguments: dict, resume: dict):
    job = lab.store.jobs.ask(kind, arguments, "ada")
    lab.store.jobs.take("dead")
    lab.store.jobs.note_resume(job.id, "dead", resume)
    return job


def test_what_a_dead_worker_had_done_and_not_told_is_not_done_again(lab):
    lab.ppo(steps=1, config=ppo_config(lab)).run()
    evaluate = {"prompts": 3, **SHORT}
    job = left_by_a_dead_worker(lab, "evaluate", evaluate, {"version": "policy@1", "logged": 0})
    report = lab.evaluate(prompts=3, sampling=sampling(lab))
    work(lab)
    assert ended(lab, job) == ("done", f"policy@1 against policy@0: {report.win_rate}.")
    assert len(lab.store.metrics("evaluation")) == 1

    job = left_by_a_dead_worker(lab, "undo", {}, {"present": "policy@1"})
    lab.undo()
    work(lab)
    assert ended(lab, job) == ("done", "Back from policy@1 to policy@0.")

    lab.generate(k=3, prompts=8, sampling=sampling(lab))
    lab.annotate()
    job = left_by_a_dead_worker(lab, "reward", {}, {"before": "reward@0"})
    lab.update_reward()
    work(lab)
    assert ended(lab, job) == ("done", "Made reward@1.")
    assert [v.name for v in lab.store.versions()] == [
        "policy@0",
        "reward@0",
        "policy@1",
        "reward@1",
    ]


def test_what_a_dead_worker_had_noted_and_not_done_is_done(lab):
    lab.ppo(steps=1, config=ppo_config(lab)).run()
    job = left_by_a_dead_worker(lab, "undo", {}, {"present": "policy@1"})
    work(lab)
    assert ended(lab, job) == ("done", "Back from policy@1 to policy@0.")
    assert (lab.version, lab.store.jobs.get(job.id).attempts) == ("policy@0", 2)


def die(lab: Lab, times: int) -> None:
    for _ in range(times):
        lab.store.jobs.take("dead")
        lab.store.jobs.recover()


def test_a_job_that_three_workers_died_of_fails(lab):
    lab.ppo(steps=1, config=ppo_config(lab)).run()
    job = lab.store.jobs.ask("ppo", {"steps": 3, **SMALL}, "ada")
    die(lab, 3)
    work(lab, after="by SIGKILL, as systems do when memory runs out")
    state, note = ended(lab, job)
    assert state == "failed"
    assert note.startswith("3 workers died of it in a row, the last by SIGKILL, as systems do when")
    assert lab.version == "policy@1"


def test_a_step_that_was_kept_and_not_told_counts_as_progress(lab):
    job = lab.store.jobs.ask("ppo", {"steps": 2, **SMALL}, "ada")
    next(iter(run := lab.ppo(steps=2, config=ppo_config(lab), name=job.id)))
    run.stop()
    del run  # the loop is left, and what it made is a version
    assert steps_kept(lab, job) == 1
    die(lab, 3)
    work(lab)
    assert ended(lab, job) == ("done", "2 steps, kept as policy@2.")
    assert lab.store.version("policy@2").metrics["steps"] == 1


def test_a_run_that_others_went_away_from_is_not_gone_on_with(lab):
    job = lab.store.jobs.ask("ppo", {"steps": 3, **SMALL}, "ada")
    lab.ppo(steps=1, config=ppo_config(lab), name=job.id).run()
    lab.checkout("policy@0")
    # It asked for three steps and made one; what follows is somebody's decision now.
    lab.store.jobs.take("dead")
    work(lab)
    assert ended(lab, job) == (
        "failed",
        "1 of 3 steps are kept as policy@1, and now policy@0 is the present policy: check out "
        "policy@1 and start a new run of the 2 steps that are left.",
    )


HOLD = """
import sys
from pathlib import Path
from rlhf_lab.store import TrainingLock
with TrainingLock(Path(sys.argv[1]), purpose="PPO in a notebook"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_job_waits_for_whoever_trains_and_then_begins_by_itself(lab, path):
    notebook = start(HOLD, str(path))
    assert notebook.stdout.readline() == "held\n"
    job = lab.store.jobs.ask("undo", {}, "ada")
    lab.store.jobs.ask("checkout", {"name": "policy@0"}, "ada")
    with working(lab, stay=0):
        until(lambda: "PPO in a notebook" in lab.store.jobs.get(job.id).note)
        waiting = lab.store.jobs.get(job.id)
        assert (waiting.state, waiting.attempts) == ("queued", 0)
        assert f"pid {notebook.pid}" in waiting.note
        notebook.communicate("go on\n", timeout=30)
        until(lambda: lab.store.jobs.open() == [])
    assert ended(lab, job) == ("failed", "policy@0 is the start: there is nothing to undo.")


def test_an_idle_worker_gives_the_lab_back_and_says_whose_it_was(lab, path):
    job = lab.store.jobs.ask("ppo", {"steps": ENDLESS, **SMALL}, "ada")
    with working(lab, hold=0):
        until(has_done(lab.store, job, 1))
        with pytest.raises(LabInUse, match="for the jobs of the dashboard since"):
            TrainingLock(path).acquire()
        lab.store.jobs.cancel(job.id, "ada")
        until(lambda: is_free(path))
        again = lab.store.jobs.ask("undo", {}, "ada")
        until(is_over(lab.store, again))
    assert ended(lab, again)[0] == "done"


def is_free(path) -> bool:
    try:
        with TrainingLock(path):
            return True
    except LabInUse:
        return False


def test_a_worker_that_has_to_leave_puts_its_job_back_with_its_steps(lab):
    job = lab.store.jobs.ask("ppo", {"steps": ENDLESS, **SMALL}, "ada")
    with working(lab):
        until(has_done(lab.store, job, 1))
    found = lab.store.jobs.get(job.id)
    assert (found.state, found.deaths) == ("queued", 0)
    assert found.note.startswith(f"{found.done} of {ENDLESS} steps, kept as policy@1. It goes on")
    assert found.done == lab.store.version("policy@1").metrics["steps"]


def test_there_is_one_worker_in_a_lab(path):
    with FileLock(path / "worker.lock"):
        turns = iter([False, False, True])
        assert wait_for_place(path, lambda: next(turns)) is None
    lock = wait_for_place(path, lambda: False)
    assert lock.is_locked
    lock.release()
