"""Prompts as formats hold them: text, transcripts or chats."""

from __future__ import annotations

from collections.abc import Sequence

from rlhf_lab.store.exchange import fields, transcripts
from rlhf_lab.store.exchange.record import RowProblem
from rlhf_lab.types import Message


def prompt_in(value: object, name: str) -> tuple[Message, ...]:
    """The messages of a prompt given as text, transcript or chat."""
    if isinstance(value, str):
        if not value.strip():
            raise RowProblem(name, f"{value!r:.80}: has no text that could be the prompt")
        return transcripts.prompt_messages(value)
    return fields.messages_in(value, name)


def prompt_text(messages: Sequence[Message]) -> str:
    """A prompt as one text: its own where it is one message, else a transcript."""
    alone = len(messages) == 1 and messages[0].role == "user"
    return messages[0].content if alone else transcripts.open_transcript(messages)


def plain_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """As JSON."""
    return [{"role": m.role, "content": m.content} for m in messages]


def exact_messages(text: str, messages: tuple[Message, ...]) -> list[dict[str, str]] | None:
    """The messages, where the text alone would be read as others."""
    return None if transcripts.prompt_messages(text) == messages else plain_messages(messages)
