"""Items as a test needs them: candidates are called by letters, and their texts say which."""

from __future__ import annotations

from collections.abc import Sequence

from rlhf_lab.evaluation.trust import TrustItem
from rlhf_lab.types import Message, Prompt, Ranking, Response


def prompt(text: str, split: str = "train") -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), split=split)


def tiers(order: str) -> list[list[str]]:
    """As in "A > B = C": letters of candidates, best first."""
    return [tier.replace(" ", "").split("=") for tier in order.split(">")]


def item(
    order: str,
    *,
    to: str = "tea",
    by: str = "ann",
    split: str = "train",
    texts: dict[str, str] | None = None,
    references: Sequence[str] = (),
) -> TrustItem:
    asked = prompt(to, split)
    letters = sorted(letter for tier in tiers(order) for letter in tier)
    return TrustItem(
        prompt=asked,
        candidates=tuple(
            Response(
                id=f"{to}-{letter}",
                prompt_id=asked.id,
                text=(texts or {}).get(letter, f"{letter} to {to}"),
                version="policy@0",
            )
            for letter in letters
        ),
        ranking=Ranking(
            tiers=tuple(tuple(f"{to}-{letter}" for letter in tier) for tier in tiers(order))
        ),
        annotator=by,
        references=tuple(references),
    )


class Says:
    """A picker that has one score for each letter, whatever it is shown."""

    def __init__(self, name: str = "says", **scores: float) -> None:
        self.name = name
        self.letters = scores
        self.asked: list[TrustItem] = []

    def scores(self, of: TrustItem) -> list[float] | None:
        self.asked.append(of)
        found = [self.letters.get(one.id[-1]) for one in of.candidates]
        return None if None in found else found


class Ranks:
    """A judge that ranks letters."""

    def __init__(self, order: str, name: str = "judge") -> None:
        self.name = name
        self.order = tiers(order)
        self.asked: list[str] = []

    def rank(self, asked: Prompt, candidates: Sequence[Response]) -> Ranking:
        self.asked.append(asked.text)
        known = {one.id[-1]: one.id for one in candidates}
        found = (tuple(known[x] for x in tier if x in known) for tier in self.order)
        return Ranking(tiers=tuple(tier for tier in found if tier))
