"""A few responses of a PPO step beside what the policy said before the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.ppo import Sampled
from rlhf_lab.types import START, Prompt, Response, TrainingSample

SAMPLES = 3


class RunSamples:
    """Finds, for the steps of one run, what is to be looked at."""

    def __init__(self, store: PreferenceStore, *, before: str) -> None:
        """Look at nothing yet.

        Args:
            store: With responses of earlier versions.
            before: The version that the run started from.
        """
        self._store = store
        self._before = before
        self._earlier: dict[str, Response] | None = None

    def of(
        self,
        prompts: Sequence[Prompt],
        sampled: Sampled,
        decode: Callable[[Sequence[int]], str],
        *,
        step: int,
    ) -> list[TrainingSample]:
        """Responses that were sampled anyway; nothing is generated for being looked at.

        Prompts come first that the version before the run has answered, which `lab.generate`
        stored.

        Args:
            prompts: Of the step.
            sampled: The step's responses, as many to each prompt.
            decode: From tokens to text.
            step: Its number.
        """
        each = len(sampled.responses) // len(prompts)
        earlier = self._earlier_responses()
        found = [(number, earlier.get(prompt.id)) for number, prompt in enumerate(prompts)]
        found.sort(key=lambda pair: pair[1] is None)  # stable: otherwise as they were sampled
        return [
            TrainingSample(
                prompt=prompts[number].text,
                now=decode(sampled.responses[number * each]),
                step=step,
                score=sampled.scores[number * each],
                before=said.text if said else None,
                before_version=said.version if said else "",
            )
            for number, said in found[:SAMPLES]
        ]

    def _earlier_responses(self) -> dict[str, Response]:
        """The first of each prompt, of the version before the run if it has any, else the start's.

        Read once for the run: what is generated while it goes on was not said before it.
        """
        if self._earlier is None:
            found: dict[str, Response] = {}
            for version in dict.fromkeys([self._before, START]):
                for response in self._store.responses(version=version):
                    found.setdefault(response.prompt_id, response)
            self._earlier = found
        return self._earlier
