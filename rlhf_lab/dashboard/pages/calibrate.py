"""The Calibrate page: newcomers rank what has a known answer, and are told it each time."""

from __future__ import annotations

import panel as pn
from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.annotators import CalibrationQueue
from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.calibrate_results import last_answer, summary
from rlhf_lab.dashboard.pages.calibrate_set import known_answers_card, people_card, settings_card
from rlhf_lab.dashboard.shell import (
    Fragment,
    acting,
    empty_state,
    heading,
    html,
    link,
    page_of,
    progress,
    section,
    tool,
)
from rlhf_lab.dashboard.sources import GuardedRanking
from rlhf_lab.types import CalibrationReport
from rlhf_lab.widgets.panel import RankingPane

_TO_RANK = link("Go to Rank", "/rank", tone="primary")


def page(context: Context) -> Viewable:
    """Their own set first; below it, for researchers, the set itself and how others did."""
    context.actor.require("calibrate")
    parts: list[Viewable] = [Fragment(heading("Calibrate", _NOTE)), *_own_set(context)]
    if context.actor.may("set_plan"):
        people = people_card(context)
        parts += [settings_card(context), known_answers_card(context, people), people]
    return page_of(*parts)


def calibration_left(context: Context) -> int:
    """How many items of the calibration set wait for this person; 0 where none is asked for."""
    assignments = context.store.assignments
    if not assignments.calibration.enabled:
        return 0
    items = assignments.known_items(context.actor.name, seed=context.lab.seed)
    return sum(known.said is None for known in items)


_NOTE = "Items that a researcher ranked before: see how your judgment compares with theirs."


def _own_set(context: Context) -> list[Viewable]:
    if not context.store.assignments.calibration.enabled:
        return [Fragment(_switched_off(context))]
    queue = CalibrationQueue(context.store, annotator=context.actor.name, seed=context.lab.seed)
    report = queue.report()
    if not report.total:
        return [Fragment(_nothing_to_do(context))]
    return _ranking(context, queue, report)


def _ranking(
    context: Context, queue: CalibrationQueue, report: CalibrationReport
) -> list[Viewable]:
    """The ranker until every item is answered, then how it went."""
    if not report.left:
        return [Fragment(summary(report))]
    shown = Fragment(_so_far(report))
    pane = RankingPane(
        GuardedRanking(queue, context.actor, "calibrate"),
        editing=False,
        reveal=queue.answer,
        told_by="the researcher",
    )
    stage = pn.Column(tool(pane), sizing_mode="stretch_width")

    def follow() -> None:
        context.actor.require("calibrate")
        now = queue.report()
        shown.put(_so_far(now) if now.left else summary(now))
        if not now.left:
            stage.clear()

    pane.state.on_change(acting(context, follow))
    return [shown, stage]


def _so_far(report: CalibrationReport) -> Markup:
    done = len(report.answered)
    about = html(
        """
        <p class="lab-prose">{{ total }} items whose answers are known. Rank each as you see it:
        after each answer you are told what the researcher said. Your first answer is the one that
        counts; nothing you do here trains anything.</p>
        """,
        total=report.total,
    )
    return section("", about, progress(done, report.total, "Answered"), last_answer(report))


def _switched_off(context: Context) -> Markup:
    if context.actor.may("set_plan"):
        return empty_state(
            "Calibration is off",
            "Newcomers go straight to Rank. Take some of your own rankings as known answers below, "
            "and turn it on: they then rank these first, and see how they compare with you.",
        )
    return empty_state("No calibration is asked of you", "You can rank straight away.", _TO_RANK)


def _nothing_to_do(context: Context) -> Markup:
    if context.store.assignments.known_answers():
        return empty_state(
            "Nothing here for you",
            "You ranked these items before their answers were known, perhaps they are your own "
            "answers. Newcomers get them.",
            _TO_RANK,
        )
    text = "There are no known answers yet, so there is nothing to compare with."
    if context.actor.may("make_gold"):
        return empty_state(
            "No known answers yet", f"{text} Rank some items, then take them below.", _TO_RANK
        )
    return empty_state("No known answers yet", f"{text} You can rank straight away.", _TO_RANK)
