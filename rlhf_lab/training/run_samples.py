"""A few responses of a PPO step beside what the policy said before the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.ppo import Sampled
from rlhf_lab.types import START, Prompt, Response, TrainingSample

SAMPLES = 3


def samples_of(
    store: PreferenceStore,
    prompts: Sequence[Prompt],
    sampled: Sampled,
    decode: Callable[[Sequence[int]], str],
    *,
    step: int,
    before: str,
) -> list[TrainingSample]:
    """Responses that were sampled anyway; nothing is generated for being looked at.

    Prompts come first that the version before the run has answered, which `lab.generate` stored.

    Args:
        store: With responses of earlier versions.
        prompts: Of the step.
        sampled: The step's responses, as many to each prompt.
        decode: From tokens to text.
        step: Its number.
        before: The version that the run started from.
    """
    each = len(sampled.responses) // len(prompts)
    found = [(number, _earlier(store, prompt, before)) for number, prompt in enumerate(prompts)]
    found.sort(key=lambda pair: pair[1] is None)  # stable: otherwise as they were sampled
    return [
        TrainingSample(
            prompt=prompts[number].text,
            now=decode(sampled.responses[number * each]),
            step=step,
            score=sampled.scores[number * each],
            before=earlier.text if earlier else None,
            before_version=earlier.version if earlier else "",
        )
        for number, earlier in found[:SAMPLES]
    ]


def _earlier(store: PreferenceStore, prompt: Prompt, before: str) -> Response | None:
    for version in dict.fromkeys([before, START]):
        if stored := store.responses(prompt.id, version):
            return stored[0]
    return None
