"""The notebook and the dashboard on one lab at once, each a real process."""

from __future__ import annotations

import os

import pytest

from rlhf_lab.annotators import RubricAnnotator, rank_all
from rlhf_lab.errors import LabInUse
from tests.dashboard.jobs.working import ENDLESS, SMALL
from tests.dashboard.waiting import until


def test_one_trains_the_other_says_who_and_people_rank_in_both(taught):
    jobs = taught.store.jobs
    taught.hold("PPO in a notebook")
    with taught.dashboard(patience=120):
        job = jobs.ask("evaluate", {"baseline": "policy@0", "prompts": 2}, "Ada")
        until(lambda: f"pid {os.getpid()}" in jobs.get(job.id).note, seconds=120)
        assert jobs.get(job.id).state == "queued"
        assert rank_all(taught.queue("Bob"), RubricAnnotator()) == 6

        taught.let_go()
        # The present policy against itself: the job has its turn, and says why it came to nothing.
        until(lambda: jobs.get(job.id).state == "failed", seconds=120)

        job = jobs.ask("ppo", {"steps": ENDLESS, **SMALL}, "Ada")
        until(lambda: jobs.get(job.id).done >= 1, seconds=120)
        with pytest.raises(LabInUse, match=r"in use by pid \d+ .*for the jobs of the dashboard"):
            taught.ppo(steps=1)
        assert rank_all(taught.queue("Cleo"), RubricAnnotator()) == 6
        jobs.cancel(job.id, "Ada")
        until(lambda: jobs.get(job.id).state == "cancelled", seconds=120)
    assert taught.version == "policy@1"
    assert len(taught.store.judgments(annotator="Cleo")) == 6
