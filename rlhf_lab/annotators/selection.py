"""Which item teaches most, and which candidates: pure functions of what reward heads predict.

The expected information of a comparison is the mutual information between its outcome and the
heads: how uncertain the outcome is, without what would stay uncertain if the best head were known.
Two responses that people will never agree on are uncertain and teach little; two that the heads
disagree about teach much.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from rlhf_lab.annotators.heads import Floats, Ints, RewardHeads, pair_places
from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.types import Ranking

# How much an item loses by being like one that comes before it: half of its information when it
# asks the same question.
LIKENESS_COST = 0.5


def pair_information(outcomes: Floats) -> Floats:
    """Expected information of every pair in nats, (..., pairs): 0 or more.

    Args:
        outcomes: Probabilities (heads, ..., pairs, outcomes); those of one pair sum to 1.

    Source: Houlsby et al. (2011), "Bayesian Active Learning for Classification and Preference
    Learning": the entropy of the mean less the mean of the entropies.
    """
    found: Floats = _entropy(outcomes.mean(axis=0)) - _entropy(outcomes).mean(axis=0)
    return np.maximum(found, 0.0)  # rounding makes zeros of either sign


def item_information(outcomes: Floats, candidates: int) -> float:
    """Expected information of one ranking in nats, from those of its pairs.

    The mean over pairs, as often as there are independent ones: k candidates make k (k - 1) / 2
    pairs, which tell about as much as k - 1 comparisons do. For two candidates it is exact.
    """
    return float(pair_information(outcomes).mean()) * (candidates - 1)


def disagreement(rankings: Sequence[Ranking]) -> float:
    """How far those who ranked one item contradict each other, from 0 to 1.

    Of all pairs of responses that two of them put in an order, the share put in both orders.
    Ties contradict nothing; below two rankings nobody disagrees.
    """
    contradicting = total = 0
    for one, other in combinations([r.ranks() for r in rankings], 2):
        for first, second in combinations(sorted(one), 2):
            theirs = [np.sign(ranks[first] - ranks[second]) for ranks in (one, other)]
            if all(theirs):
                total += 1
                contradicting += theirs[0] != theirs[1]
    return contradicting / total if total else 0.0


def directions(features: Floats, heads: RewardHeads) -> Floats:
    """What an item asks, as a unit vector: the difference of the pair that teaches most.

    Args:
        features: (candidates, features).
        heads: Tell which pair that is.
    """
    first, second = pair_places(len(features))
    best = int(pair_information(heads.outcomes(features)).argmax())
    difference = features[first[best]] - features[second[best]]
    length = np.linalg.norm(difference)
    found: Floats = difference / length if length else difference
    return found


def spread_out(values: Floats, asked: Floats, *, most: int | None = None) -> tuple[Ints, Floats]:
    """Items in an order in which each teaches much and is unlike those before it.

    Greedily: the next one has the highest value, less `LIKENESS_COST` of the highest value of all
    times its likeness to the nearest one chosen. Likeness is |cosine|: the same question asked the
    other way round is the same question.

    Args:
        values: (items,) each 0 or more.
        asked: (items, features), unit vectors or zeros.
        most: Order only so many, the others follow by value alone.

    Returns:
        The order, and what each is worth at its place, which never rises and is 0 or more.

    Source: Carbonell and Goldstein (1998), "The Use of MMR, Diversity-Based Reranking", for the
    rule; here with expected information in the place of relevance.
    """
    count = len(values)
    greedy = count if most is None else min(most, count)
    highest = float(values.max(initial=0.0))
    likeness = np.zeros(count)
    left = np.ones(count, dtype=bool)
    order: list[int] = []
    worth: list[float] = []
    for _ in range(greedy):
        worths = np.where(left, values - LIKENESS_COST * highest * likeness, -np.inf)
        chosen = int(worths.argmax())
        order.append(chosen)
        worth.append(float(worths[chosen]))
        left[chosen] = False
        likeness = np.maximum(likeness, np.abs(asked @ asked[chosen]))
    worths = np.where(left, values - LIKENESS_COST * highest * likeness, -np.inf)
    rest = np.argsort(-worths, kind="stable")[: count - greedy]
    order += rest.tolist()
    worth += worths[rest].tolist()
    return np.array(order, dtype=np.intp), np.maximum(np.array(worth), 0.0)


def teaching_candidates(
    features: Floats,
    heads: RewardHeads,
    k: int,
    *,
    texts: Sequence[str] | None = None,
    chosen: Sequence[int] = (),
) -> list[int]:
    """The k of some sampled responses whose ranking teaches most.

    The pair that teaches most, then one at a time the response that adds most to the mean
    information of the pairs it makes with those there are. A response like one that was chosen
    makes a pair the heads agree about: what is near comes last by itself. The same text twice is
    chosen only when there are not enough others.

    Args:
        features: (responses, features).
        heads: Predict preferences.
        k: How many.
        texts: Of the responses, to tell the same ones; spaces aside.
        chosen: Numbers of those that are candidates already, and stay.

    Returns:
        Their numbers, `chosen` first.

    Raises:
        NotEnoughData: there are fewer than k.
        ConfigError: another number of texts than of responses.
    """
    count = len(features)
    if count < k:
        raise NotEnoughData(f"{count} responses to choose {k} from: sample at least {k}.")
    words = (
        [" ".join(t.split()) for t in texts] if texts is not None else list(map(str, range(count)))
    )
    if len(words) != count:
        raise ConfigError(f"{len(words)} texts of {count} responses: one for each.")
    information = np.zeros((count, count))
    first, second = pair_places(count)
    information[first, second] = pair_information(heads.outcomes(features))
    information += information.T
    repeats = np.array([[one == other for other in words] for one in words])
    # Below any pair of different texts, and still in the order of what is left.
    information = np.where(repeats, -1.0, information)
    found = list(chosen)
    if not found and k > 1:
        np.fill_diagonal(information, -2.0)
        found = [int(i) for i in divmod(int(information.argmax()), count)]
    while len(found) < k:
        gain = information[:, found].sum(axis=1) if found else np.zeros(count)
        # One repeat of anything there outweighs every gain.
        gain = np.where((repeats[:, found]).any(axis=1), gain - count**2, gain)
        gain[found] = -np.inf
        found.append(int(gain.argmax()))
    return found


def _entropy(probabilities: Floats) -> Floats:
    """In nats, over the last axis; 0 log 0 is 0."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    found: Floats = -(probabilities * logs).sum(axis=-1)
    return found
