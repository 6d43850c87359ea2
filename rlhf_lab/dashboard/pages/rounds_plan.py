"""How the work is shared out among annotators: the lab's plan, as a form.

What they are told and asked is set up where they rank.
"""

from __future__ import annotations

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    choice,
    field,
    form,
    html,
    notice,
    sentence,
)
from rlhf_lab.errors import ConfigError
from rlhf_lab.store import AssignmentPlan

_MINUTE = 60.0


class PlanForm:
    """The plan as it is, and what was wrong with the one that was sent."""

    def __init__(self, context: Context) -> None:
        """Show it."""
        self._context = context
        self._error = ""
        self.shown = Fragment(on_act=acting(context, self._save))
        self.update()

    def update(self) -> None:
        """Follow what somebody else has set; what is half typed stays."""
        fields = _fields(self._context.lab.plan)
        if self._error:
            told = notice("error", self._error)
            fields.append(html('<div class="lab-wide">{{ told }}</div>', told=told))
        self.shown.put(form("save", *fields, submit="Save the plan", tone="plain"))

    def _save(self, act: Act) -> str | None:
        self._context.actor.require("set_plan")
        self._error = ""
        try:
            self._context.lab.plan = _plan_of(act)
        except ConfigError as error:
            self._error = sentence(str(error))
        self.update()
        return None if self._error else "The plan is saved: it holds for what is handed out next."


def _fields(plan: AssignmentPlan) -> list[Markup]:
    return [
        field(
            "People per item",
            "overlap",
            "" if plan.overlap is None else str(plan.overlap),
            inputmode="numeric",
            placeholder="everybody",
            help="Empty: everybody ranks every item. Agreement needs at least 2.",
        ),
        choice(
            "Order",
            "shuffled",
            {"": "as items were made", "on": "shuffled for each person"},
            "on" if plan.shuffled else "",
        ),
        _share("Known answers, in percent", "gold_rate", plan.gold_rate),
        _share("Repeated items, in percent", "repeat_rate", plan.repeat_rate),
        field(
            "Repeated after",
            "repeat_after",
            str(plan.repeat_after),
            inputmode="numeric",
            help="So many other items in between.",
        ),
        field(
            "Reserved for, in minutes",
            "lease",
            f"{plan.lease_seconds / _MINUTE:g}",
            inputmode="decimal",
            help="Then an item that was not ranked goes to somebody else.",
        ),
    ]


def _share(label: str, name: str, share: float) -> Markup:
    return field(label, name, f"{100 * share:g}", inputmode="decimal")


def _plan_of(act: Act) -> AssignmentPlan:
    """What was typed.

    Raises:
        ConfigError: something is no number, or outside its range.
    """
    return AssignmentPlan(
        overlap=_whole(act, "overlap", "people per item") if act.value("overlap") else None,
        shuffled=act.value("shuffled") == "on",
        gold_rate=_number(act, "gold_rate", "known answers") / 100,
        repeat_rate=_number(act, "repeat_rate", "repeated items") / 100,
        repeat_after=_whole(act, "repeat_after", "repeated after"),
        lease_seconds=_number(act, "lease", "reserved for") * _MINUTE,
    )


def _number(act: Act, name: str, what: str) -> float:
    typed = act.value(name)
    try:
        return float(typed)
    except ValueError:
        raise ConfigError(f"{what} {typed!r:.40}: a number, as in 5.") from None


def _whole(act: Act, name: str, what: str) -> int:
    number = _number(act, name, what)
    if not number.is_integer():
        raise ConfigError(f"{what} {act.value(name)!r:.40}: a whole number, as in 2.")
    return int(number)
