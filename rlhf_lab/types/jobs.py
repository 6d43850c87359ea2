"""Model work that somebody asked for, and what it may be asked with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from rlhf_lab.errors import ConfigError
from rlhf_lab.types.judgments import MOST_CANDIDATES
from rlhf_lab.types.models import START, VERSION_NAME

JobKind = Literal["generate", "reward", "ppo", "evaluate", "checkout", "undo"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JobEventKind = Literal["started", "phase", "add", "alarm", "show", "ended"]
JOB_KINDS: tuple[JobKind, ...] = get_args(JobKind)
OVER: tuple[JobState, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of model work, as the queue has it.

    Attributes:
        id: Chosen by who asked, so that asking again is no second job.
        kind: What is to be done.
        arguments: Its settings, checked and with defaults filled in.
        state: "queued" until a worker takes it, and again when a worker gave it back.
        asked_by: Who wanted it.
        worker: Which process has it, or had it last.
        beat_at: When that was last heard of.
        attempts: How often it was begun.
        deaths: How many workers died of it in a row, without any of it being done in between.
        done: Steps made, of `total`: PPO steps, responses, or optimizer steps.
        note: What it waits for or goes on from; once it is over, what came of it.
        cancelled_by: Who wants it to end. A running one ends after its present step.
        resume: What the next worker has to know to go on with it.
    """

    id: str
    kind: JobKind
    arguments: Mapping[str, Any]
    state: JobState
    asked_by: str
    asked_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worker: str | None = None
    beat_at: datetime | None = None
    attempts: int = 0
    deaths: int = 0
    done: int = 0
    total: int = 0
    note: str = ""
    cancelled_by: str | None = None
    resume: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in OVER

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has cancelled it and its present step is still being made."""
        return self.state == "running" and self.cancelled_by is not None


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """One thing that a job told: a call of a `TrainingListener`, as JSON."""

    seq: int
    job_id: str
    kind: JobEventKind
    values: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number that a job takes.

    Attributes:
        default: Filled in where none is given; None leaves it to what does the work.
        whole: Whether it is an integer.
        least: The smallest there may be.
        above: What it must be larger than.
        most: The largest there may be.
        below: What it must be smaller than.
    """

    default: float | None = None
    whole: bool = False
    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    below: float = math.inf

    def check(self, name: str, value: object) -> int | float:
        """The value as it is stored.

        Raises:
            ConfigError: it is no number, or outside the range.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{name}={value!r:.40}: {self._rule()}.")
        fits = self.least <= value <= self.most and self.above < value < self.below
        if not math.isfinite(value) or not fits or (self.whole and value != int(value)):
            raise ConfigError(f"{name}={value}: {self._rule()}.")
        return int(value) if self.whole else float(value)

    def _rule(self) -> str:
        ends = {
            "at least": self.least,
            "more than": self.above,
            "at most": self.most,
            "less than": self.below,
        }
        named = [f"{words} {end:g}" for words, end in ends.items() if math.isfinite(end)]
        return " ".join([f"a {'whole ' * self.whole}number", ", ".join(named)]).strip()


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few words, or yes and no."""

    of: tuple[object, ...]
    default: object = None

    def check(self, name: str, value: object) -> object:
        """The value itself.

        Raises:
            ConfigError: it is none of them.
        """
        if not any(type(value) is type(one) and value == one for one in self.of):
            raise ConfigError(f"{name}={value!r:.40}: use {' or '.join(map(repr, self.of))}.")
        return value


@dataclass(frozen=True, kw_only=True)
class VersionName:
    """Name of a version, which need not exist yet: jobs before this one may make it."""

    roles: tuple[str, ...] = ("policy", "reward")
    default: str | None = None
    is_needed: bool = False

    def check(self, name: str, value: object) -> str:
        """The name itself.

        Raises:
            ConfigError: no version is called that.
        """
        match = VERSION_NAME.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[1] not in self.roles:
            named = " or ".join(f"{role}@NUMBER" for role in self.roles)
            raise ConfigError(f"{name}={value!r:.40}: name a version, as {named}.")
        return match[0]


Argument = Number | Choice | VersionName

_SAMPLING: dict[str, Argument] = {
    "temperature": Number(above=0, most=10),
    "max_new_tokens": Number(whole=True, least=1),
}
_COUNT = Number(whole=True, least=1)
ARGUMENTS: Mapping[JobKind, Mapping[str, Argument]] = {
    "generate": {
        "k": Number(default=4, whole=True, least=2, most=MOST_CANDIDATES),
        "prompts": Number(default=32, whole=True, least=1),
        "heldout": Number(default=0.25, least=0, below=1),
        **_SAMPLING,
    },
    "reward": {
        "epochs": _COUNT,
        "learning_rate": Number(above=0, most=1),
        "replay": Number(least=0),
    },
    "ppo": {
        "steps": Number(default=8, whole=True, least=1, most=100_000),
        "learning_rate": Number(above=0, most=1),
        "kl": Choice(of=("adaptive", "fixed")),
        "kl_coef": Number(least=0),
        "kl_target": Number(above=0),
        "prompts_per_step": _COUNT,
        "responses_per_prompt": _COUNT,
        **_SAMPLING,
    },
    "evaluate": {
        "baseline": VersionName(roles=("policy",), default=START),
        "prompts": Number(default=64, whole=True, least=1),
        **_SAMPLING,
    },
    "checkout": {
        "name": VersionName(is_needed=True),
        "with_reward": Choice(of=(True, False), default=True),
    },
    # Without a name the parent of what is present then; jobs before this one may change that.
    "undo": {"to": VersionName(roles=("policy",))},
}


def check_arguments(kind: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a job with defaults filled in; those left to what does the work are absent.

    Raises:
        ConfigError: there is no such kind of job, it has no such setting, lacks one, or one is
            outside its range.
    """
    if kind not in JOB_KINDS:
        raise ConfigError(f"{kind!r:.40} is no kind of job: use one of {', '.join(JOB_KINDS)}.")
    known = ARGUMENTS[kind]
    for name in arguments:
        if name not in known:
            raise ConfigError(
                f"{name!r:.40} is no setting of {kind} jobs: they take {', '.join(known)}."
            )
    found = {}
    for name, argument in known.items():
        value = arguments.get(name, argument.default)
        if value is not None:
            found[name] = argument.check(name, value)
        elif isinstance(argument, VersionName) and argument.is_needed:
            raise ConfigError(f"a {kind} job needs {name}=..., the name of a version.")
    return found
