"""What the judgments of a lab leave open: reward heads on features, priorities, candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlhf_lab.annotators.heads import Projection, Ranked, RewardHeads, fit_heads
from rlhf_lab.annotators.selection import (
    directions,
    disagreement,
    item_information,
    spread_out,
    teaching_candidates,
)
from rlhf_lab.types import Judgment, Ranking, Response

# With fewer rankings the heads know next to nothing, and what they disagree about is chance.
LEAST_RANKINGS = 8
# Responses that the directions are found on; more only take longer.
_MOST_ROWS = 2048
# So many items are kept unlike each other; what comes later waits for new priorities anyway.
_SPREAD = 256
# An item on which people contradict each other is worth another opinion: it settles up to one bit.
_SETTLES = log(2)

Rows = Mapping[str, NDArray[np.float32]]


class Asked(NamedTuple):
    """An item to be judged: its candidates' ids, and the rankings it has."""

    id: str
    candidates: Sequence[str]
    rankings: Sequence[Ranking] = ()


@dataclass(frozen=True, kw_only=True)
class RewardEnsemble:
    """Reward heads on the features of a lab's responses.

    Attributes:
        heads: Fitted to the judgments.
        projection: From features to what the heads read.
        rankings: How many judgments they learned from.
    """

    heads: RewardHeads
    projection: Projection
    rankings: int

    @classmethod
    def fit(
        cls,
        judgments: Iterable[Judgment],
        features: Rows,
        groups: Iterable[Sequence[str]] = (),
        *,
        seed: int = 0,
    ) -> RewardEnsemble:
        """Learn from rankings whose candidates all have features.

        Args:
            judgments: Rankings; others are left out.
            features: By response.
            groups: Ids of responses to one prompt, judged or not: what the directions in which
                responses differ are found on, beside those that were ranked.
            seed: Of the heads.

        Raises:
            NotEnoughData: no two responses to one prompt differ.
        """
        ranked = [j.ranking for j in judgments if j.ranking is not None]
        ranked = [r for r in ranked if all(i in features for i in r.response_ids)]
        together = {tuple(sorted(r.response_ids)) for r in ranked}
        together |= {tuple(sorted(group)) for group in groups}
        projection = Projection.of(_sample([_rows(features, g) for g in sorted(together)]))
        data = [
            Ranked(features=projection(_rows(features, list(ranks))), ranks=tuple(ranks.values()))
            for ranks in (r.ranks() for r in ranked)
        ]
        heads = fit_heads(data, dimensions=projection.directions.shape[1], seed=seed)
        return cls(heads=heads, projection=projection, rankings=len(data))

    def priorities(self, items: Sequence[Asked], features: Rows) -> dict[str, float]:
        """How much the ranking of each item would teach in nats, by its id.

        Expected information, less for what is like an item before it, and more for an item on
        which those who ranked it contradict each other.
        """
        if not items:
            return {}
        values, asked = [], []
        for item in items:
            rows = self.projection(_rows(features, item.candidates))
            information = item_information(self.heads.outcomes(rows), len(rows))
            values.append(information + disagreement(item.rankings) * _SETTLES)
            asked.append(directions(rows, self.heads))
        order, worth = spread_out(np.array(values), np.stack(asked), most=_SPREAD)
        # Where likeness took everything, the information alone decides, below all others.
        return {
            items[n].id: float(max(w, 1e-3 * values[n])) for n, w in zip(order, worth, strict=True)
        }

    def candidates(
        self, responses: Sequence[Response], features: Rows, k: int, chosen: Sequence[str] = ()
    ) -> list[str]:
        """Ids of the k responses to one prompt whose ranking teaches most, `chosen` first.

        Raises:
            NotEnoughData: there are fewer than k.
        """
        numbers = {r.id: n for n, r in enumerate(responses)}
        found = teaching_candidates(
            self.projection(_rows(features, list(numbers))),
            self.heads,
            k,
            texts=[r.text for r in responses],
            chosen=[numbers[i] for i in chosen],
        )
        return [responses[n].id for n in found]


def choose_candidates(
    by_prompt: Mapping[str, Sequence[Response]],
    k: int,
    choose: Callable[[Sequence[Response], int, Sequence[str]], list[str]],
) -> list[str]:
    """Ids of spare samples to offer, so that each prompt has k candidates.

    Args:
        by_prompt: Samples of each prompt, candidates and spare ones, in a fixed order.
        k: Candidates of each prompt; those there are stay.
        choose: Gives k of a prompt's samples, of which some are chosen already.
    """
    found: list[str] = []
    for samples in by_prompt.values():
        chosen = [r.id for r in samples if r.purpose == "candidate"]
        if len(chosen) < min(k, len(samples)):
            picked = choose(samples, min(k, len(samples)), chosen)
            found += [i for i in picked if i not in set(chosen)]
    return found


def _rows(features: Rows, ids: Sequence[str]) -> NDArray[np.float64]:
    return np.stack([features[i] for i in ids]).astype(np.float64)


def _sample(groups: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Every so many, where there are more responses than needed."""
    step = -(-sum(map(len, groups)) // _MOST_ROWS) or 1
    return groups[::step]
