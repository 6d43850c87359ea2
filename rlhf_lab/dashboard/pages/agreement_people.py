"""Each annotator in a row, and every two of them in a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from markupsafe import Markup

from rlhf_lab.dashboard.pages.agreement_figures import (
    between,
    percent,
    share_bar,
    told_alpha,
    two_digits,
)
from rlhf_lab.dashboard.shell import badge, html, join, section, time
from rlhf_lab.evaluation.agreement import (
    LITERATURE,
    AgreementReport,
    AnnotatorReport,
    PairReport,
    Share,
)
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.showing import counted

_COLUMNS = (
    "Annotator",
    "As researchers",
    "As others",
    "As themself",
    "As known answers",
    "First shown preferred",
    "Pace",
)


def annotators_card(report: AgreementReport, plan: AssignmentPlan) -> Markup:
    """How each one works, and what has to be done to know more of it."""
    return section("Annotators", _table(report.annotators), *_missing(report, plan))


def _table(people: Sequence[AnnotatorReport]) -> Markup:
    """A table that on a phone is a list: its roles are written out, since its look is not one's."""
    return html(
        """
        <div class="lab-table-box" tabindex="0" role="region" aria-label="Annotators">
        <table class="lab-table agree-people" role="table"><caption>Share of pairs put in the same
        order, of those that both put in order. The band is where published figures lie,
        {{ low }} to {{ high }}; the dashed line is one half.</caption>
        <thead role="rowgroup"><tr role="row">{% for name in columns %}
        <th scope="col" role="columnheader">{{ name }}</th>{% endfor %}</tr></thead>
        <tbody role="rowgroup">{% for cells in rows %}<tr role="row">
        <th scope="row" role="rowheader">{{ cells[0] }}</th>{% for cell in cells[1:] %}
        <td role="cell" data-name="{{ columns[loop.index] }}">{{ cell }}</td>{% endfor %}</tr>
        {% endfor %}</tbody></table></div>
        """,
        low=f"{LITERATURE.low:.0%}",
        high=f"{LITERATURE.high:.0%}",
        columns=_COLUMNS,
        rows=[_row(one) for one in people],
    )


def pairs_card(report: AgreementReport) -> Markup:
    """Cohen's kappa of every two annotators, with how many pairs of candidates both judged."""
    if len(report.annotators) < 3 or not report.pairs:
        return Markup()
    names = sorted(set(chain.from_iterable((p.first, p.second) for p in report.pairs)))
    found = {(pair.first, pair.second): pair for pair in report.pairs}
    rows = [[found.get((min(one, other), max(one, other))) for other in names] for one in names]
    return section(
        "Between two people",
        html(
            """
            <p class="lab-muted">Cohen's kappa, left, right or tied: 1 is always the same, 0 as much
            as by chance. Below it, how many pairs of answers both judged.</p>
            <div class="lab-table-box" tabindex="0" role="region" aria-label="Kappa of two people">
            <table class="agree-matrix"><thead><tr><td></td>{% for name in names %}
            <th scope="col" title="{{ name }}">{{ loop.index }}
            <span class="lab-sr-only">{{ name }}</span></th>{% endfor %}</tr></thead><tbody>
            {% for name, cells in rows %}<tr><th scope="row"><span class="agree-number"
            aria-hidden="true">{{ loop.index }}</span> <bdi>{{ name }}</bdi></th>
            {% for cell in cells %}{{ cell }}{% endfor %}</tr>{% endfor %}</tbody></table></div>
            """,
            names=names,
            rows=[(name, map(_cell, cells)) for name, cells in zip(names, rows, strict=True)],
        ),
    )


def _row(one: AnnotatorReport) -> list[Markup]:
    return [
        html(
            """<bdi>{{ name }}</bdi> {% if researcher %}{{ badge }}{% endif %}
            <small class="agree-under">{{ done }}</small>""",
            name=one.name,
            researcher=one.is_researcher,
            badge=badge("researcher"),
            done=counted(one.judgments, "rankings")
            + (f", {one.skips:,} skipped" if one.skips else ""),
        ),
        _share(one.with_researchers, "As researchers", literature=True),
        _share(one.with_others, "As others", literature=True),
        _share(one.with_themself, "As themself"),
        _share(one.with_answers, "As known answers"),
        _left(one.left),
        _pace(one),
    ]


def _share(share: Share | None, name: str, *, literature: bool = False) -> Markup:
    if share is None:
        return html('<span class="lab-muted">not yet</span>')
    return html(
        """<span class="lab-number lab-strong">{{ share }}</span>{{ bar }}
        <small class="agree-under">{{ between }} · {{ pairs }}</small>""",
        share=percent(share.estimate),
        bar=share_bar(share, name, literature=literature),
        between=between(share),
        pairs=counted(share.of, "pairs"),
    )


def _left(share: Share | None) -> Markup:
    """With a word where the interval leaves one half out."""
    if share is None:
        return html('<span class="lab-muted">not yet</span>')
    leans = share.low > 0.5 or share.high < 0.5
    return html(
        """<span class="lab-number lab-strong">{{ share }}</span>
        {% if leans %}{{ badge }}{% endif %}{{ bar }}
        <small class="agree-under">{{ between }} · {{ rankings }}</small>""",
        share=percent(share.estimate),
        leans=leans,
        badge=badge("leans right" if share.high < 0.5 else "leans left", "warn"),
        bar=share_bar(share, "First shown preferred"),
        between=between(share),
        rankings=counted(share.of, "rankings"),
    )


def _pace(one: AnnotatorReport) -> Markup:
    pace = one.pace
    if pace.seconds is None:
        return html('<span class="lab-muted">no times</span>')
    return html(
        """<span class="lab-number lab-strong">{{ seconds }}</span>
        <small class="agree-under">{% if per_hour %}{{ per_hour }} an hour, {% endif %}
        {{ per_day }} a day</small><small class="agree-under">last {{ last }}</small>""",
        seconds=_duration(pace.seconds),
        per_hour=pace.per_hour and f"{pace.per_hour:,.0f}",
        per_day=f"{pace.per_day:,.0f}",
        last=time(pace.last),
    )


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _cell(pair: PairReport | None) -> Markup:
    if pair is None:
        return html('<td class="agree-none">·</td>')
    if pair.kappa is None:
        return html(
            '<td title="{{ t }}">–<small>{{ pairs }}</small></td>',
            t=f"{pair.first} and {pair.second}: both always said the same",
            pairs=f"{pair.pairs:,}",
        )
    kappa = pair.kappa
    return html(
        """<td data-level="{{ level }}" title="{{ told }}">{{ value }}
        <small>{{ pairs }}</small></td>""",
        level=min(max(int(kappa.estimate * 5), 0), 4),
        told=f"{pair.first} and {pair.second}: {told_alpha(kappa)}, "
        f"from {counted(kappa.n, 'prompts')}",
        value=two_digits(kappa.estimate),
        pairs=f"{pair.pairs:,}",
    )


def _missing(report: AgreementReport, plan: AssignmentPlan) -> Sequence[Markup]:
    """What is not measured yet, each with what would measure it."""
    people = report.annotators
    hints = []
    if not any(one.with_researchers for one in people):
        hints.append(
            ("As researchers", "rank some of the items that others rank, as a researcher.")
        )
    if not any(one.with_themself for one in people):
        hints.append(("As themself", _how("repeated items", plan.repeat_rate)))
    if not any(one.with_answers for one in people):
        hints.append(("As known answers", _how("known answers", plan.gold_rate)))
    if not hints:
        return ()
    return [
        html(
            """<p class="lab-muted">Not measured yet:</p><ul class="agree-hints lab-muted">
            {% for name, how in hints %}<li><span class="lab-strong">{{ name }}</span>: {{ how }}
            </li>{% endfor %}</ul>""",
            hints=hints,
        )
    ]


def _how(things: str, rate: float) -> Markup:
    plan = html('<a href="/rounds">the plan</a>')
    if rate:
        return join(f"{rate:.0%} of what is handed out are {things}; none came back yet.")
    return join(f"hand out {things} with 5% in ", plan, ".")
