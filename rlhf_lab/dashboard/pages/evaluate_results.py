"""What people said when they compared two versions, told once they are done."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from rlhf_lab.annotators import comparison_reports
from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.evaluate_team import Pair
from rlhf_lab.dashboard.shell import (
    badge,
    button,
    data_table,
    empty_state,
    html,
    section,
    stat,
    stats,
)
from rlhf_lab.errors import LabError
from rlhf_lab.store.version_figures import annotator_names
from rlhf_lab.types import ComparisonReport, Interval, joint_win_rate


def results(context: Context, pair: Pair | None) -> Markup:
    """Win rates over everybody and of each person; nothing of who is still comparing."""
    if pair is None:
        return Markup()
    reports = _reports(context, pair)
    title = f"{pair.first} against {pair.second}, by people"
    again = button("Look again", "look-again", small=True, tone="quiet")
    if not reports:
        nothing = empty_state(
            "Nobody has compared these yet",
            "Have the team compare them, or compare them yourself above. What people said is shown "
            "here once they are done: until then it would sway you, too.",
        )
        return section(title, nothing, actions=[again])
    finished = [report for report in reports if is_finished(report)]
    return section(title, _everybody(finished), _people(reports), actions=[again])


def is_finished(report: ComparisonReport) -> bool:
    """Whether somebody compared or skipped all there is."""
    return report.done >= report.total


def percent(interval: Interval) -> str:
    """As in "62% (48% to 74%)"."""
    return f"{interval.estimate:.0%} ({interval.low:.0%} to {interval.high:.0%})"


def _reports(context: Context, pair: Pair) -> list[ComparisonReport]:
    names = annotator_names(context.store.database)
    try:
        return comparison_reports(
            context.store, (pair.first, pair.second), names, seed=context.lab.seed
        )
    except LabError:
        return []  # the comparer says why


def _everybody(finished: Sequence[ComparisonReport]) -> Markup:
    rate = joint_win_rate(finished)
    if rate is None:
        return html(
            '<p class="lab-muted">Win rates are shown as soon as somebody is done.</p>',
        )
    return stats(
        stat("Win rate over everybody", f"{rate.estimate:.0%}", _how_sure(rate)),
        stat("Verdict", *_verdict(rate, finished[0])),
        stat("Comparisons", f"{sum(report.compared for report in finished):,}", _by(finished)),
    )


def _how_sure(rate: Interval) -> str:
    return f"95% interval {rate.low:.0%} to {rate.high:.0%} over {rate.n} prompts; ties count half"


def _by(finished: Sequence[ComparisonReport]) -> str:
    people = len(finished)
    return "by the one person who is done" if people == 1 else f"by {people} people who are done"


def _verdict(rate: Interval, report: ComparisonReport) -> tuple[str, str]:
    if rate.low > 0.5:
        return f"{report.first} is preferred", "all of the interval lies above one half"
    if rate.high < 0.5:
        return f"{report.second} is preferred", "all of the interval lies below one half"
    return "No difference shown", "the interval holds one half"


def _people(reports: Sequence[ComparisonReport]) -> Markup:
    return data_table(
        ["Who", "Done", "Win rate", "Won", "Lost", "Ties", "Skipped"],
        [_person(report) for report in sorted(reports, key=is_finished, reverse=True)],
        caption=f"Win rate of {reports[0].first} by each person, with its 95% interval.",
        figures=(2, 3, 4, 5, 6),
        is_stacked=True,
    )


def _person(report: ComparisonReport) -> list[str | Markup]:
    name = html("<bdi>{{ name }}</bdi>", name=report.annotator)
    done = f"{report.done} of {report.total}"
    if not is_finished(report):
        return [name, done, badge("still comparing"), "", "", "", ""]
    rate = report.win_rate
    counts = (report.wins, report.losses, report.ties, report.skipped)
    return [name, done, percent(rate) if rate else "", *map(str, counts)]
