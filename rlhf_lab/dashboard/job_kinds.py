"""What each kind of job does, through `Lab`: the same calls as in a notebook.

Each may have been begun before by a worker that died at any moment. What such a one has done is
not done again: PPO steps say in their checkpoints which run they belong to, responses have ids
that follow from what was asked, and of the others the job notes beforehand what was present.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from rlhf_lab.lab import Lab
from rlhf_lab.store import evaluations
from rlhf_lab.types import Job, JobKind, RunEnd, Sampling, TrainingListener

_OF_SAMPLING = ("temperature", "max_new_tokens")


class Told(Protocol):
    """What a job tells while it is done, and what it is told."""

    @property
    def listener(self) -> TrainingListener:
        """Is told what happens."""

    @property
    def end(self) -> RunEnd | None:
        """How what the listener heard of has ended."""

    def is_cancelled(self) -> bool:
        """Whether somebody wants it to end."""

    def is_stopped(self) -> bool:
        """The same, or the worker has to end."""

    def remember(self, facts: Mapping[str, Any]) -> None:
        """Keep what a later worker has to know, on disk when this returns."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job; "stopped" if it was ended on the way."""

    state: Literal["done", "stopped"]
    note: str


def do(lab: Lab, job: Job, told: Told) -> Outcome:
    """Do a job, or what is left of it.

    Raises:
        Stopped: it was ended on the way, and there is nothing to say of it but the message.
        LabError: it cannot be done; the message says why.
    """
    return _KINDS[job.kind](lab, job, told)


def needs_model(job: Job) -> bool:
    """Whether it cannot be done without the model in memory."""
    return job.kind not in ("checkout", "undo")


def steps_kept(lab: Lab, job: Job) -> int:
    """How much of it is done for good, whatever the worker had time to tell."""
    if job.kind == "ppo" and (before := lab.run_so_far(job.id)) is not None:
        return before.steps
    return job.done


def _generate(lab: Lab, job: Job, told: Told) -> Outcome:
    asked = job.arguments
    batch = lab.generate(
        k=asked["k"],
        prompts=asked["prompts"],
        heldout=asked["heldout"],
        sampling=_sampling(lab, asked),
        listener=told.listener,
        stopped=told.is_stopped,
    )
    _prioritise(lab)
    return Outcome("done", f"{batch}.")


def _reward(lab: Lab, job: Job, told: Told) -> Outcome:
    """All or nothing: a worker that has to end makes it whole first, and so can be waited for."""
    from rlhf_lab.training import RewardConfig

    before = lab.store.get_setting("head.reward")
    if job.resume and job.resume["before"] != before:
        return Outcome("done", f"Made {before}.")
    told.remember({"before": before})
    config = RewardConfig(seed=lab.seed, **job.arguments)
    report = lab.update_reward(config, listener=told.listener, stopped=told.is_cancelled)
    if report.version == before:
        return Outcome("done", f"No rankings that {before} has not learned: it is what it was.")
    _prioritise(lab)
    return Outcome("stopped" if told.end == "stopped" else "done", f"{report}.")


def _ppo(lab: Lab, job: Job, told: Told) -> Outcome:
    from rlhf_lab.training import PPOConfig

    settings = {n: x for n, x in job.arguments.items() if n not in ("steps", *_OF_SAMPLING)}
    config = PPOConfig(sampling=_sampling(lab, job.arguments), **settings)
    run = lab.ppo(job.arguments["steps"], config, name=job.id)
    run.watch(told.listener)
    if told.is_stopped():  # while the model was loaded
        run.stop()
    for _ in run:
        if told.is_stopped():
            run.stop()
    kept = f", kept as {run.version.name}" if run.done and run.version else ""
    alarms = f" Alarms: {', '.join(alarm.name for alarm in run.alarms)}." if run.alarms else ""
    if run.done < run.steps:
        return Outcome("stopped", f"{run.done} of {run.steps} steps{kept}.{alarms}")
    return Outcome("done", f"{run.steps} {'step' if run.steps == 1 else 'steps'}{kept}.{alarms}")


def _evaluate(lab: Lab, job: Job, told: Told) -> Outcome:
    asked, version = job.arguments, lab.version
    logged = evaluations(lab.store, version)
    if job.resume.get("version") == version and len(logged) > job.resume["logged"]:
        found = logged[-1].found
        if found.baseline == asked["baseline"]:
            return Outcome("done", f"{version} against {found.baseline}: {found.win_rate}.")
    told.remember({"version": version, "logged": len(logged)})
    report = lab.evaluate(
        asked["baseline"],
        prompts=asked["prompts"],
        sampling=_sampling(lab, asked),
        listener=told.listener,
        stopped=told.is_stopped,
    )
    return Outcome("done", f"{report}.")


def _checkout(lab: Lab, job: Job, told: Told) -> Outcome:
    asked = job.arguments
    version = lab.checkout(asked["name"], with_reward=asked["with_reward"])
    return Outcome("done", f"{version.name} is the present {_called(version.role)}.")


def _undo(lab: Lab, job: Job, told: Told) -> Outcome:
    present = lab.version
    if job.resume and job.resume["present"] != present:
        return Outcome("done", f"Back from {job.resume['present']} to {present}.")
    told.remember({"present": present})
    to = job.arguments.get("to")
    back = lab.undo() if to is None else lab.checkout(to, with_reward=False)
    return Outcome("done", f"Back from {present} to {back.name}.")


_KINDS: dict[JobKind, Callable[[Lab, Job, Told], Outcome]] = {
    "generate": _generate,
    "reward": _reward,
    "ppo": _ppo,
    "evaluate": _evaluate,
    "checkout": _checkout,
    "undo": _undo,
}


def _prioritise(lab: Lab) -> None:
    """What pages hand out by: they have no model, and go by what was reckoned last."""
    if lab.plan.strategy == "informative":
        lab.prioritise()


def _sampling(lab: Lab, asked: Mapping[str, Any]) -> Sampling:
    return replace(lab.sampling, **{n: asked[n] for n in _OF_SAMPLING if n in asked})


def _called(role: str) -> str:
    return "reward model" if role == "reward" else role
