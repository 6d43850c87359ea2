"""What `measure_agreement` found, and what it means in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from rlhf_lab.evaluation.agreement.shares import Share
from rlhf_lab.store.showing import as_html, counted, head_cell, in_frame, text_cell
from rlhf_lab.types import HUMAN_AGREEMENT, Interval, Judgment, Prompt, Response


class Band(NamedTuple):
    """From where to where published figures lie."""

    low: float
    high: float


# How often people and researchers put two answers in the same order.
LITERATURE: Final = Band(*HUMAN_AGREEMENT)
# The same as alpha, where neither answer is the better one more often: two times the share less 1.
LITERATURE_ALPHA: Final = Band(2 * LITERATURE.low - 1, 2 * LITERATURE.high - 1)
# Krippendorff (2004): from here on conclusions may be drawn, from there on also hard ones.
TENTATIVE, RELIABLE = 0.667, 0.8
# Why there is more than one coefficient.
SEVERAL_COEFFICIENTS: Final = (
    "Alpha, kappa and AC all take off what chance would agree on. Alpha and kappa fall towards 0 "
    "where nearly everything gets the same value, as when most pairs are tied, though people "
    "agree; Gwet's AC stays near the agreement that is seen. If they part, look at how often "
    "people tie."
)
# An interval wider than this says next to nothing.
_TOO_WIDE: Final = 0.5


class Basis(NamedTuple):
    """What a report rests on: where one is equal to another, so are the reports.

    Attributes:
        head: Of the record of judgments.
        known: Digest of the known answers.
        researchers: Whom the others were compared with.
    """

    head: str
    known: str
    researchers: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast somebody judges; all None where durations are not known.

    Attributes:
        seconds: Median time for one item.
        per_hour: Judgments per hour of work, without breaks of a quarter of an hour or more.
        per_day: Judgments per day with any, in UTC.
        last: When they judged last.
    """

    seconds: float | None = None
    per_hour: float | None = None
    per_day: float | None = None
    last: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AnnotatorReport:
    """How one annotator works. Shares are of pairs of candidates; those that one ties are left out.

    Attributes:
        judgments: Rankings that count, without those for practice.
        skips: Items without an opinion.
        with_researchers: Share in the same order as a researcher put them; their own if others did.
        with_others: Share in the same order as anybody else put them.
        with_themself: Share in the same order when they were shown the item again.
        with_answers: Share in the order of the known answer.
        left: Share of rankings with what was shown first above what was shown last.
        tied: Share of pairs that they tied.
    """

    name: str
    is_researcher: bool
    judgments: int
    skips: int
    with_researchers: Share | None
    with_others: Share | None
    with_themself: Share | None
    with_answers: Share | None
    left: Share | None
    tied: Share | None
    pace: Pace


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """Two annotators.

    Attributes:
        kappa: Cohen's kappa; None where it has no value, both always having said the same.
        pairs: Pairs of candidates that both judged, ties included.
    """

    first: str
    second: str
    kappa: Interval | None
    pairs: int


@dataclass(frozen=True, kw_only=True)
class DisputedItem:
    """One item that people disagree on.

    Attributes:
        candidates: In the order of their ids.
        judgments: The last ranking of each annotator, in the order they were made.
        disagreement: How far two of them are apart on average: 0 for the same order, 1 for the
            opposite one.
        is_known: Whether its answer is known by now.
    """

    id: str
    prompt: Prompt
    candidates: tuple[Response, ...]
    judgments: tuple[Judgment, ...]
    disagreement: float
    is_known: bool


@dataclass(frozen=True, kw_only=True)
class AgreementReport:
    """How far people agree. Intervals are over prompts.

    Known answers and items shown again are no part of what people are compared by; they have
    figures of their own.

    Attributes:
        basis: What it rests on.
        judgments: Rankings that count, without those for practice.
        items: Items that somebody ranked.
        shared: Items that two or more ranked.
        nominal: Krippendorff's alpha of pairs of candidates: left, right or tied. None if there is
            nothing to compare, or everybody always said the same.
        ordinal: Krippendorff's alpha of places: one swapped at the top of four matters less than
            an order turned round.
        fleiss: Fleiss' kappa of pairs, for any number of people.
        ac1: Gwet's AC1 of pairs: like kappa, but steady where nearly all pairs get one value.
        ac2: Gwet's AC2 of places, with ordinal weights.
        pairwise: Share of pairs that two people put in the same order, of those both put in order.
        consistent: Share of pairs that people put in the same order when they were shown the item
            again, of those they put in order both times.
        left: As for an annotator, of everybody.
        annotators: In the order of names.
        pairs: Those with shared pairs among the annotators who ranked most.
        disputed: The most disputed items.
    """

    basis: Basis
    judgments: int
    items: int
    shared: int
    nominal: Interval | None
    ordinal: Interval | None
    fleiss: Interval | None
    ac1: Interval | None
    ac2: Interval | None
    pairwise: Share | None
    consistent: Share | None
    left: Share | None
    annotators: tuple[AnnotatorReport, ...]
    pairs: tuple[PairReport, ...]
    disputed: tuple[DisputedItem, ...] = field(repr=False)

    @property
    def meaning(self) -> str:
        """What alpha means, in plain words."""
        return what_alpha_means(self.nominal)

    @property
    def position_bias(self) -> str:
        """What to do where people prefer a side; empty where that is not seen."""
        if self.left is None or self.left.low <= 0.5 <= self.left.high:
            return ""
        side = "first" if self.left.estimate > 0.5 else "last"
        return (
            f"People lean to what is shown {side} ({self.left.estimate:.0%} first above last): "
            "order is drawn by chance, so it costs agreement but favours no version. Say so in the "
            "instructions."
        )

    def __str__(self) -> str:
        """What was found for all together."""
        rows = [
            f"{counted(self.judgments, 'rankings')} by "
            f"{counted(len(self.annotators), 'annotators')}, "
            f"{self.shared:,} of {counted(self.items, 'items')} ranked by two or more",
            f"Krippendorff's alpha: nominal {_told(self.nominal)}, ordinal {_told(self.ordinal)}",
            f"on pairs Fleiss' kappa {_told(self.fleiss)}, Gwet's AC1 {_told(self.ac1)}; on places "
            f"Gwet's AC2 {_told(self.ac2)}",
            f"the same order of a pair {_told(self.pairwise)}, by the same person again "
            f"{_told(self.consistent)}, left above right {_told(self.left)}",
            self.meaning,
            SEVERAL_COEFFICIENTS if self.nominal else "",
            self.position_bias,
        ]
        return "\n".join(filter(None, rows))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        told = "<br>".join(map(as_html, str(self).split("\n")))
        heads = "".join(head_cell(title, "col") for title in _COLUMNS)
        body = "".join(f"<tr>{''.join(map(text_cell, _cells(a)))}</tr>" for a in self.annotators)
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        return in_frame(f"<p>{told}</p>{table if body else ''}")


def what_alpha_means(alpha: Interval | None) -> str:
    """One or two sentences on a nominal alpha, with the next step where there is one."""
    if alpha is None:
        return "Nothing to compare yet: let two people rank the same items (overlap 2 or more)."
    if alpha.high - alpha.low > _TOO_WIDE:
        return (
            f"Too few shared prompts to tell ({alpha.n}): alpha may be anything from "
            f"{alpha.low:.2f} to {alpha.high:.2f}. Let more items be ranked by two people."
        )
    low, high = LITERATURE_ALPHA
    if alpha.estimate < low:
        return (
            f"People agree less than in published preference data (alpha {low:.2f} to "
            f"{high:.2f}). Read the most disputed items together, and say in the instructions "
            "what decides."
        )
    if alpha.estimate <= high:
        return (
            f"People agree about as often as in published preference data (alpha {low:.2f} to "
            f"{high:.2f}, {LITERATURE.low:.0%} to {LITERATURE.high:.0%} of pairs)."
        )
    if alpha.estimate < RELIABLE:
        return (
            f"People agree more often than in published preference data (alpha {low:.2f} to "
            f"{high:.2f})."
        )
    return (
        f"People agree nearly always: {RELIABLE} is what Krippendorff asks of data that hard "
        "conclusions rest on."
    )


_COLUMNS = (
    "annotator",
    "rankings",
    "as researchers",
    "as others",
    "as themself",
    "as known answers",
    "left",
    "seconds",
)


def _cells(one: AnnotatorReport) -> tuple[str, ...]:
    shares = (one.with_researchers, one.with_others, one.with_themself, one.with_answers, one.left)
    seconds = "" if one.pace.seconds is None else f"{one.pace.seconds:.0f}"
    return (one.name, f"{one.judgments:,}", *map(_told, shares), seconds)


def _told(value: Interval | None) -> str:
    return "–" if value is None else str(value)
