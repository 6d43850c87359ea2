"""What somebody else thinks of an item, told after the person has judged it.

Mostly that is the reward model; in a calibration set it is a researcher.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, TypedDict

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import Ranking, RankingItem
from rlhf_lab.widgets.ranking_items import LETTERS

Scorer = Callable[[RankingItem], Mapping[str, float]]
"""Scores of an item's candidates by response id; higher is better."""

REWARD_MODEL: Final = "the reward model"
"""Whose scores they are, unless somebody else is named."""


class Reveal(TypedDict):
    """What is shown about the last judgment."""

    item: str
    order: str
    agrees: float | None
    text: str


def reveal(
    key: str, item: RankingItem, ranking: Ranking, scores: Mapping[str, float], told_by: str
) -> Reveal:
    """Compare a person's ranking with scores.

    Args:
        key: The page's name of the item.
        item: What was judged.
        ranking: What the person said.
        scores: By response id.
        told_by: Whose they are, as in "the reward model".

    Raises:
        JudgmentError: a candidate has no score, or one that is no number.
    """
    ids = [response.id for response in item.candidates]
    for place, i in enumerate(ids):
        if i not in scores or not math.isfinite(scores[i]):
            raise JudgmentError(f"response {LETTERS[place]} has no score that is a number.")
    letters = dict(zip(ids, LETTERS, strict=False))
    told = Ranking.from_scores({i: scores[i] for i in ids})
    order = " > ".join(" = ".join(sorted(letters[i] for i in tier)) for tier in told.tiers)
    agreed, compared = ranking.agreement(told)
    text = f"{told_by[:1].upper()}{told_by[1:]} says {order}"
    text += f": as you in {agreed} of {compared} pairs." if compared else "."
    return Reveal(item=key, order=order, agrees=agreed / compared if compared else None, text=text)
