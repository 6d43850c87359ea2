"""How a calibration went: the share of pairs, held against the literature, and what differed."""

from __future__ import annotations

from datetime import datetime

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


def summary(report: CalibrationReport) -> Markup:
    """What somebody sees at the end."""
    figures = stats(
        stat("Items answered", f"{len(report.answered)} of {report.total}"),
        stat("Agreement with the researcher", *percent_and_interval(report.agreement)),
        stat("In the literature", BAND, "people with researchers, from study to study"),
        stat("Ranked otherwise", str(len(report.differing)), "items, listed below"),
    )
    go = link("Go to Rank", "/rank", tone="primary")
    done = section(
        "Calibrated",
        figures,
        html('<p class="lab-prose">{{ words }}</p>', words=verdict(report.agreement)),
        html('<div class="lab-row">{{ go }}</div>', go=go),
    )
    ordered = sorted(report.answered, key=lambda known: not known.differs)
    return join(done, section("Your answers", *map(_item, ordered)))


def last_answer(report: CalibrationReport) -> Markup:
    """What came of the answer they gave last, to be read again, and of all until now."""
    if not report.answered:
        return Markup()
    last = max(report.answered, key=_answered_at)
    agreed, compared = last.agreement
    told = f"Last answer: the researcher says {_in_letters(last)}"
    told += f", as you in {agreed} of {compared} pairs." if compared else "."
    return join(
        notice("ok" if not last.differs else "info", told),
        _item(last),
        html('<p class="lab-muted">{{ words }}</p>', words=agreement_words(report)),
    )


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


def _answered_at(known: KnownItem) -> datetime:
    assert known.said is not None  # it was answered
    return known.said.created_at


def _in_letters(known: KnownItem) -> str:
    shown = tuple(response.id for response in known.item.candidates)
    return in_letters(known.answer, shown)


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
        <p class="lab-row"><span class="lab-muted">You</span> <strong>{{ own }}</strong>
        <span class="lab-muted">Researcher</span> <strong>{{ theirs }}</strong></p></div>
        """,
        prompt=asked(known.item.prompt),
        answers=side_by_side(answers),
        own=in_letters(said.ranking, said.shown_order),
        theirs=_in_letters(known),
    )


def _ranks(own: int | None, theirs: int) -> str:
    return f"you {own}, researcher {theirs}" if own else f"researcher {theirs}"
