"""Between text and tokens: chat templates and stop tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

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

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """Token ids of an answer given as text, with the token that ends it.

        The template's own end of a turn goes before eos: that is what a policy samples.
        """
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        after = self._after_a_turn()
        end = self.tokenizer.eos_token_id if after is None else after
        return tuple(ids) if end is None else (*ids, cast("int", end))

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
