"""Jobs in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from rlhf_lab.types import Job, JobKind

_TITLES: Final[Mapping[JobKind, Callable[[Job], str]]] = {
    "generate": lambda job: (
        f"Generate {job.arguments['k']} responses to each of "
        f"{many(job.arguments['prompts'], 'prompt')}"
    ),
    "reward": lambda job: "Reward update",
    "ppo": lambda job: f"PPO, {many(job.arguments['steps'], 'step')}",
    "evaluate": lambda job: (
        f"Evaluate against {job.arguments['baseline']} on "
        f"{many(job.arguments['prompts'], 'held-out prompt')}"
    ),
    "checkout": lambda job: (
        f"Check out {job.arguments['name']}"
        + ("" if job.arguments["with_reward"] else ", the reward model stays")
    ),
    "undo": lambda job: f"Undo to {job.arguments['to']}" if "to" in job.arguments else "Undo",
}
# What a title says already, and what is always so.
_TOLD: Final = frozenset(
    {"k", "prompts", "steps", "baseline", "name", "to", "with_reward", "heldout"}
)


def job_title(job: Job) -> str:
    """What a job does."""
    return _TITLES[job.kind](job)


def job_settings(job: Job) -> str:
    """What was chosen beside what the title says."""
    chosen = {name: value for name, value in job.arguments.items() if name not in _TOLD}
    return ", ".join(f"{name.replace('_', ' ')} {_short(v)}" for name, v in chosen.items())


def job_state(job: Job, before: int) -> str:
    """What state an open job is in.

    Args:
        job: Queued or running.
        before: How many jobs are before it.
    """
    if job.is_stopping:
        return f"stopping after its present step, for {job.cancelled_by}"
    if job.state == "running":
        return "running"
    return "next" if before == 0 else f"waits for {many(before, 'job')} before it"


def took(job: Job) -> str:
    """How long a job took from when it was begun; empty for one that never was."""
    if job.started_at is None or job.ended_at is None:
        return ""
    return duration(job.ended_at - job.started_at)


def duration(length: timedelta) -> str:
    """As in "45 s", "3 min" or "2 h 5 min"."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def many(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
