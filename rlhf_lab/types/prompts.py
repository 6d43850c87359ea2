"""What a policy is asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal

from rlhf_lab.errors import PromptError

Split = Literal["train", "heldout"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What the policy answers: one or more chat messages, the last one from the user.

    The id is derived from the messages alone, so adding a prompt twice adds it once.
    """

    messages: tuple[Message, ...]
    split: Split = "train"
    source: str = "user"
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse prompts that no model could answer."""
        if not self.messages or self.messages[-1].role != "user":
            raise PromptError(
                f"{[m.role for m in self.messages]} is not a prompt: the last message must come "
                "from the user. Pass a string, or a list of chat messages ending with role 'user'."
            )
        for message in self.messages:
            if not isinstance(message.content, str):
                raise PromptError(
                    f"{message.content!r:.80} is a {type(message.content).__name__}: prompts are "
                    "text. Convert it to a string first."
                )
        if not self.messages[-1].content.strip():
            raise PromptError(
                f"{self.messages[-1].content!r:.80} has no text: a prompt needs at least one "
                "visible character. Remove it from the list."
            )

    @property
    def id(self) -> str:
        """Sixteen hex digits of the SHA-256 of the messages."""
        canonical = json.dumps([[m.role, m.content] for m in self.messages], ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def with_system(self, content: str) -> Prompt:
        """The same prompt after a system message; unchanged if it has one."""
        if self.messages[0].role == "system":
            return self
        return replace(self, messages=(Message(role="system", content=content), *self.messages))

    @property
    def text(self) -> str:
        """The last user message."""
        return self.messages[-1].content
