"""Workers killed by SIGKILL: whenever that is, the job is done once, and whole."""

from __future__ import annotations

import random
import shutil
import signal
import time

import pytest

from rlhf_lab import Lab
from tests.dashboard.jobs.dying import MOMENTS, start_worker
from tests.dashboard.jobs.working import SHORT, SMALL, has_done, ppo_config, work
from tests.dashboard.waiting import until
from tests.tiny import same

STEPS = 3


@pytest.fixture(scope="module")
def uninterrupted(taught_folder, tmp_path_factory):
    """Weights and figures of the same steps, made in one go."""
    path = tmp_path_factory.mktemp("uninterrupted") / "lab"
    shutil.copytree(taught_folder, path)
    with Lab(path, progress=False) as lab:
        run = lab.ppo(steps=STEPS, config=ppo_config(lab)).run()
        return present_weights(lab), [stats.score for stats in run.history]


def present_weights(lab: Lab):
    return dict(lab._bench.tree.load(lab.store.version(lab.version)).tensors["policy"])


def steps_of(lab: Lab, name: str) -> int:
    return lab._bench.tree.load(lab.store.version(name)).state["steps_done"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_exactly_the_asked_steps_are_made(moment, lab, path, uninterrupted):
    job = lab.store.jobs.ask("ppo", {"steps": STEPS, **SMALL}, "ada")
    killed = start_worker(path, moment)
    killed.join(120)
    assert killed.exitcode == -signal.SIGKILL
    assert lab.store.jobs.get(job.id).state == "running"  # as far as anybody was told

    work(lab)

    found = lab.store.jobs.get(job.id)
    assert (found.state, found.done, found.attempts) == ("done", STEPS, 2)
    weights, scores = uninterrupted
    assert steps_of(lab, lab.version) == STEPS
    assert same(present_weights(lab), weights)
    assert lab.run_so_far(job.id).steps == STEPS
    made = [v for v in lab.store.versions() if v.role == "policy"][1:]
    assert sum(v.metrics["steps"] for v in made) == STEPS
    assert found.note == f"{STEPS} steps, kept as {made[-1].name}."
    figures = lab.store.metrics("ppo")
    assert [(row.step, row.values["score"]) for row in figures] == list(enumerate(scores, start=1))
    assert not list((path / "checkpoints").glob(".*.writing"))


def test_a_worker_that_is_killed_again_and_again_comes_to_the_same_end(lab, path):
    steps, chance = 5, random.Random(6)
    job = lab.store.jobs.ask("ppo", {"steps": steps, **SMALL}, "ada")
    deaths = 0
    for wanted in (1, 2, 4):
        worker = start_worker(path)
        until(has_done(lab.store, job, wanted), seconds=120)
        time.sleep(chance.uniform(0, 0.3))
        worker.kill()
        worker.join()
        deaths += lab.store.jobs.get(job.id).state == "running"
    assert deaths >= 1  # the last may have come too late
    work(lab)
    found = lab.store.jobs.get(job.id)
    assert (found.state, found.done) == ("done", steps)
    assert deaths <= found.attempts <= 4
    assert steps_of(lab, lab.version) == steps
    assert lab.run_so_far(job.id).steps == steps


def test_responses_are_sampled_once(lab, path):
    """Ids follow from what was asked, so that what is stored is not sampled again."""
    before = {r.id for r in lab.store.responses()}
    job = lab.store.jobs.ask("generate", {"k": 6, "prompts": 12, "heldout": 0.34, **SHORT}, "ada")
    worker = start_worker(path)
    until(has_done(lab.store, job, len(before) + 1), seconds=120)
    worker.kill()
    worker.join()
    kept = {r.id for r in lab.store.responses()}
    work(lab)
    found = lab.store.jobs.get(job.id)
    assert (found.state, found.done, found.total) == ("done", 72, 72)
    after = [r.id for r in lab.store.responses()]
    assert len(after) == len(set(after)) == 72
    assert before < kept <= set(after)
