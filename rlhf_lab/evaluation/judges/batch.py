"""Asking a judge about many items at once, and rankings from pairs and from scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Protocol, cast

from rlhf_lab.errors import ConfigError, JudgmentError, NonFiniteError
from rlhf_lab.types import Annotator, Prompt, Ranking, Response

JudgeItem = tuple[Prompt, Sequence[Response]]


class BatchJudge(Annotator, Protocol):
    """An annotator that is faster with many items at once. Optional: `rank_many` asks either."""

    def rank_many(self, items: Sequence[JudgeItem]) -> list[Ranking]:
        """A ranking of each item's candidates, in the order of the items."""


def rank_many(judge: Annotator, items: Sequence[JudgeItem]) -> list[Ranking]:
    """What a judge says of many items, asked all at once if it can be, else one by one.

    Args:
        judge: Any annotator.
        items: Prompts, each with its candidates.

    Raises:
        JudgmentError: it left out an item, or did not rank exactly the candidates of one.
    """
    if hasattr(judge, "rank_many"):
        rankings = list(cast("BatchJudge", judge).rank_many(items))
    else:
        rankings = [judge.rank(prompt, candidates) for prompt, candidates in items]
    if len(rankings) != len(items):
        raise JudgmentError(
            f"{judge.name!r} gave {len(rankings)} rankings of {len(items)} items: rank_many returns"
            " one for each, in their order."
        )
    for ranking, (_, candidates) in zip(rankings, items, strict=True):
        _check_complete(judge.name, ranking, candidates)
    return rankings


def _check_complete(name: str, ranking: Ranking, candidates: Sequence[Response]) -> None:
    shown = sorted(c.id for c in candidates)
    if sorted(ranking.response_ids) != shown:
        raise JudgmentError(
            f"{name!r} ranked {sorted(ranking.response_ids)}, but was shown {shown}: a judge gives "
            "each candidate a place, with ids as they are in the candidates."
        )


def ranking_from_pairs(ids: Sequence[str], points: Callable[[str, str], float]) -> Ranking:
    """Tiers by the number of others each beats, a tie counting one half (Copeland's rule).

    With these points Borda's rule gives the same order. Where the pairs contradict no order, that
    order is the result; where they go round in a circle, those in it are tied.

    Args:
        ids: Candidates.
        points: Of the first against the second, asked once for every pair: 1 won, 0.5 tied, 0 lost.

    Source: Copeland (1951); Saari and Merlin (1996), "The Copeland method".
    """
    scores = dict.fromkeys(ids, 0.0)
    for first, second in combinations(ids, 2):
        won = points(first, second)
        scores[first] += won
        scores[second] += 1 - won
    return Ranking.from_scores(scores)


def ranking_from_scores(scores: Mapping[str, float], tie_width: float) -> Ranking:
    """Tiers of responses that lie no further below the best of their tier than a width.

    Two responses are tied exactly when their scores differ by at most the width, wherever on the
    scale they lie.

    Args:
        scores: Of each response; higher is better.
        tie_width: 0 ties equal scores alone.

    Raises:
        NonFiniteError: a score is NaN or infinite.
    """
    odd = {i: s for i, s in scores.items() if not abs(s) < float("inf")}
    if odd:
        raise NonFiniteError(
            f"scores {odd}: a score that is NaN or infinite ranks nothing. Load the model in a "
            "wider type (dtype=torch.float32), or leave these responses out."
        )
    tiers: list[list[str]] = []
    best = 0.0
    for response_id, score in sorted(scores.items(), key=lambda pair: -pair[1]):
        if not tiers or best - score > tie_width:
            tiers.append([])
            best = score
        tiers[-1].append(response_id)
    return Ranking(tiers=tuple(map(tuple, tiers)))


def rankings_from_scores(
    items: Sequence[JudgeItem], scores: Sequence[float], tie_width: float
) -> list[Ranking]:
    """The same for many items, whose candidates' scores come one item after the other."""
    rest = iter(scores)
    return [
        ranking_from_scores({c.id: next(rest) for c in candidates}, tie_width)
        for _, candidates in items
    ]


def batches_of_like_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Places of texts in groups that need little padding, the longest first.

    What does not fit into memory then shows at once, not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    return [order[start : start + size] for start in range(0, len(order), size)]


def check_tie_width(tie_width: float) -> None:
    """Refuse widths that no two scores can differ by.

    Raises:
        ConfigError: below 0, or NaN.
    """
    if not tie_width >= 0:
        raise ConfigError(
            f"tie_width={tie_width}: 0 or more. 0 ties equal scores alone; with 0.1, scores that "
            "differ by at most 0.1 are tied."
        )
