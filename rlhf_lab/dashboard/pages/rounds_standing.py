"""The strip that tells where a round stands, and which of its steps comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from markupsafe import Markup

from rlhf_lab.dashboard.pages.rounds_style import rounds_fragment
from rlhf_lab.dashboard.pages.rounds_words import job_title, many
from rlhf_lab.dashboard.shell import badge, heading, html, join, link
from rlhf_lab.store.standing import Standing
from rlhf_lab.types import START, Job

StepName = Literal["generate", "rank", "reward", "ppo", "evaluate"]
_STEPS: tuple[str, ...] = get_args(StepName)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a round.

    Attributes:
        name: A kind of job, or "rank" for what people do.
        title: What it is called.
        figure: What there is of it.
    """

    name: StepName
    title: str
    figure: str


@dataclass(frozen=True, kw_only=True)
class Next:
    """What to do now.

    Attributes:
        step: Which step it is; None before the first prompt.
        text: Why, in a sentence.
        page: Where it is done, if on another page.
        page_title: What that is called.
    """

    step: StepName | None
    text: str
    page: str = ""
    page_title: str = ""


def steps(standing: Standing) -> list[Step]:
    """The round, step by step, with what there is of each."""
    with_reward = f" with {standing.reward}" if standing.reward else ""
    since = f" since {standing.reward}" if standing.reward else ""
    return [
        Step(
            name="generate",
            title="Generate",
            figure=many(standing.responses, "response") + f" of {standing.policy}",
        ),
        Step(
            name="rank",
            title="People rank",
            figure=f"{standing.ranked} of {many(standing.items, 'item')} ranked",
        ),
        Step(
            name="reward",
            title="Reward update",
            figure=many(standing.rankings, "new ranking") + since,
        ),
        Step(name="ppo", title="PPO", figure=f"from {standing.policy}{with_reward}"),
        Step(name="evaluate", title="Evaluate", figure=_evaluated(standing)),
    ]


def next_step(standing: Standing) -> Next:
    """Which step comes next, and why."""
    policy = standing.policy
    if standing.prompts == 0:
        text = "The lab has no prompts yet: everything begins with some."
        return Next(step=None, text=text, page="/data", page_title="Add prompts")
    if standing.responses == 0:
        return _of_a_silent_policy(standing)
    if standing.rankings == 0 and _is_unused(standing):
        text = f"{standing.reward} has learned all that was ranked: let {policy} learn from it."
        return Next(step="ppo", text=text)
    if standing.ranked < standing.items:
        return _ranking(standing)
    if standing.rankings:
        text = f"Everything is ranked: {many(standing.rankings, 'ranking')} to learn from."
        return Next(step="reward", text=text)
    text = "All that was ranked has been learned from: generate responses to more prompts."
    return Next(step="generate", text=text)


def working_on(open_jobs: Sequence[Job]) -> Job | None:
    """The step of the round that is being made or was asked for: until then none comes next."""
    return next((job for job in open_jobs if job.kind in _STEPS), None)


class Strip:
    """The top of the page: where the round stands, and what is in the way."""

    def __init__(self) -> None:
        """Show nothing before `update`."""
        self._seen: tuple[Standing, Sequence[Job], Markup] | None = None
        self.shown = rounds_fragment()

    def update(self, standing: Standing, open_jobs: Sequence[Job], in_the_way: Markup) -> None:
        """Show this.

        Args:
            standing: What there is.
            open_jobs: In the order in which they will be done.
            in_the_way: What is to be known of the worker.
        """
        seen = (standing, open_jobs, in_the_way)
        if seen != self._seen:
            self._seen = seen
            self.shown.put(join(heading("Rounds"), _strip(standing, open_jobs), in_the_way))


def _strip(standing: Standing, open_jobs: Sequence[Job]) -> Markup:
    now, ahead = working_on(open_jobs), next_step(standing)
    return html(
        """
        <section class="lab-card" aria-label="Where the round stands">
        <div class="lab-heading"><h2>{{ standing.policy }}
        {%- if standing.reward %} with {{ standing.reward }}{% endif %}</h2>
        <span class="lab-muted">{{ prompts }} in the lab</span></div>
        <ol class="rounds-steps">{{ steps }}</ol>
        <div class="lab-row lab-spread"><p class="rounds-next">{{ words }}</p>
        {% if page %}{{ page }}{% endif %}</div></section>
        """,
        standing=standing,
        prompts=many(standing.prompts, "prompt"),
        steps=join(*(_step(step, _state(step, ahead, open_jobs)) for step in steps(standing))),
        words=_in_words("Next", ahead.text) if now is None else _of_a_job(now),
        page=link(ahead.page_title, ahead.page, tone="primary") if ahead.page and not now else "",
    )


def _state(step: Step, ahead: Next, open_jobs: Sequence[Job]) -> str:
    states = {job.state for job in open_jobs if job.kind == step.name}
    if states:
        return "running" if "running" in states else "asked for"
    return "next" if working_on(open_jobs) is None and step.name == ahead.step else ""


def _step(step: Step, state: str) -> Markup:
    return html(
        """
        <li data-row="{{ step.name }}" data-state="{{ state }}"
        {% if state in ("next", "running") %}aria-current="step"{% endif %}>
        <span class="rounds-title">{{ step.title }}{% if state %} {{ badge }}{% endif %}</span>
        <span class="lab-muted lab-small lab-number">{{ step.figure }}</span></li>
        """,
        step=step,
        state=state,
        badge=badge(state, "ok" if state == "running" else "info"),
    )


def _in_words(when: str, text: str) -> Markup:
    return html("<strong>{{ when }}:</strong> {{ text }}", when=when, text=text)


def _of_a_job(job: Job) -> Markup:
    when = "Now" if job.state == "running" else "Next"
    made = f", {job.done:,} of {job.total:,}" if job.done else ""
    text = f"{job_title(job)}{made}, asked for by {job.asked_by}. Ranking goes on meanwhile."
    return _in_words(when, text)


def _of_a_silent_policy(standing: Standing) -> Next:
    policy = standing.policy
    if policy != START and not standing.is_evaluated:
        text = f"{policy} is new: see whether it is better than the one before."
        return Next(step="evaluate", text=text)
    return Next(step="generate", text=f"{policy} has written nothing yet: generate responses.")


def _ranking(standing: Standing) -> Next:
    left = standing.items - standing.ranked
    text = f"{many(left, 'item')} of {standing.policy} {'has' if left == 1 else 'have'} no ranking"
    if standing.rankings:
        text += f" yet; {many(standing.rankings, 'ranking')} can be learned from at any time"
    return Next(step="rank", text=f"{text}.", page="/rank", page_title="Rank")


def _is_unused(standing: Standing) -> bool:
    """Whether there is a reward model that the present policy has not learned from."""
    return standing.reward is not None and standing.reward not in standing.trained_with


def _evaluated(standing: Standing) -> str:
    return f"{standing.policy}: {'done' if standing.is_evaluated else 'not yet'}"
