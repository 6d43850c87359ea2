"""What the ranking widget's page gets to see of an item, and how the page names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypedDict

from rlhf_lab.types import Judgment, RankingItem, Response
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.rendering import render_markdown
from rlhf_lab.widgets.turns import Turn, turns

LETTERS: Final = "ABCDEFGHI"


class Card(TypedDict):
    """One candidate: its letter on the screen and its text, and nothing that unblinds."""

    letter: str
    html: str
    text: str


class Draft(TypedDict):
    """What to start an item from, after an undo or when it could not be saved."""

    ranks: list[int] | None
    strength: str | None
    ratings: list[dict[str, int]]
    comment: str
    flags: list[str]


class ItemView(TypedDict):
    """All that the front end shows of one item."""

    key: str
    turns: list[Turn]
    cards: list[Card]
    draft: Draft | None


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was said of an item in this sitting, as it was typed."""

    judgment: Judgment
    draft: Draft
    seconds: float


@dataclass(eq=False)
class Shown:
    """An item that the page knows.

    Attributes:
        item: What the source handed out.
        key: What the page calls it.
        turns: Its prompt as the page shows it.
        cards: Its candidates as the page shows them.
        draft: What to start from.
        answered: Whether it is judged or skipped.
        kept: Whether it stays before the person although it is not among what is handed out: it
            was taken back, or what was said of it could not be saved.
        failed: The judgment that could not be stored.
        said: What was said of it last, in this sitting.
    """

    item: RankingItem
    key: str
    turns: list[Turn]
    cards: list[Card]
    draft: Draft | None = None
    answered: bool = False
    kept: bool = False
    failed: Judgment | None = None
    said: Said | None = None

    @classmethod
    def of(cls, item: RankingItem, key: str) -> Shown:
        """Render an item."""
        cards = [_card(*pair) for pair in zip(LETTERS, item.candidates, strict=False)]
        return cls(item=item, key=key, turns=turns(item.prompt), cards=cards)

    @property
    def name(self) -> str:
        """What a person knows it by: how its prompt begins."""
        text = " ".join(sendable.text(self.item.prompt.text).split())
        return f"“{text if len(text) <= 40 else text[:39].rstrip() + '…'}”"

    def view(self) -> ItemView:
        """As JSON."""
        return ItemView(key=self.key, turns=self.turns, cards=self.cards, draft=self.draft)


def _card(letter: str, response: Response) -> Card:
    html = render_markdown(response.text)
    return Card(letter=letter, html=html, text=sendable.text(response.text))
