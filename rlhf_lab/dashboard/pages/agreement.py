"""The Agreement page: how far people agree, and where they do not."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.agreement_counting import counting_of
from rlhf_lab.dashboard.pages.agreement_figures import (
    Marked,
    alpha_scale,
    between,
    percent,
    two_digits,
)
from rlhf_lab.dashboard.pages.agreement_items import items_card
from rlhf_lab.dashboard.pages.agreement_people import annotators_card, pairs_card
from rlhf_lab.dashboard.shell import (
    STATIC,
    Act,
    Fragment,
    acting,
    button,
    each,
    empty_state,
    heading,
    html,
    join,
    leave,
    link,
    live,
    notice,
    page_of,
    progress,
    section,
    stat,
    stats,
)
from rlhf_lab.evaluation.agreement import AgreementReport
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.showing import counted
from rlhf_lab.types import Interval

_CSS = (STATIC / "agreement.css").read_text("utf-8")
_AT_ONCE = 5
_A_MOMENT = 0.1


def page(context: Context) -> Viewable:
    """Follows what is judged while it is open."""
    context.actor.require("see_agreement")
    view = AgreementView(context)
    live(context, view.update)
    return view.shown


class AgreementView:
    """What one person sees of it.

    Attributes:
        figures: How far people agree, and each of them.
        items: What they disagree on.
        shown: Both, below the title.
    """

    def __init__(self, context: Context) -> None:
        """Show what is counted already."""
        self._context = context
        self._counting = counting_of(context.store)
        self._most = _AT_ONCE
        self._seen: object = None
        act = acting(
            context,
            each(show_more=self._show_more, make_gold=self._make_gold, overlap=self._overlap),
        )
        self.title = Fragment()
        self.figures = Fragment("", act, stylesheets=[_CSS])
        self.items = Fragment("", act, stylesheets=[_CSS])
        self.shown = page_of(self.title, self.figures, self.items)
        self._counting.look(context.store)
        self._counting.wait(_A_MOMENT)  # most labs are counted by then, and show at once
        self.update()

    def update(self) -> None:
        """Follow what was counted since; begin to count where there is something new."""
        actor, lab = self._context.actor, self._context.lab
        if not actor.may("see_agreement"):
            leave(self._context, "/rank")
            return
        self._counting.look(self._context.store)
        report, failed = self._counting.report, self._counting.failed
        now = (report and report.basis, failed, lab.plan, actor.may("make_gold"), self._most)
        if now != self._seen:
            self._seen = now
            self._show(report, failed)

    def _show(self, report: AgreementReport | None, failed: bool) -> None:
        told = _failed() if failed else Markup()
        self.title.put(heading("Agreement", _note(report)))
        if report is None:
            self.figures.put(told or _counting())
            return
        may_make_gold = self._context.actor.may("make_gold")
        self.figures.put(join(told, _figures(report, self._context.lab.plan)))
        self.items.put(items_card(report, self._most, may_make_gold=may_make_gold))

    def _show_more(self, act: Act) -> None:
        self._most += _AT_ONCE
        self.update()

    def _make_gold(self, act: Act) -> str:
        self._context.actor.require("make_gold")
        self._context.lab.make_gold([act.key])
        self.update()
        return "That ranking is a known answer now; Calibrate shows which there are."

    def _overlap(self, act: Act) -> str:
        self._context.actor.require("set_plan")
        self._context.lab.plan = replace(self._context.lab.plan, overlap=2)
        self.update()
        return "Two people rank each item from now on."


def _note(report: AgreementReport | None) -> str:
    if report is None or not report.judgments:
        return ""
    people = counted(len(report.annotators), "annotators")
    return f"{counted(report.judgments, 'rankings')} by {people}"


def _counting() -> Markup:
    return section("", progress(0, None, "Counting what people said"))


def _failed() -> Markup:
    return notice(
        "error", "Agreement could not be counted. It is tried again; the server's log says why."
    )


def _figures(report: AgreementReport, plan: AssignmentPlan) -> Markup:
    if not report.judgments:
        return empty_state(
            "Nothing is ranked yet",
            "Agreement is measured on items that two or more people ranked. Invite annotators on "
            "People, and rank some items yourself: you are who they are compared with.",
            link("Go to Rank", "/rank", tone="primary"),
        )
    if not report.shared:
        return join(_nothing_shared(report, plan), annotators_card(report, plan))
    return join(_together(report), annotators_card(report, plan), pairs_card(report))


def _nothing_shared(report: AgreementReport, plan: AssignmentPlan) -> Markup:
    """Why nobody's rankings can be compared, and what would change it."""
    title = "No item was ranked by two people yet"
    if plan.overlap == 1:
        return empty_state(
            title,
            "The plan gives each item to one person. Let two people rank each, and their judgments "
            "can be compared.",
            button("Let two people rank each item", "overlap", tone="primary"),
        )
    if len(report.annotators) == 1:
        return empty_state(
            title,
            "One person has ranked so far. Invite another one: the plan gives them the same items.",
            link("Go to People", "/people", tone="primary"),
        )
    return empty_state(
        title,
        "People have ranked different items so far. As they go on, the plan gives them the same "
        "ones; what the plan is, and who has what, is on Rounds.",
        link("Go to Rounds", "/rounds"),
    )


def _together(report: AgreementReport) -> Markup:
    marked = [
        Marked(name, value)
        for name, value in (
            ("Pairs (nominal)", report.nominal),
            ("Places (ordinal)", report.ordinal),
        )
        if value
    ]
    return section(
        "How far people agree",
        html('<p class="lab-prose agree-meaning">{{ words }}</p>', words=report.meaning),
        stats(
            _alpha("Alpha of pairs", report.nominal),
            _alpha("Alpha of places", report.ordinal),
            _share("Same order of a pair", report.pairwise),
            _share("First shown preferred", report.left),
            stat(
                "Shared items",
                f"{report.shared:,}",
                f"of {counted(report.items, 'items')}, ranked by two or more",
            ),
        ),
        alpha_scale(marked) if marked else "",
        html(
            """
            <p class="lab-muted lab-small lab-prose">Krippendorff's alpha: 1 is full agreement, 0 as
            much as by chance. Of pairs it asks which of two answers is above the other, or neither;
            of places how far apart people put an answer. Intervals are 95%, over prompts. Known
            answers, repeated items and calibration are left out.</p>
            """
        ),
        note="Krippendorff's alpha",
    )


def _alpha(name: str, value: Interval | None) -> Markup:
    if value is None:
        return stat(name, "–", "everybody always said the same")
    note = f"{two_digits(value.low)} to {two_digits(value.high)}, {counted(value.n, 'prompts')}"
    return stat(name, two_digits(value.estimate), note)


def _share(name: str, value: Interval | None) -> Markup:
    if value is None:
        return stat(name, "–", "not measured yet")
    return stat(name, percent(value.estimate), f"{between(value)}, {counted(value.n, 'prompts')}")
