"""The forms that start the steps of a round: each asks for one job."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.rounds_style import rounds_fragment
from rlhf_lab.dashboard.pages.rounds_words import job_title
from rlhf_lab.dashboard.shell import (
    Act,
    acting,
    choice,
    details,
    field,
    form,
    html,
    join,
    notice,
    sentence,
)
from rlhf_lab.errors import ConfigError
from rlhf_lab.types import MOST_CANDIDATES, START, Job, JobKind
from rlhf_lab.types.training import KL_TARGET

# What a PPO run and a reward update take where nothing is typed; a test holds them to the settings
# themselves, whose module needs torch.
PPO_DEFAULTS: Final = {
    "prompts_per_step": 8,
    "responses_per_prompt": 4,
    "learning_rate": 5e-4,
    "kl_target": KL_TARGET,
    "kl_coef": 0.05,
}
REWARD_DEFAULTS: Final = {"epochs": 2, "learning_rate": 1e-3}
LABELS: Final = {
    "k": "Responses per prompt",
    "prompts": "Prompts",
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "steps": "Steps",
    "prompts_per_step": "Prompts per step",
    "responses_per_prompt": "Responses per prompt",
    "kl": "Price of KL",
    "kl_target": "KL target, nats per response",
    "kl_coef": "Price of KL at first",
    "baseline": "Against",
}
_LONGEST_NUMBER = 20
_ACT_ID = "act-id"


@dataclass(frozen=True, kw_only=True)
class StartForm:
    """What is asked before a job is.

    Attributes:
        kind: Of the job.
        title: Above the form.
        about: What the step does, in a sentence.
        submit: On the button.
        fields: Made anew for every showing, from the names of the policies.
    """

    kind: JobKind
    title: str
    about: str
    submit: str
    fields: Callable[[Sequence[str]], Sequence[Markup]]


def _generate_fields(policies: Sequence[str]) -> Sequence[Markup]:
    return [_needed("k", "4", min="2", max=str(MOST_CANDIDATES)), _needed("prompts", "32", min="1")]


def _reward_fields(policies: Sequence[str]) -> Sequence[Markup]:
    return [_settings(*(_optional(name, value) for name, value in REWARD_DEFAULTS.items()))]


def _ppo_fields(policies: Sequence[str]) -> Sequence[Markup]:
    kl = choice(LABELS["kl"], "kl", {"": "adaptive: meets the target", "fixed": "fixed"})
    numbers = [_optional(name, value) for name, value in PPO_DEFAULTS.items()]
    return [_needed("steps", "8", min="1"), _settings(kl, *numbers)]


def _evaluate_fields(policies: Sequence[str]) -> Sequence[Markup]:
    options = {name: name for name in policies or [START]}
    return [choice(LABELS["baseline"], "baseline", options), _needed("prompts", "64", min="1")]


FORMS: Final[Mapping[JobKind, StartForm]] = {
    one.kind: one
    for one in (
        StartForm(
            kind="generate",
            title="Generate",
            about="The present policy answers prompts, for people to rank.",
            submit="Generate",
            fields=_generate_fields,
        ),
        StartForm(
            kind="reward",
            title="Reward update",
            about="The reward model learns from the rankings that are new to it.",
            submit="Update reward",
            fields=_reward_fields,
        ),
        StartForm(
            kind="ppo",
            title="PPO",
            about="The policy learns from the reward model, and becomes a new version.",
            submit="Start PPO",
            fields=_ppo_fields,
        ),
        StartForm(
            kind="evaluate",
            title="Evaluate",
            about="The present policy against an earlier one, on prompts that never train.",
            submit="Evaluate",
            fields=_evaluate_fields,
        ),
    )
}


class Starting:
    """One form on a page: what is typed, what was wrong with it, and the job it asks for."""

    def __init__(self, context: Context, form: StartForm, asked: Callable[[], None]) -> None:
        """Show the form.

        Args:
            context: Of the page.
            form: What is asked.
            asked: Called when a job was asked for, so that the page shows it at once.
        """
        self._context = context
        self._form = form
        self._asked = asked
        self._offered: tuple[list[str], bool] | None = None
        self._error = ""
        # Of the act that is being prepared: a form that is sent twice asks for one job.
        self._act_id = uuid.uuid4().hex
        self.shown = rounds_fragment(acting(context, self._start))

    def update(self, policies: Sequence[str], *, is_next: bool) -> None:
        """Offer the policies there are, and say whether this step is the next one."""
        if (list(policies), is_next) == self._offered:
            return
        self._offered = list(policies), is_next
        self.shown.put(self._markup())

    def _start(self, act: Act) -> str | None:
        account = self._context.actor.require("ask_job")
        if act.value(_ACT_ID) != self._act_id:
            return "Asked for already."  # a second click, which the page had not heard of yet
        try:
            job = self._ask(act, account.name)
        except ConfigError as error:
            self._error = _told(error)
            self.shown.put(self._markup())
            return None
        self._error, self._act_id = "", uuid.uuid4().hex
        self.shown.put(self._markup())
        self._asked()
        return f"{job_title(job)}: asked for."

    def _ask(self, act: Act, by: str) -> Job:
        typed = {name: act.value(name) for name in act.values if name != _ACT_ID}
        arguments = {name: _read(text) for name, text in typed.items() if text}
        return self._context.jobs.ask(self._form.kind, arguments, by, id=self._act_id)

    def _markup(self) -> Markup:
        form_ = self._form
        policies, is_next = self._offered or ([], False)
        fields = [
            html(
                '<input type="hidden" name="{{ name }}" value="{{ id }}">',
                name=_ACT_ID,
                id=self._act_id,
            ),
            *form_.fields(policies),
        ]
        if self._error:
            fields.append(
                html('<div class="lab-wide">{{ n }}</div>', n=notice("error", self._error))
            )
        return html(
            """
            <section class="rounds-start"{% if is_next %} data-next{% endif %}
            aria-label="{{ form.title }}"><h3>{{ form.title }}</h3>
            <p class="lab-muted lab-small">{{ form.about }}</p>{{ body }}</section>
            """,
            is_next=is_next,
            form=form_,
            body=form(
                form_.kind,
                *fields,
                submit=form_.submit,
                tone="primary" if is_next else "plain",
            ),
        )


def _needed(name: str, value: str, **range_: str) -> Markup:
    return field(LABELS[name], name, value, kind="number", required=True, **range_)


def _optional(name: str, default: float) -> Markup:
    """A field that may be left empty."""
    return field(LABELS[name], name, inputmode="decimal", placeholder=f"{default:g}")


def _settings(*fields: Markup) -> Markup:
    """What few people change, folded."""
    body = html('<div class="lab-form">{{ fields }}</div>', fields=join(*fields))
    return html('<div class="lab-wide">{{ body }}</div>', body=details("Settings", body))


def _told(error: ConfigError) -> str:
    """What is wrong, with the name that the form has for it."""
    name, sign, rest = str(error).partition("=")
    return f"{LABELS[name]} = {rest}" if sign and name in LABELS else sentence(str(error))


def _read(typed: str) -> str | int | float:
    """A number where it is one; anything else is refused by what takes it, in the same words."""
    if len(typed) > _LONGEST_NUMBER:
        return typed
    for number in (int, float):
        with suppress(ValueError):
            return number(typed)
    return typed
