"""What stored evaluations found, and what the responses of each version are like."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.evaluate_results import percent
from rlhf_lab.dashboard.shell import (
    badge,
    data_table,
    empty_state,
    html,
    join,
    link,
    section,
    time,
)
from rlhf_lab.store import version_records
from rlhf_lab.store.version_figures import ResponseFigures, response_figures
from rlhf_lab.types import Evaluation, Interval, VersionRecord


def evaluations(context: Context) -> Markup:
    """Every version's latest evaluation against each baseline by each judge, the newest first."""
    found = sorted(_all(version_records(context.store)), key=lambda pair: pair[1].created_at)
    if not found:
        nothing = empty_state(
            "No evaluations yet",
            "An evaluation has two versions answer the same held-out prompts, lets the rubric "
            "compare the answers, and measures how far the policy has moved.",
            link("Evaluate on Rounds", "/rounds", tone="primary"),
        )
        return section("By the rubric and the reward model", nothing)
    table = data_table(
        ["Version", "Against", "Win rate", "Judge", "KL", "Reward gain", "When"],
        [_row(record, evaluation) for record, evaluation in reversed(found)],
        caption="On held-out prompts, with 95% intervals. KL is that of policy and reference, in "
        "nats per response; the reward gain is in standard deviations of the start's scores.",
        figures=(4,),
        is_stacked=True,
    )
    return section("By the rubric and the reward model", table)


def figures_of_responses(context: Context) -> Markup:
    """Length, endings and variety of what each version wrote."""
    found = response_figures(context.store.database)
    if not found:
        return Markup()
    table = data_table(
        ["Version", "Responses", "Prompts", "Characters", "Ended", "Different"],
        [_figures(one) for one in reversed(found)],
        caption="Means over all responses. Ended: before the longest length allowed. Different: "
        "texts to a prompt that are not the same, as a share; low where a policy repeats itself.",
        figures=(1, 2, 3, 4, 5),
        is_stacked=True,
    )
    return section("What they write", table)


def _all(records: list[VersionRecord]) -> Iterator[tuple[VersionRecord, Evaluation]]:
    for record in records:
        for evaluation in record.evaluations:
            yield record, evaluation


def _row(record: VersionRecord, evaluation: Evaluation) -> list[str | Markup]:
    name = record.version.name
    shown: str | Markup = name
    if record.is_present:
        shown = join(name, " ", badge("present", "info"))
    return [
        shown,
        evaluation.baseline,
        _win_rate(evaluation.win_rate),
        evaluation.judge or "",
        f"{evaluation.kl:.2f}",
        _gain(evaluation),
        time(evaluation.created_at),
    ]


def _win_rate(rate: Interval) -> Markup:
    tone = "ok" if rate.low > 0.5 else "error" if rate.high < 0.5 else "plain"
    word = {"ok": "better", "error": "worse", "plain": "unclear"}[tone]
    return html(
        '<span class="lab-number">{{ text }}, {{ n }} prompts</span> {{ mark }}',
        text=percent(rate),
        n=rate.n,
        mark=badge(word, tone),  # type: ignore[arg-type]
    )


def _gain(evaluation: Evaluation) -> str:
    gain = evaluation.reward_gain
    if gain is None:
        return ""
    return f"{gain.estimate:+.2f} ({gain.low:+.2f} to {gain.high:+.2f}), {evaluation.reward}"


def _figures(one: ResponseFigures) -> list[str]:
    return [
        one.version,
        f"{one.responses:,}",
        f"{one.prompts:,}",
        f"{one.characters:,.0f}",
        f"{one.ended:.0%}",
        f"{one.different:.0%}",
    ]
