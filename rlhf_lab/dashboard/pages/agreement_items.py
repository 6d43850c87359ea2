"""The items that people disagree on most, to be read side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from rlhf_lab.dashboard.pages.reading import Answer, asked, beginning, side_by_side
from rlhf_lab.dashboard.shell import badge, button, data_table, details, html, join, section
from rlhf_lab.evaluation.agreement import AgreementReport, DisputedItem
from rlhf_lab.store.showing import letter
from rlhf_lab.types import Judgment, Response


def items_card(report: AgreementReport, most: int, *, may_make_gold: bool) -> Markup:
    """So many of them, and a button for more where there are more.

    Args:
        report: What was counted.
        most: How many to show.
        may_make_gold: Whether the reader may take researchers' rankings for known answers.
    """
    if not report.shared:
        return Markup()
    if not report.disputed:
        return section(
            "Most disagreed on", html("<p>Everybody ranked every shared item alike.</p>")
        )
    researchers = report.basis.researchers if may_make_gold else frozenset()
    shown = [_item(item, researchers) for item in report.disputed[:most]]
    left = len(report.disputed) - len(shown)
    more = button(f"Show {left} more", "show-more", small=True) if left else Markup()
    note = "Read them together: they show what the instructions leave open."
    body = html(
        '<div class="agree-items">{{ items }}</div><div class="lab-row">{{ more }}</div>',
        items=join(*shown),
        more=more,
    )
    return section("Most disagreed on", body, note=note)


def _item(item: DisputedItem, researchers: frozenset[str]) -> Markup:
    ordered = _by_place(item)
    return html(
        '<div data-row="item-{{ id }}">{{ details }}</div>',
        id=item.id,
        details=details(_summary(item), _body(item, ordered, researchers)),
    )


def _summary(item: DisputedItem) -> Markup:
    return html(
        """<bdi>{{ prompt }}</bdi> {{ apart }} {{ people }}{% if known %} {{ badge }}{% endif %}""",
        prompt=beginning(item.prompt.text),
        apart=badge(f"{item.disagreement:.0%} apart", "warn"),
        people=badge(f"{len(item.judgments)} people"),
        known=item.is_known,
        badge=badge("known answer", "ok"),
    )


def _body(
    item: DisputedItem, candidates: Sequence[Response], researchers: frozenset[str]
) -> Markup:
    answers = (Answer(letter(place), response.text) for place, response in enumerate(candidates))
    return html(
        '<div class="agree-item">{{ prompt }}{{ answers }}{{ rankings }}</div>',
        prompt=asked(item.prompt),
        answers=side_by_side(answers),
        rankings=_rankings(item, candidates, researchers),
    )


def _rankings(
    item: DisputedItem, candidates: Sequence[Response], researchers: frozenset[str]
) -> Markup:
    """Who gave which answer which place."""
    rows = [
        [
            html("<bdi>{{ name }}</bdi>", name=judgment.annotator),
            *_places(judgment, candidates),
            html('<bdi class="lab-wrap">{{ c }}</bdi>', c=_remark(judgment)),
            _make_gold(item, judgment) if judgment.annotator in researchers else "",
        ]
        for judgment in item.judgments
    ]
    letters = [letter(place) for place in range(len(candidates))]
    return data_table(
        ["Who", *letters, "Said", ""],
        rows,
        caption="The place that each gave to each answer; 1 is best.",
        figures=range(1, len(letters) + 1),
        keys=[judgment.id for judgment in item.judgments],
    )


def _places(judgment: Judgment, candidates: Sequence[Response]) -> list[str]:
    ranks = judgment.ranking.ranks() if judgment.ranking else {}
    return [str(ranks.get(response.id, "")) for response in candidates]


def _remark(judgment: Judgment) -> str:
    strength = f"{judgment.strength} better" if judgment.strength else ""
    return ". ".join(filter(None, (strength, ", ".join(judgment.flags), judgment.comment)))


def _make_gold(item: DisputedItem, judgment: Judgment) -> Markup:
    if item.is_known:
        return Markup()
    return button(
        "Take as known answer",
        "make-gold",
        key=judgment.id,
        small=True,
        confirm="Take this ranking for the known answer of this item? Whoever ranks the item from "
        "now on is held against it, and nothing that they say of it is learned from.",
        label=f"Take the ranking of {judgment.annotator} as known answer",
    )


def _by_place(item: DisputedItem) -> list[Response]:
    """Best on average first."""
    return sorted(item.candidates, key=_mean_place(item))


def _mean_place(item: DisputedItem) -> Callable[[Response], float]:
    ranks = [judgment.ranking.ranks() for judgment in item.judgments if judgment.ranking]
    return lambda response: sum(of[response.id] for of in ranks) / len(ranks)
