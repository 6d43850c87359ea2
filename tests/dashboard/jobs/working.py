"""What the tests of jobs share: small settings, and a worker in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

from rlhf_lab import Lab, PPOConfig
from rlhf_lab.dashboard.worker import Worker
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Job, Sampling

SHORT = {"temperature": 0.9, "max_new_tokens": 10}
SMALL = {"prompts_per_step": 2, "responses_per_prompt": 2, **SHORT}
ENDLESS = 100_000


def sampling(lab: Lab) -> Sampling:
    return replace(lab.sampling, **SHORT)


def ppo_config(lab: Lab) -> PPOConfig:
    return PPOConfig(prompts_per_step=2, responses_per_prompt=2, sampling=sampling(lab))


def work(lab: Lab, **options) -> None:
    """Do everything that waits, or was left by a worker that was killed."""
    lab.let_go()  # a worker begins without the lock that the test itself may have taken
    if lab.store.jobs.open():  # one that has had nothing to do waits for something
        Worker(lab, stay=0, **options).run()


@contextmanager
def working(lab: Lab, **options) -> Iterator[Worker]:
    """A worker in a thread of its own, which leaves in the end."""
    lab.let_go()
    worker = Worker(lab, **options)
    thread = Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.leave()
        thread.join()


def has_done(store: PreferenceStore, job: Job, steps: int) -> Callable[[], bool]:
    return lambda: store.jobs.get(job.id).done >= steps


def is_over(store: PreferenceStore, job: Job) -> Callable[[], bool]:
    return lambda: store.jobs.get(job.id).is_over
