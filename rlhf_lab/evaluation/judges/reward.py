"""The lab's own reward model as a judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.evaluate import weights_as
from rlhf_lab.evaluation.judges.batch import (
    JudgeItem,
    batches_of_like_length,
    check_tie_width,
    rankings_from_scores,
)
from rlhf_lab.models import RoleModel, make_batch
from rlhf_lab.types import Prompt, Ranking, Response

TextTokens = tuple[Sequence[int], Sequence[int]]


class RewardJudge:
    """Ranks by the score of a model's reward role, under the lab's own chat template.

    ```python
    RewardJudge(model, state, name="reward@3", tie_width=0.1)
    ```

    Scores are in standard deviations of the start's scores. As a judge of a policy that was trained
    with the same weights it says whether the proxy rose, not whether the answers are better.
    """

    def __init__(
        self,
        model: RoleModel,
        state: Mapping[str, Tensor] | None = None,
        *,
        name: str = "reward",
        tie_width: float = 0.0,
        batch_size: int = 8,
        heldout_only: bool = False,
        progress: bool = False,
    ) -> None:
        """Make a judge.

        Args:
            model: Must hold no role while the judge is asked.
            state: Weights of a reward version, in the reward role while the judge is asked; None
                for those that are there.
            name: The version's.
            tie_width: Scores that differ by at most so many standard deviations are tied.
            batch_size: Responses that are scored at once.
            heldout_only: Whether it has learned from the judgments on training prompts, so that
                only those on held-out ones can say anything of it; `lab.trust` heeds that.
            progress: Show a bar.

        Raises:
            ConfigError: a setting outside its range.
        """
        check_tie_width(tie_width)
        if batch_size < 1:
            raise ConfigError(f"batch_size={batch_size}: at least 1. Use 8.")
        self.name = name
        self.tie_width = tie_width
        self.heldout_only = heldout_only
        self._model = model
        self._state = state
        self._batch_size = batch_size
        self._progress = progress

    def __repr__(self) -> str:
        """Its name and width."""
        return f"RewardJudge({self.name!r}, tie_width={self.tie_width:g})"

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first.

        Raises:
            PromptError: a prompt with a response is longer than the model's context.
            NonFiniteError: a score is NaN or infinite.
            RoleError: a role is held.
        """
        return self.rank_many([(prompt, candidates)])[0]

    def rank_many(self, items: Sequence[JudgeItem]) -> list[Ranking]:
        """The same of many items, scored in batches of like lengths."""
        return rankings_from_scores(items, self.scores(items), self.tie_width)

    def scores(self, items: Sequence[JudgeItem]) -> list[float]:
        """Of every candidate, items one after the other, in standard deviations of the start's."""
        texts = [self._tokens(p, c) for p, candidates in items for c in candidates]
        found = [0.0] * len(texts)
        lengths = [len(prompt) + len(answer) for prompt, answer in texts]
        places = batches_of_like_length(lengths, self._batch_size)
        with self._weights(), self._model.dense.base():
            for batch in tqdm(places, desc=self.name, disable=not self._progress, leave=False):
                for place, score in zip(batch, self._score([texts[n] for n in batch]), strict=True):
                    found[place] = score
        return found

    def _weights(self) -> AbstractContextManager[None]:
        if self._state is None:
            return nullcontext()
        return weights_as(self._model, "reward", self._state)

    def _tokens(self, prompt: Prompt, response: Response) -> TextTokens:
        # An answer from elsewhere is text: what a policy that said it would have sampled.
        chat = self._model.chat
        answer = response.token_ids or chat.encode_answer(response.text)
        return chat.encode(prompt, room=len(answer)), answer

    def _score(self, texts: Sequence[TextTokens]) -> list[float]:
        batch = make_batch(
            [prompt for prompt, _ in texts],
            [answer for _, answer in texts],
            pad_id=int(self._model.base.tokenizer.pad_token_id),
            device=self._model.base.device,
        )
        with self._model.role("reward") as role:
            raw = role.scores(batch)
        scores: list[float] = self._model.head("reward").normalised(raw).tolist()
        return scores
