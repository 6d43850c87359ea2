"""Which prompts a PPO step samples responses to, and with which seeds."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlhf_lab.training.config import PPOConfig
from rlhf_lab.types import Prompt


def prompts_of_step(
    prompts: Sequence[Prompt], config: PPOConfig, sampling_seed: int, step: int
) -> list[tuple[Prompt, list[int]]]:
    """The next prompts in an endless shuffled order, each with the seeds of its responses.

    Args:
        prompts: All there are, in an order that is always the same.
        config: How many of them a step takes, and its seed.
        sampling_seed: Of the responses.
        step: Counted from the policy's start, 0 is the first; it alone says where in the order
            the step begins.
    """
    count, chosen = len(prompts), []
    start = step * config.prompts_per_step
    for place in range(start, start + config.prompts_per_step):
        order = random.Random(f"{config.seed}/{place // count}").sample(list(prompts), count)
        seeds = random.Random(f"{config.seed}/{sampling_seed}/{place}")
        drawn = [seeds.getrandbits(48) for _ in range(config.responses_per_prompt)]
        chosen.append((order[place % count], drawn))
    return chosen
