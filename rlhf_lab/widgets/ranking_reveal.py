"""What the reward model thinks of an item, told after the person has judged it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import TypedDict

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import Ranking, RankingItem
from rlhf_lab.widgets.ranking_items import LETTERS

Scorer = Callable[[RankingItem], Mapping[str, float]]
"""Scores of an item's candidates by response id; higher is better."""


class Reveal(TypedDict):
    """What is shown about the last judgment."""

    item: str
    order: str
    agrees: float | None
    text: str


def reveal(key: str, item: RankingItem, ranking: Ranking, scores: Mapping[str, float]) -> Reveal:
    """Compare a person's ranking with scores.

    Args:
        key: The page's name of the item.
        item: What was judged.
        ranking: What the person said.
        scores: By response id.

    Raises:
        JudgmentError: a candidate has no score, or one that is no number.
    """
    ids = [response.id for response in item.candidates]
    for place, i in enumerate(ids):
        if i not in scores or not math.isfinite(scores[i]):
            raise JudgmentError(f"response {LETTERS[place]} has no score that is a number.")
    letters = dict(zip(ids, LETTERS, strict=False))
    tiers = Ranking.from_scores({i: scores[i] for i in ids}).tiers
    order = " > ".join(" = ".join(sorted(letters[i] for i in tier)) for tier in tiers)
    agreed, ordered = _agreement(ranking, scores)
    text = f"The reward model says {order}."
    if ordered:
        text = f"The reward model says {order}: as you in {agreed} of {ordered} pairs."
    return Reveal(item=key, order=order, agrees=agreed / ordered if ordered else None, text=text)


def _agreement(ranking: Ranking, scores: Mapping[str, float]) -> tuple[int, int]:
    """In how many pairs that the person put in an order the scores say the same, of how many."""
    ranks = ranking.ranks()
    ordered = [pair for pair in combinations(ranks, 2) if ranks[pair[0]] != ranks[pair[1]]]
    agreed = sum((ranks[b] - ranks[a]) * (scores[a] - scores[b]) > 0 for a, b in ordered)
    return agreed, len(ordered)
