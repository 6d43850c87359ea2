"""What was asked for: what runs, what waits, and what became of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.rounds_style import rounds_fragment
from rlhf_lab.dashboard.pages.rounds_words import job_settings, job_state, job_title, took
from rlhf_lab.dashboard.shell import (
    Act,
    acting,
    badge,
    button,
    details,
    each,
    html,
    join,
    progress,
    time,
)
from rlhf_lab.types import Job

SHOWN = 5
"""So many finished jobs are in sight; the others are unfolded."""

_TONES: Final[Mapping[str, Literal["ok", "error"]]] = {"done": "ok", "failed": "error"}


class Queue:
    """The jobs on a page, with cancel and retry."""

    def __init__(self, context: Context) -> None:
        """Show nothing before `update`."""
        self._context = context
        self._jobs: tuple[Sequence[Job], Sequence[Job]] | None = None
        self.shown = rounds_fragment(acting(context, each(cancel=self._cancel, retry=self._retry)))

    def update(self, open_jobs: Sequence[Job], latest: Sequence[Job]) -> None:
        """Show these: in the order they will be done, and the newest first."""
        if (open_jobs, latest) != self._jobs:
            self._jobs = open_jobs, latest
            self.shown.put(_queue(open_jobs, [job for job in latest if job.is_over]))

    def _cancel(self, act: Act) -> str:
        account = self._context.actor.require("cancel_job")
        job = self._context.jobs.cancel(act.key, account.name)
        self._read()
        if job.is_stopping:
            return f"{job_title(job)}: ends after its present step."
        return f"{job_title(job)}: {job.state}."

    def _retry(self, act: Act) -> str:
        account = self._context.actor.require("ask_job")
        jobs = self._context.jobs
        old = jobs.get(act.key)
        if any(_is_same(old, job) for job in jobs.open()):
            return f"{job_title(old)}: asked for already."  # a second click, or somebody else's
        jobs.retry(old.id, account.name)
        self._read()
        return f"{job_title(old)}: asked for again."

    def _read(self) -> None:
        self.update(self._context.jobs.open(), self._context.jobs.all())


def _queue(open_jobs: Sequence[Job], over: Sequence[Job]) -> Markup:
    if not open_jobs and not over:
        return html('<p class="lab-muted">Nothing was asked for yet: start a step above.</p>')
    parts = [_open_list(open_jobs)]
    if over:
        parts += [html("<h3>Latest</h3>"), _over_list(over[:SHOWN], open_jobs)]
    if len(over) > SHOWN:
        parts.append(details("Earlier", _over_list(over[SHOWN:], open_jobs)))
    return join(*parts)


def _open_list(jobs: Sequence[Job]) -> Markup:
    if not jobs:
        return html('<p class="lab-muted">Nothing is running and nothing waits.</p>')
    return _list([_open_job(job, before) for before, job in enumerate(jobs)])


def _over_list(jobs: Sequence[Job], open_jobs: Sequence[Job]) -> Markup:
    return _list([_over_job(job, open_jobs) for job in jobs])


def _is_same(one: Job, other: Job) -> bool:
    """Whether two jobs do the same."""
    return (one.kind, one.arguments) == (other.kind, other.arguments)


def _list(items: Sequence[Markup]) -> Markup:
    return html('<ol class="rounds-jobs">{{ items }}</ol>', items=join(*items))


def _open_job(job: Job, before: int) -> Markup:
    return html(
        """
        <li data-row="{{ job.id }}"><div class="rounds-job"><span class="lab-strong">{{ title }}
        </span>{{ state }}{% if cancel %}<span class="rounds-act">{{ cancel }}</span>{% endif %}
        </div>{% if bar %}{{ bar }}{% endif %}
        {% if job.note %}<p class="lab-wrap">{{ job.note }}</p>{% endif %}
        <p class="lab-muted lab-small lab-wrap">{{ job.asked_by }} asked {{ asked }}
        {%- if settings %} · {{ settings }}{% endif %}</p></li>
        """,
        job=job,
        title=job_title(job),
        state=badge(
            job_state(job, before),
            "warn" if job.is_stopping else "ok" if job.state == "running" else "plain",
        ),
        cancel=None if job.cancelled_by else _cancel_button(job),
        bar=_bar(job) if job.state == "running" or job.done else None,
        asked=time(job.asked_at),
        settings=job_settings(job),
    )


def _over_job(job: Job, open_jobs: Sequence[Job]) -> Markup:
    length = took(job)
    is_undone = job.state in ("failed", "cancelled")
    can_retry = is_undone and not any(_is_same(job, other) for other in open_jobs)
    return html(
        """
        <li data-row="{{ job.id }}"><div class="rounds-job"><span class="lab-strong">{{ title }}
        </span>{{ state }}{% if retry %}<span class="rounds-act">{{ retry }}</span>{% endif %}</div>
        {% if job.note %}<p class="lab-wrap">{{ job.note }}</p>{% endif %}
        <p class="lab-muted lab-small lab-wrap">{{ job.asked_by }} asked {{ asked }}
        {%- if length %} · took {{ length }}{% endif %}
        {%- if settings %} · {{ settings }}{% endif %}</p></li>
        """,
        job=job,
        title=job_title(job),
        state=badge(job.state, _TONES.get(job.state, "plain")),
        retry=_retry_button(job) if can_retry else None,
        asked=time(job.asked_at),
        length=length,
        settings=job_settings(job),
    )


def _bar(job: Job) -> Markup:
    label = f"{job.done:,} of {job.total:,}" if job.total else "Beginning"
    return html(
        """
        <div class="rounds-bar">{{ bar }}<span class="lab-small lab-muted lab-number">{{ label }}
        </span></div>
        """,
        bar=progress(job.done, job.total),
        label=label,
    )


def _cancel_button(job: Job) -> Markup:
    running = job.state == "running"
    return button(
        "Stop" if running else "Cancel",
        "cancel",
        key=job.id,
        small=True,
        tone="danger" if running else "plain",
        label=f"{'Stop' if running else 'Cancel'}: {job_title(job)}",
        confirm=(
            f"Stop “{job_title(job)}” after its present step? What is done is kept."
            if running
            else ""
        ),
    )


def _retry_button(job: Job) -> Markup:
    return button(
        "Try again", "retry", key=job.id, small=True, label=f"Try again: {job_title(job)}"
    )
