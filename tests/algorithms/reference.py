"""The formulas of the papers in plain float64 loops: slow, short, and written without torch.

A batch is a list of rows, and a row holds real tokens alone, so that padding cannot even be written
down here. Where the library speaks of a mask, these functions speak of a list of values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

Row = Sequence[float]
Rows = Sequence[Row]


# Ziegler et al. (2019), section 2: R(x, y) = r(x, y) - beta * log(pi(y|x) / rho(y|x))
def shaped_rewards(scores: Row, kl: Rows, kl_coef: float) -> list[list[float]]:
    shaped = []
    for score, row in zip(scores, kl, strict=True):
        rewards = []
        for t in range(len(row)):
            reward = -kl_coef * row[t]
            if t == len(row) - 1:
                reward += score
            rewards.append(reward)
        shaped.append(rewards)
    return shaped


# Schulman (2020), "Approximating KL Divergence", with r = other / policy: k1 = -log r
def kl_k1(logp: Rows, other: Rows) -> list[list[float]]:
    return [[p - q for p, q in zip(*rows, strict=True)] for rows in zip(logp, other, strict=True)]


# The same, k3 = (r - 1) - log r
def kl_k3(logp: Rows, other: Rows) -> list[list[float]]:
    return [
        [math.exp(q - p) - 1 - (q - p) for p, q in zip(*rows, strict=True)]
        for rows in zip(logp, other, strict=True)
    ]


# Ziegler et al. (2019), section 2.2: e = clip(KL / target - 1, -0.2, 0.2), beta <- beta (1 + K e)
def adapted(coef: float, target: float, gain: float, kls: Row) -> float:
    for kl in kls:
        coef *= 1 + gain * min(max(kl / target - 1, -0.2), 0.2)
    return coef


# Schulman et al. (2015), equation 16: A_t = sum_l (gamma * lambda)^l * delta_(t+l)
def gae(rewards: Row, values: Row, gamma: float, lam: float) -> list[float]:
    advantages = []
    for t in range(len(rewards)):
        total = 0.0
        for s in range(t, len(rewards)):
            following = values[s + 1] if s + 1 < len(values) else 0.0
            total += (gamma * lam) ** (s - t) * (rewards[s] + gamma * following - values[s])
        advantages.append(total)
    return advantages


# Ahmadian et al. (2024), equation 7: R_i - 1 / (k - 1) * sum over j != i of R_j
def leave_one_out(group: Row) -> list[float]:
    advantages = []
    for i in range(len(group)):
        others = [group[j] for j in range(len(group)) if j != i]
        advantages.append(group[i] - sum(others) / len(others))
    return advantages


# Shao et al. (2024), section 4.1.2: (R_i - mean) / std, the sample's standard deviation
def group_relative(group: Row) -> list[float]:
    return [float((r - np.mean(group)) / (np.std(group, ddof=1) + 1e-4)) for r in group]


# Schulman et al. (2017), equation 7: E[min(r A, clip(r, 1 - eps, 1 + eps) A)], to maximise
def policy_loss(logp: Rows, old: Rows, advantages: Rows, clip: float) -> dict[str, float]:
    objectives, kls, ratios, clipped = [], [], [], 0
    for new_row, old_row, advantage_row in zip(logp, old, advantages, strict=True):
        for new_lp, old_lp, advantage in zip(new_row, old_row, advantage_row, strict=True):
            ratio = math.exp(new_lp) / math.exp(old_lp)
            bounded = min(max(ratio, 1 - clip), 1 + clip)
            objectives.append(min(ratio * advantage, bounded * advantage))
            clipped += bounded * advantage < ratio * advantage
            kls.append(ratio - 1 - math.log(ratio))
            ratios.append(ratio)
    return {
        "loss": -float(np.mean(objectives)),
        "clip_fraction": clipped / len(objectives),
        "approx_kl": float(np.mean(kls)),
        "ratio_max": max(ratios),
    }


# Ziegler et al. (2019), code release: the value may move by `clip` from where the rollout had it
def value_loss(values: Rows, old: Rows, returns: Rows, clip: float) -> tuple[float, float]:
    errors, acted = [], 0
    for value_row, old_row, return_row in zip(values, old, returns, strict=True):
        for value, before, target in zip(value_row, old_row, return_row, strict=True):
            near = min(max(value, before - clip), before + clip)
            errors.append(0.5 * max((value - target) ** 2, (near - target) ** 2))
            acted += (near - target) ** 2 > (value - target) ** 2
    return float(np.mean(errors)), acted / len(errors)


# Ziegler et al. (2019), code release: whiten(values, shift_mean)
def whiten(values: Row, keep_mean: bool) -> list[float]:
    mean, variance = float(np.mean(values)), float(np.var(values))
    return [(v - mean) / math.sqrt(variance + 1e-8) + (mean if keep_mean else 0.0) for v in values]


def explained_variance(values: Row, returns: Row) -> float:
    left = [r - v for v, r in zip(values, returns, strict=True)]
    return 1.0 - float(np.var(left)) / float(np.var(returns))


# Davidson (1970): with worths p = exp(score), P(i > j) = p_i / (p_i + p_j + nu sqrt(p_i p_j))
def davidson(first: float, second: float, nu: float) -> tuple[float, float, float]:
    worth_1, worth_2 = math.exp(first), math.exp(second)
    tie = nu * math.sqrt(worth_1 * worth_2)
    total = worth_1 + worth_2 + tie
    return worth_1 / total, worth_2 / total, tie / total


# Ouyang et al. (2022), equation 1: the mean over the K(K-1)/2 pairs of one prompt
def ranking_loss(scores: Row, ranks: Sequence[int], nu: float) -> float:
    total, pairs = 0.0, 0
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            i_wins, j_wins, tie = davidson(scores[i], scores[j], nu)
            seen = tie if ranks[i] == ranks[j] else (i_wins if ranks[i] < ranks[j] else j_wins)
            total -= math.log(seen)
            pairs += 1
    return total / pairs


def token_logprob(
    hidden: np.ndarray, weight: np.ndarray, target: int, temperature: float
) -> tuple[float, float]:
    """Log-probability of one target and the entropy of its distribution, both in nats."""
    logits = [float(hidden @ weight[v]) / temperature for v in range(len(weight))]
    highest = max(logits)
    total = sum(math.exp(x - highest) for x in logits)
    log_probs = [x - highest - math.log(total) for x in logits]
    return log_probs[target], -sum(math.exp(x) * x for x in log_probs)


# Touvron et al. (2023), equation 2: -log sigmoid(r_chosen - r_rejected - m), here with ties and
# with the margin once for each tier between the two
def ranking_loss_with_margin(scores: Row, ranks: Sequence[int], nu: float, margin: float) -> float:
    levels = sorted(set(ranks))
    total, pairs = 0.0, 0
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            b, w = (i, j) if ranks[i] <= ranks[j] else (j, i)
            apart = levels.index(ranks[w]) - levels.index(ranks[b])
            win, _, tie = davidson(scores[b] - margin * apart, scores[w], nu)
            total -= math.log(win if apart else tie)
            pairs += 1
    return total / pairs


# Eisenstein et al. (2023): (r(x, y+) + r(x, y-))^2, the mean over pairs
def centring_loss(scores: Row) -> float:
    sums = [
        (scores[i] + scores[j]) ** 2 for i in range(len(scores)) for j in range(i + 1, len(scores))
    ]
    return float(np.mean(sums))


# Guo et al. (2017), equation 3: sum over bins of n_b / n * |acc(b) - conf(b)|; here for values
# without repeats, so that bins of equal mass are slices
def calibration_error(differences: Row, bins: int) -> float:
    order = np.argsort(np.abs(differences))
    confidence = 1 / (1 + np.exp(-np.abs(np.asarray(differences, dtype=np.float64)[order])))
    right = np.asarray(differences)[order] > 0
    return float(
        sum(
            len(part) / len(order) * abs(right[part].mean() - confidence[part].mean())
            for part in np.array_split(np.arange(len(order)), bins)
        )
    )


def expected_gap(chances: Row) -> float:
    """E|right pairs - sum of chances|, over all 2^n ways the pairs may come out."""
    total = 0.0
    for way in range(2 ** len(chances)):
        right = [(way >> i) & 1 for i in range(len(chances))]
        weight = math.prod(c if r else 1 - c for c, r in zip(chances, right, strict=True))
        total += weight * abs(sum(right) - sum(chances))
    return total


# Wilson (1927): all shares p with |p - share| <= z sqrt(p (1 - p) / n)
def wilson(share: float, n: int) -> tuple[float, float]:
    grid = np.linspace(0, 1, 200_001)
    held = grid[np.abs(grid - share) <= 1.959964 * np.sqrt(grid * (1 - grid) / n)]
    return float(held.min()), float(held.max())


# Efron and Tibshirani (1993), chapter 13: quantiles of the mean over all n^n equally likely draws
def bootstrap(clusters: Sequence[Row], shares: Row) -> list[float]:
    drawn = itertools.product(range(len(clusters)), repeat=len(clusters))
    means = sorted(float(np.mean(np.concatenate([clusters[i] for i in d]))) for d in drawn)
    return [means[math.ceil(share * len(means)) - 1] for share in shares]


# Every pair once, as (better, worse, tied, tiers between them)
# Rafailov et al. (2023), equation 5, without the part that a prompt's answers share.
def implicit_rewards(logp: Rows, reference: Row, beta: float) -> list[float]:
    return [beta * (math.fsum(row) - ref) for row, ref in zip(logp, reference, strict=True)]


def pairs(ranks: Sequence[int]) -> set[tuple[int, int, bool, int]]:
    levels = sorted(set(ranks))
    found = set()
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            apart = levels.index(ranks[j]) - levels.index(ranks[i])
            found.add((i, j, apart == 0, apart) if apart >= 0 else (j, i, False, -apart))
    return found


def variance(values: Row) -> float:
    return float(np.var(np.asarray(values, dtype=np.float64)))
