"""Between text and tokens: chat templates, stop tokens, batches with explicit lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from rlhf_lab.algorithms import length_mask
from rlhf_lab.errors import PromptError
from rlhf_lab.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ChatTokens:
    """A tokenizer's chat template, and the tokens that end an answer in it."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        context: int,
        eos: int | Sequence[int] | None = None,
    ) -> None:
        """Wrap a tokenizer.

        Args:
            tokenizer: With a chat template.
            context: Longest sequence of the model, in tokens.
            eos: Further end token ids, as in a generation config: an int, a list or None.
        """
        self.tokenizer = tokenizer
        self.context = context
        self._eos = eos

    def encode(self, prompt: Prompt, *, room: int = 1) -> list[int]:
        """Token ids of a prompt, ready for the answer to follow.

        Args:
            prompt: Chat messages.
            room: Tokens that must still fit into the context after it.

        Raises:
            PromptError: prompt and answer together exceed the model's context.
        """
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        ids = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        ids = cast("list[int]", ids)
        if len(ids) + room > self.context:
            raise PromptError(
                f"{prompt.text[:60]!r}... is {len(ids)} tokens; with {room} for the answer that is "
                "more "
                f"than the model's context of {self.context}: shorten it, or lower max_new_tokens."
            )
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer, without end tokens."""
        return cast("str", self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Every token that ends an answer: eos, and whatever the template puts after a turn."""
        ids = {self.tokenizer.eos_token_id, *self._listed(self._eos), self._after_a_turn()}
        return frozenset(i for i in ids if i is not None)

    @staticmethod
    def _listed(ids: int | Sequence[int] | None) -> list[int]:
        return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)

    def _after_a_turn(self) -> int | None:
        """The special token right after an assistant's text, found by rendering one."""
        marker = "x7Qz"
        turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": marker}]
        rendered = self.tokenizer.apply_chat_template(turns, tokenize=False)
        after = self.tokenizer.encode(str(rendered).rpartition(marker)[2], add_special_tokens=False)
        special = set(self.tokenizer.all_special_ids)
        return after[0] if after and after[0] in special else None


@dataclass(frozen=True, kw_only=True)
class TokenBatch:
    """Prompts followed by their responses, padded on the right.

    Attributes:
        input_ids: (batch, tokens).
        prompt_lengths: (batch,) prompt tokens of each row.
        response_lengths: (batch,) response tokens of each row, end token included.
    """

    input_ids: Tensor
    prompt_lengths: Tensor
    response_lengths: Tensor

    @property
    def is_token(self) -> Tensor:
        """(batch, tokens): True for prompt and response, False for padding; from lengths alone."""
        return length_mask(self.prompt_lengths + self.response_lengths, self.input_ids.shape[1])

    @property
    def is_response_token(self) -> Tensor:
        """(batch, longest response): True for the real tokens of each response."""
        return length_mask(self.response_lengths, int(self.response_lengths.max()))

    @property
    def position_ids(self) -> Tensor:
        """(batch, tokens): 0, 1, 2 ... in every row."""
        return torch.arange(self.input_ids.shape[1], device=self.input_ids.device).expand_as(
            self.input_ids
        )

    @property
    def response_ids(self) -> Tensor:
        """(batch, longest response) token ids; whatever stands where there is no response token."""
        return self.input_ids.gather(1, self._places(self.prompt_lengths))

    @property
    def predicting_places(self) -> Tensor:
        """(batch, longest response): place of the state that predicts each response token."""
        return self._places(self.prompt_lengths - 1)

    @property
    def last_places(self) -> Tensor:
        """(batch,): place of the last real token."""
        return self.prompt_lengths + self.response_lengths - 1

    def _places(self, start: Tensor) -> Tensor:
        steps = torch.arange(int(self.response_lengths.max()), device=start.device)
        return (start.unsqueeze(1) + steps).clamp(max=self.input_ids.shape[1] - 1)


WIDTH_STEP = 8


def rounded_width(tokens: int) -> int:
    """The next multiple of 8: a few padding tokens instead of a new kernel for every width.

    Libraries build and keep a kernel for each shape they meet; on a CPU that memory grew by some
    70 MB with every PPO step.
    """
    return -(-tokens // WIDTH_STEP) * WIDTH_STEP


def make_batch(
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    *,
    pad_id: int,
    device: torch.device | str = "cpu",
) -> TokenBatch:
    """Pad token lists into one batch, its width rounded up (`rounded_width`)."""
    rows = [[*p, *r] for p, r in zip(prompts, responses, strict=True)]
    width = rounded_width(max(map(len, rows)))
    return TokenBatch(
        input_ids=torch.tensor(
            [[*row, *[pad_id] * (width - len(row))] for row in rows], device=device
        ),
        prompt_lengths=torch.tensor([len(p) for p in prompts], device=device),
        response_lengths=torch.tensor([len(r) for r in responses], device=device),
    )
