"""For researchers: whether newcomers calibrate, with which known answers, and how they did."""

from __future__ import annotations

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.calibrate_results import BAND, in_letters, percent_and_interval
from rlhf_lab.dashboard.pages.reading import beginning
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    badge,
    button,
    choice,
    data_table,
    each,
    empty_state,
    field,
    form,
    html,
    link,
    section,
    time,
)
from rlhf_lab.errors import ConfigError
from rlhf_lab.store import CalibrationPlan
from rlhf_lab.types import CalibrationReport, KnownItem

_ON, _OFF = "on", "off"
_OFFERED = 20


def settings_card(context: Context) -> Fragment:
    """Whether it is asked for, and of how many items."""
    shown = Fragment(_settings(context))

    def save(act: Act) -> str:
        context.actor.require("set_plan")
        plan = CalibrationPlan(enabled=act.value("enabled") == _ON, items=_number(act))
        context.store.assignments.calibration = plan
        shown.put(_settings(context))
        return (
            "Newcomers begin with the calibration set." if plan.enabled else "Calibration is off."
        )

    shown.on_act(acting(context, each(settings=save)))
    return shown


def known_answers_card(context: Context, people: Fragment) -> Fragment:
    """The researcher's own rankings, to be taken for known answers.

    Args:
        context: Of the page.
        people: Shown anew when the set has changed.
    """
    shown = Fragment(_known_answers(context))

    def make(act: Act) -> str:
        context.actor.require("make_gold")
        context.lab.make_gold([act.key])
        shown.put(_known_answers(context))
        people.put(_people(context))
        return "That ranking is a known answer now."

    shown.on_act(acting(context, each(make_gold=make)))
    return shown


def people_card(context: Context) -> Fragment:
    """How far each one's first answers are from the known ones."""
    shown = Fragment(_people(context))

    def look_again(act: Act) -> None:
        context.actor.require("set_plan")
        shown.put(_people(context))

    shown.on_act(acting(context, each(look_again=look_again)))
    return shown


def _number(act: Act) -> int:
    text = act.value("items")
    if not text.isdecimal() or len(text) > 6:
        raise ConfigError(f"items={text!r:.20}: a whole number. Ten take a quarter of an hour.")
    return int(text)


def _settings(context: Context) -> Markup:
    plan = context.store.assignments.calibration
    return section(
        "Calibration of newcomers",
        form(
            "settings",
            choice(
                "Before they rank",
                "enabled",
                {_ON: "Newcomers calibrate", _OFF: "Nothing is asked"},
                _ON if plan.enabled else _OFF,
            ),
            field(
                "Items",
                "items",
                str(plan.items),
                kind="number",
                min=1,
                max=200,
                help="The known answers whose items were made first. Others stay for unannounced "
                "checks, as often as the plan says.",
            ),
        ),
    )


def _known_answers(context: Context) -> Markup:
    assignments = context.store.assignments
    known, plan = assignments.known_answers(), assignments.calibration
    note = f"{known:,} in the lab, {min(known, plan.items):,} of them in the calibration set"
    offered = assignments.rankings_to_know(context.actor.name, most=_OFFERED)
    if not offered:
        return section(
            "Known answers",
            empty_state(
                "None of your rankings can be taken",
                "A known answer is a ranking of yours that counts. Rank some items, with care, and "
                "come back.",
                link("Go to Rank", "/rank"),
            ),
            note=note,
        )
    table = data_table(
        ["Prompt", "You ranked", "When", ""],
        [_offer(one) for one in offered],
        caption=f"Your latest rankings, {_OFFERED} at most. What others say of an item whose "
        "answer is known measures them, and trains nothing.",
        keys=[one.said.id for one in offered if one.said],
        is_stacked=True,
    )
    return section("Known answers", table, note=note)


def _offer(known: KnownItem) -> list[str | Markup]:
    assert known.said is not None  # it is a ranking
    about = beginning(known.item.prompt.text)
    return [
        html("<bdi>{{ about }}</bdi>", about=about),
        in_letters(known.answer, known.said.shown_order),
        time(known.said.created_at),
        button(
            "Take as known answer",
            "make-gold",
            key=known.said.id,
            small=True,
            label=f"Take as known answer: the ranking of “{about}”",
        ),
    ]


def _people(context: Context) -> Markup:
    reports = [
        (account, _report(context, account.name))
        for account in context.accounts.all()
        if not account.disabled
    ]
    rows = [
        [
            html("<bdi>{{ name }}</bdi>", name=account.name),
            badge(account.role),
            f"{len(report.answered)} of {report.total}",
            *(percent_and_interval(report.agreement) if report.answered else ("", "")),
            str(len(report.differing)) if report.answered else "",
        ]
        for account, report in reports
        if report.total
    ]
    again = button("Look again", "look-again", small=True, tone="quiet")
    if not rows:
        nothing = empty_state(
            "Nobody has anything to calibrate with",
            "Take some of your rankings as known answers, and invite annotators on People.",
            link("Go to People", "/people"),
        )
        return section("How people did", nothing)
    table = data_table(
        ["Who", "Role", "Answered", "Agreement", "How sure", "Ranked otherwise"],
        rows,
        caption="First answers against the known ones, over the pairs that both put in an order. "
        f"In the literature: {BAND}.",
        figures=(3, 5),
        is_stacked=True,
    )
    return section("How people did", table, actions=[again])


def _report(context: Context, name: str) -> CalibrationReport:
    items = context.store.assignments.known_items(name, seed=context.lab.seed)
    return CalibrationReport.of(name, items)
