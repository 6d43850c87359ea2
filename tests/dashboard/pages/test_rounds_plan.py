"""The plan as a form."""

import pytest

from rlhf_lab.dashboard.pages.rounds_plan import PlanForm
from rlhf_lab.dashboard.shell import Act, messages
from rlhf_lab.store import AssignmentPlan

TYPED = {
    "overlap": "2",
    "shuffled": "on",
    "gold_rate": "5",
    "repeat_rate": "7.5",
    "repeat_after": "12",
    "lease": "45",
}


def send(form: PlanForm, **typed: str) -> None:
    form.shown.act(Act(name="save", key="", values={**TYPED, **typed}))


def test_the_plan_is_saved_as_it_was_typed(context, lab):
    form = PlanForm(context)
    send(form)
    assert lab.plan == AssignmentPlan(
        overlap=2,
        shuffled=True,
        gold_rate=0.05,
        repeat_rate=0.075,
        repeat_after=12,
        lease_seconds=2700,
    )
    assert 'name="repeat_rate"\n        value="7.5"' in form.shown.html
    assert "The plan is saved" in messages(context).html
    send(form, overlap="", shuffled="", gold_rate="0", repeat_rate="0")
    assert lab.plan == AssignmentPlan(repeat_after=12, lease_seconds=2700)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"overlap": "0"}, "at least 1 annotator per item"),
        ({"overlap": "1.5"}, "a whole number"),
        ({"overlap": "<b>two</b>"}, "&lt;b&gt;two&lt;/b&gt;"),
        ({"gold_rate": "60", "repeat_rate": "60"}, "together below 1"),
        ({"gold_rate": "nan"}, "together below 1"),
        ({"lease": "-1"}, "above 0"),
        ({"lease": ""}, "a number"),
        ({"repeat_after": "0"}, "at least 1 other item"),
    ],
)
def test_a_plan_that_cannot_be_is_told_and_changes_nothing(context, lab, typed, told):
    form = PlanForm(context)
    send(form, **typed)
    assert lab.plan == AssignmentPlan()
    assert told in form.shown.html
    send(form)
    assert "lab-notice" not in form.shown.html


def test_it_follows_what_somebody_else_has_set(context, lab):
    form = PlanForm(context)
    lab.plan = AssignmentPlan(overlap=3)
    form.update()
    assert 'value="3"' in form.shown.html
