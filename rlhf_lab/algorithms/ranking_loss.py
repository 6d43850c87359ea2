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

    `better[i]` was ranked no lower than `worse[i]`; `is_tie[i]` says they shared a tier, and
    `tiers_apart[i]` how many tiers lie between them: 0 for a tie, 1 for neighbours.
    """

    better: Tensor
    worse: Tensor
    is_tie: Tensor
    tiers_apart: Tensor


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
    tiers = {rank: tier for tier, rank in enumerate(sorted(set(ranks)))}
    better, worse = (torch.tensor(side) for side in zip(*pairs, strict=True))
    apart = torch.tensor([tiers[ranks[j]] - tiers[ranks[i]] for i, j in pairs])
    return Pairs(better, worse, apart == 0, apart)


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
    scores: Float[Tensor, " candidates"],
    pairs: Pairs,
    log_tie: Float[Tensor, ""],
    margin: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of one ranking's pairs under the Davidson model, in nats.

    The mean over pairs makes every prompt weigh the same whatever its number of candidates
    (Ouyang et al. 2022, section 3.5); the caller averages over prompts.

    Args:
        scores: Raw score of each candidate.
        pairs: All pairs of the ranking.
        log_tie: Log of Davidson's tie parameter.
        margin: How much higher each tier should score than the next one. It is taken from the
            difference of an ordered pair, once per tier between the two, before the probability
            is formed; without ties that is -log sigmoid(difference - margin). Tied pairs have
            none. With a margin above 0 the result is a loss, no longer a likelihood.

    Source of the margin: Touvron et al. (2023), "Llama 2", section 3.2.2, equation 2.
    """
    differences = scores[pairs.better] - scores[pairs.worse]
    if margin:
        differences = differences - margin * pairs.tiers_apart.to(scores.device)
    log_win, log_draw = davidson_log_probs(differences, log_tie)
    # Indexing takes pairs from the CPU whatever the device of the scores; torch.where does not.
    return -torch.where(pairs.is_tie.to(scores.device), log_draw, log_win).mean()


def centring_loss(scores: Float[Tensor, " candidates"], pairs: Pairs) -> Float[Tensor, ""]:
    """Mean over the pairs of one ranking of the squared sum of their two scores.

    Rankings fix differences alone: all scores of a prompt may drift together. This draws them
    to 0, best responses above and worst below it.

    Source: Eisenstein et al. (2023), "Helping or Herding?", the regulariser of the pairwise
    objective.
    """
    return ((scores[pairs.better] + scores[pairs.worse]) ** 2).mean()
