"""Whether the reward rose, and the alarm when held-out preference did not rise with it.

A policy that learns to please its reward model is meant to please people too. Where it does not,
going on makes it worse (Gao et al. 2023, "Scaling Laws for Reward Model Overoptimization"). Both
are measured on the same responses to the same held-out prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.algorithms import bootstrap_mean
from rlhf_lab.algorithms.statistics import finite_scores
from rlhf_lab.evaluation.kl import plain_batches
from rlhf_lab.models import RoleModel
from rlhf_lab.types import REWARD_ALONE, Alarm, Interval, Prompt, Response

# With fewer, a win rate of one half or less is mostly the luck of the prompts.
FEWEST_PROMPTS = 8


class RewardGain(NamedTuple):
    """How much higher a reward scores a version than its baseline.

    Attributes:
        gain: In standard deviations of the start's scores, with its interval over prompts.
        scores: Of every response, by its id, in the same unit.
    """

    gain: Interval
    scores: dict[str, float]


def reward_gain(
    model: RoleModel,
    prompts: Sequence[Prompt],
    before: Sequence[Response],
    after: Sequence[Response],
    *,
    seed: int,
    progress: bool = True,
) -> RewardGain:
    """How much higher a reward scores `after`, and what it gives each response.

    Args:
        model: Its reward role is the version that is asked.
        prompts: One per pair of responses.
        before: The baseline's response to each prompt.
        after: The version's response to each prompt.
        seed: Of the bootstrap.
        progress: Show a bar.

    Raises:
        NonFiniteError: scores that are NaN or infinite.
    """
    found = _scores(model, [*prompts, *prompts], [*before, *after], progress)
    scores = finite_scores(found)
    gains = (scores[len(before) :] - scores[: len(before)]).tolist()
    ids = [response.id for response in (*before, *after)]
    return RewardGain(
        bootstrap_mean([[gain] for gain in gains], seed=seed),
        dict(zip(ids, scores.tolist(), strict=True)),
    )


def _scores(
    model: RoleModel, prompts: Sequence[Prompt], responses: Sequence[Response], progress: bool
) -> Tensor:
    """In standard deviations of the start's scores."""
    batches = list(plain_batches(model, prompts, responses))
    with model.dense.base(), model.role("reward") as role:
        found = [
            role.scores(batch)
            for batch in tqdm(batches, desc="Reward", disable=not progress, leave=False)
        ]
    return model.head("reward").normalised(torch.cat(found)).cpu()


def preference_alarm(
    version: str, baseline: str, reward: str, gain: Interval, win_rate: Interval
) -> Alarm | None:
    """Whether one of reward and win rate is certain, and the other does not go with it.

    Either the reward has risen for certain and the win rate is one half or less, or the win rate
    has fallen below one half for certain and the reward is no lower.

    Args:
        version: The policy judged.
        baseline: What it is compared with.
        reward: The reward version asked.
        gain: As from `reward_gain`.
        win_rate: Share of the same prompts won by the policy.
    """
    risen_alone = gain.low > 0 and win_rate.estimate <= 0.5
    fallen_unseen = gain.estimate >= 0 and win_rate.high < 0.5
    if win_rate.n < FEWEST_PROMPTS or not (risen_alone or fallen_unseen):
        return None
    return Alarm(
        REWARD_ALONE,
        f"{reward} scores {version} higher than {baseline} by {gain} deviations, but its win rate "
        f"on the same held-out prompts is {win_rate}, not above one half: it may have learned to "
        "please the reward alone. Read some samples; then lab.generate(), lab.rank() and "
        "lab.update_reward(), so that the reward hears of it, or go back with lab.undo().",
    )
