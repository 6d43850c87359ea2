"""Which prompts a policy answers."""

from __future__ import annotations

import random
from collections import defaultdict

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import Prompt, Split


def choose_prompts(
    store: PreferenceStore, count: int, *, heldout: float, version: str, seed: int
) -> list[Prompt]:
    """At most so many prompts: those this policy has answered, then the least often answered.

    Args:
        store: The lab's.
        count: How many.
        heldout: Share of them taken from the held-out prompts.
        version: The policy that will answer.
        seed: Of the order among prompts that were answered equally often.

    Raises:
        NotEnoughData: the lab has no prompts.
        ConfigError: count is below 1, or heldout is not a share below 1.
    """
    _check(count)
    if not 0 <= heldout < 1:
        raise ConfigError(f"heldout={heldout}: a share from 0 up to, not including, 1. Use 0.25.")
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for response in store.responses():
        if response.purpose == "candidate":
            answered[response.prompt_id].add(response.version)

    def ordered(split: Split) -> list[Prompt]:
        prompts = store.prompts(split=split)
        random.Random(f"{seed}/{split}").shuffle(prompts)
        return sorted(prompts, key=lambda p: (version not in answered[p.id], len(answered[p.id])))

    train, held = ordered("train"), ordered("heldout")
    if not train and not held:
        raise NotEnoughData(
            "the lab has no prompts: add some, `lab.add_prompts(rl.load_prompts())`."
        )
    from_held = min(round(count * heldout), len(held))
    return train[: count - from_held] + held[:from_held]


def heldout_prompts(store: PreferenceStore, count: int) -> list[Prompt]:
    """At most so many held-out prompts, in the order they were added: always the same ones.

    Raises:
        NotEnoughData: the lab has none.
        ConfigError: count is below 1.
    """
    _check(count)
    chosen = store.prompts(split="heldout")[:count]
    if not chosen:
        raise NotEnoughData(
            "no held-out prompts: add some with lab.add_prompts(..., split='heldout')."
        )
    return chosen


def _check(count: int) -> None:
    if count < 1:
        raise ConfigError(f"prompts={count}: at least 1, better 32 or more.")
