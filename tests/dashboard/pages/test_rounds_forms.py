"""The forms that start a step: what they ask for, and what they say of what is wrong."""

import re

import pytest

from rlhf_lab.dashboard.pages.rounds_forms import (
    FORMS,
    PPO_DEFAULTS,
    REWARD_DEFAULTS,
    Starting,
)
from rlhf_lab.dashboard.shell import Act, messages
from rlhf_lab.training import PPOConfig, RewardConfig


@pytest.fixture
def forms(context):
    made = {kind: Starting(context, form, lambda: None) for kind, form in FORMS.items()}
    for form in made.values():
        form.update([], is_next=False)
    return made


def defaults(form: Starting) -> dict[str, str]:
    """What a form holds that nobody typed into, by the names of its fields."""
    fields = re.findall(r'name="([\w-]+)"\s+value="([^"]*)"', form.shown.html)
    selects = re.findall(
        r'<select[^>]*name="(\w+)"[^>]*>\s*<option value="([^"]*)"', form.shown.html
    )
    return dict(fields + selects)


def send(form: Starting, **typed: str) -> None:
    form.shown.act(Act(name="send", key="", values={**defaults(form), **typed}))


def test_each_form_as_it_stands_asks_for_one_job(forms, context, jobs):
    for form in forms.values():
        send(form)
    asked = [(job.kind, dict(job.arguments), job.asked_by) for job in jobs.open()]
    assert asked == [
        ("generate", {"k": 4, "prompts": 32, "heldout": 0.25}, "ada"),
        ("reward", {}, "ada"),
        ("ppo", {"steps": 8}, "ada"),
        ("evaluate", {"baseline": "policy@0", "prompts": 64}, "ada"),
    ]
    assert "Evaluate against policy@0 on 64 held-out prompts: asked for." in (
        messages(context).html
    )


def test_what_is_typed_becomes_the_settings(forms, jobs):
    send(forms["ppo"], steps="3", learning_rate="3e-4", kl="fixed", kl_coef="0.2")
    [job] = jobs.open()
    assert job.arguments == {
        "steps": 3,
        "learning_rate": 3e-4,
        "kl": "fixed",
        "kl_coef": 0.2,
    }


@pytest.mark.parametrize(
    ("kind", "typed", "told"),
    [
        ("ppo", {"steps": "0"}, "Steps = 0: a whole number at least 1"),
        ("ppo", {"steps": "many"}, "a whole number at least 1"),
        ("ppo", {"learning_rate": "nan"}, "Learning rate = nan: a number"),
        ("ppo", {"steps": "9" * 400}, "a whole number at least 1"),
        ("generate", {"k": "1"}, "Responses per prompt = 1: a whole number at least 2"),
        ("generate", {"k": "2.5"}, "Responses per prompt = 2.5: a whole number"),
        ("evaluate", {"baseline": "reward@0"}, "name a version, as policy@NUMBER"),
        ("reward", {"<script>": "1"}, "is no setting of"),
    ],
)
def test_what_cannot_be_is_told_at_the_form_and_asks_for_nothing(forms, jobs, kind, typed, told):
    form = forms[kind]
    before = defaults(form)["act-id"]
    send(form, **typed)
    assert jobs.all() == []
    assert told in form.shown.html
    assert 'data-tone="error"' in form.shown.html
    assert "<script>" not in form.shown.html
    assert defaults(form)["act-id"] == before  # what is sent next is the same act
    send(form)
    assert len(jobs.all()) == 1
    assert 'data-tone="error"' not in form.shown.html


def test_a_form_that_is_sent_twice_asks_for_one_job(forms, context, jobs):
    twice = Act(name="send", key="", values=defaults(forms["ppo"]))
    forms["ppo"].shown.act(twice)
    forms["ppo"].shown.act(twice)
    assert len(jobs.all()) == 1
    assert "Asked for already." in messages(context).html
    send(forms["ppo"])  # and again on purpose
    assert len(jobs.all()) == 2


def test_evaluation_is_offered_against_every_policy(forms):
    forms["evaluate"].update(["policy@0", "policy@1"], is_next=True)
    shown = forms["evaluate"].shown.html
    assert re.findall(r'<option value="([^"]*)"', shown) == ["policy@0", "policy@1"]
    assert 'data-tone="primary"' in shown


def test_the_settings_that_are_shown_are_those_that_are_taken():
    """Their module needs torch, which the server never loads."""
    ppo, reward = PPOConfig(), RewardConfig()
    assert {name: getattr(ppo, name) for name in PPO_DEFAULTS} == PPO_DEFAULTS
    assert {name: getattr(reward, name) for name in REWARD_DEFAULTS} == REWARD_DEFAULTS
    assert ppo.kl == "adaptive"
