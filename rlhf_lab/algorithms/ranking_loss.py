"""Learning scores from rankings with ties: the Davidson model over all pairs of a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rlhf_lab.errors import JudgmentError


class Pairs(NamedTuple):
    """All pairs of one ranking, as index tensors of shape (pairs,).

    `better[i]` was ranked no lower than `worse[i]`; `is_tie[i]` says they shared a tier.
    """

    better: Tensor
    worse: Tensor
    is_tie: Tensor


def pairs_of_tiers(ranks: Sequence[int]) -> Pairs:
    """Every pair of candidates of one ranking.

    Args:
        ranks: Tier number of each candidate, 1 is best, equal is tied.

    Raises:
        JudgmentError: fewer than two candidates.
    """
    if len(ranks) < 2:
        raise JudgmentError(
            f"{len(ranks)} candidates: a comparison needs at least two. "
            "Leave this judgment out, or generate and rank more responses."
        )
    pairs = [
        (i, j) if ranks[i] <= ranks[j] else (j, i) for i, j in combinations(range(len(ranks)), 2)
    ]
    better, worse = (torch.tensor(side) for side in zip(*pairs, strict=True))
    tie = torch.tensor([ranks[i] == ranks[j] for i, j in pairs])
    return Pairs(better, worse, tie)


def davidson_log_probs(
    difference: Float[Tensor, " pairs"], log_tie: Float[Tensor, ""]
) -> tuple[Float[Tensor, " pairs"], Float[Tensor, " pairs"]]:
    """Logs of P(first wins) and P(tie), for score differences first - second.

    P(win) = e^(d/2) / (e^(d/2) + e^(-d/2) + nu), P(tie) = nu / (the same), nu = exp(log_tie).
    With nu = 0 this is Bradley-Terry. Source: Davidson (1970), "On Extending the Bradley-Terry
    Model to Accommodate Ties in Paired Comparison Experiments".
    """
    half = difference / 2
    log_tie = log_tie.expand_as(half)
    log_total = torch.logsumexp(torch.stack([half, -half, log_tie]), dim=0)
    return half - log_total, log_tie - log_total


def ranking_loss(
    scores: Float[Tensor, " candidates"], pairs: Pairs, log_tie: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of one ranking's pairs under the Davidson model, in nats.

    The mean over pairs makes every prompt weigh the same whatever its number of candidates
    (Ouyang et al. 2022, section 3.5); the caller averages over prompts.
    """
    log_win, log_draw = davidson_log_probs(scores[pairs.better] - scores[pairs.worse], log_tie)
    # Indexing takes pairs from the CPU whatever the device of the scores; torch.where does not.
    return -torch.where(pairs.is_tie.to(scores.device), log_draw, log_win).mean()
