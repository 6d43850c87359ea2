"""How a calibration went: the share of pairs, held against the literature, and what differed."""

from __future__ import annotations

from markupsafe import Markup

from rlhf_lab.dashboard.pages.reading import Answer, asked, beginning, side_by_side
from rlhf_lab.dashboard.shell import (
    badge,
    details,
    html,
    join,
    link,
    notice,
    section,
    stat,
    stats,
)
from rlhf_lab.store.showing import letter
from rlhf_lab.types import (
    HUMAN_AGREEMENT,
    CalibrationReport,
    Interval,
    Judgment,
    KnownItem,
    Ranking,
)

BAND = f"{HUMAN_AGREEMENT[0]:.0%} to {HUMAN_AGREEMENT[1]:.0%}"


def summary(report: CalibrationReport, last: str = "") -> Markup:
    """What somebody sees at the end.

    Args:
        report: Of their set.
        last: What was told of the last item, which the ranker shows no more.
    """
    figures = stats(
        stat("Items answered", f"{len(report.answered)} of {report.total}"),
        stat("Agreement with the researcher", *percent_and_interval(report.agreement)),
        stat("In the literature", BAND, "people with researchers, from study to study"),
        stat("Ranked otherwise", str(len(report.differing)), "items, listed below"),
    )
    told = notice("info", f"Last answer: {last}") if last else ""
    done = section(
        "Calibrated",
        told,
        figures,
        html('<p class="lab-prose">{{ words }}</p>', words=verdict(report.agreement)),
        html('<div class="lab-row">{{ go }}</div>', go=link("Go to Rank", "/rank", tone="primary")),
    )
    return join(done, _items(report))


def percent_and_interval(agreement: Interval | None) -> tuple[str, str]:
    """A share, and how far it can be trusted."""
    if agreement is None:
        return "none yet", "no pair that both put in an order"
    items = f"{agreement.n} item" + ("" if agreement.n == 1 else "s")
    return (
        f"{agreement.estimate:.0%}",
        f"95% interval {agreement.low:.0%} to {agreement.high:.0%}, {items}",
    )


def agreement_words(report: CalibrationReport) -> str:
    """In how many pairs they agree, in a sentence."""
    agreed, compared = report.pairs
    if not compared:
        return "No pair yet that you and the researcher both put in an order."
    return (
        f"You and the researcher agree on {agreed} of the {compared} pairs that you both put in "
        f"an order, {agreed / compared:.0%}."
    )


def verdict(agreement: Interval | None) -> str:
    """What to make of it: where the interval lies to the band."""
    low, high = HUMAN_AGREEMENT
    if agreement is None:
        return "You tied or skipped everything that could be compared: ask a researcher what to do."
    if agreement.high < low:
        return (
            f"That is less than people and researchers reach elsewhere ({BAND}): read the items "
            "below, and ask a researcher before you go on."
        )
    if agreement.estimate > high:
        return f"That is as much as researchers reach among themselves, or more ({BAND})."
    if agreement.estimate >= low:
        return f"That is what people and researchers reach elsewhere ({BAND})."
    return (
        f"That is below what people and researchers reach elsewhere ({BAND}), though with so few "
        "items it may be chance: read the items below."
    )


def in_letters(ranking: Ranking | None, shown_order: tuple[str, ...]) -> str:
    """A ranking by the letters on the screen, as in "B > A = C"."""
    if ranking is None:
        return "skipped"
    letters = {i: letter(place) for place, i in enumerate(shown_order)}
    return " > ".join(" = ".join(sorted(letters[i] for i in tier)) for tier in ranking.tiers)


def _items(report: CalibrationReport) -> Markup:
    """All answers, those that differ first and open to be read."""
    ordered = sorted(report.answered, key=lambda known: not known.differs)
    return section("Your answers", *(_item(known) for known in ordered))


def _item(known: KnownItem) -> Markup:
    said = known.said
    assert said is not None  # it was answered
    agreed, compared = known.agreement
    mark = badge(f"{agreed} of {compared} pairs", "ok" if agreed == compared else "warn")
    if not compared:
        mark = badge("tied" if said.ranking else "skipped")
    line = html(
        '<bdi class="lab-wrap">{{ text }}</bdi> {{ mark }}',
        text=beginning(known.item.prompt.text),
        mark=mark,
    )
    return details(line, _side_by_side(known, said))


def _side_by_side(known: KnownItem, said: Judgment) -> Markup:
    theirs, own = known.answer.ranks(), said.ranking.ranks() if said.ranking else {}
    answers = (
        Answer(letter(place), response.text, _ranks(own.get(response.id), theirs[response.id]))
        for place, response in enumerate(known.item.candidates)
    )
    return html(
        """
        <div class="lab-stack">{{ prompt }}{{ answers }}
        <p><span class="lab-muted">You:</span> <strong>{{ own }}</strong>
        <span class="lab-muted">Researcher:</span> <strong>{{ theirs }}</strong></p></div>
        """,
        prompt=asked(known.item.prompt),
        answers=side_by_side(answers),
        own=in_letters(said.ranking, said.shown_order),
        theirs=in_letters(known.answer, said.shown_order),
    )


def _ranks(own: int | None, theirs: int) -> str:
    return f"you {own}, researcher {theirs}" if own else f"researcher {theirs}"
