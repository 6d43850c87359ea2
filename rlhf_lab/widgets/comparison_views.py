"""What the comparing widget's page gets to see; mirrored in widgets/src/comparer/protocol.ts."""

from __future__ import annotations

from typing import Literal, TypedDict

from rlhf_lab.types import ComparisonReport, ComparisonVerdict, Ranking, RankingItem
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.rendering import render_markdown
from rlhf_lab.widgets.sendable import IntervalView
from rlhf_lab.widgets.turns import Turn, turns

Choice = Literal["A", "B", "tie"]
Phase = Literal["comparing", "finished", "empty", "error"]


class Card(TypedDict):
    """One response: its letter, its text as HTML and as it is, and nothing that unblinds."""

    letter: str
    html: str
    text: str


class ItemView(TypedDict):
    """One pair as the page shows it."""

    key: str
    turns: list[Turn]
    cards: list[Card]


class Back(TypedDict):
    """The pair that an undo brought back, and the id of that undo."""

    item: str
    event: str


class Side(TypedDict):
    """A version, once it may be named."""

    name: str
    wins: int


class Result(TypedDict):
    """What is shown when names may be seen; `rate` is the win rate of the first."""

    first: Side
    second: Side
    ties: int
    skipped: int
    done: int
    total: int
    unlike: int
    rate: IntervalView | None
    verdict: ComparisonVerdict | None
    needed: int | None


class View(TypedDict):
    """What may change with every event.

    `answered` has the keys of pairs judged or skipped, the latest last: what an undo takes back;
    `undone` those that a redo brings back; `ids` has the ids of their judgments. `drafts` has what
    was chosen, for pairs that are to be judged again. `lead` is the win rate of whichever leads, as
    of some answers ago.
    """

    phase: Phase
    answered: list[str]
    undone: list[str]
    ids: dict[str, str]
    drafts: dict[str, Choice]
    back: Back | None
    progress: dict[str, int]
    lead: IntervalView | None
    result: Result | None


def item_view(key: str, pair: RankingItem) -> ItemView:
    """A pair by its letters."""
    return {
        "key": key,
        "turns": turns(pair.prompt),
        "cards": [
            Card(
                letter=letter,
                html=render_markdown(response.text),
                text=sendable.text(response.text),
            )
            for letter, response in zip("AB", pair.candidates, strict=True)
        ],
    }


def choice_of(ranking: Ranking, shown_order: tuple[str, ...]) -> Choice:
    """What a ranking of two says, by the sides on which they were shown."""
    ranks = ranking.ranks()
    a, b = (ranks[response] for response in shown_order)
    return "tie" if a == b else "A" if a < b else "B"


def short_name(pair: RankingItem) -> str:
    """What a person knows a pair by: how its prompt begins."""
    text = " ".join(sendable.text(pair.prompt.text).split())
    return f"“{text if len(text) <= 40 else text[:39].rstrip() + '…'}”"


def result_of(report: ComparisonReport) -> Result:
    """A report as the page shows it, names and all."""
    return Result(
        first=Side(name=report.first, wins=report.wins),
        second=Side(name=report.second, wins=report.losses),
        ties=report.ties,
        skipped=report.skipped,
        done=report.done,
        total=report.total,
        unlike=report.unlike,
        rate=sendable.interval(report.win_rate),
        verdict=report.verdict,
        needed=report.needed,
    )
