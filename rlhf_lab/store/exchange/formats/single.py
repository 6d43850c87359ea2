"""One text per row: TRL's prompt-only and SFT formats, and prompts under other usual names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rlhf_lab.errors import PromptError
from rlhf_lab.store.exchange import fields
from rlhf_lab.store.exchange.formats.prompts import (
    exact_messages,
    plain_messages,
    prompt_in,
    prompt_text,
)
from rlhf_lab.store.exchange.record import Record, Row, RowProblem, What
from rlhf_lab.store.prompt_files import PROMPT_FIELDS, with_input
from rlhf_lab.types import Message

# Fields of the other formats.
_SAYS_MORE = ("chosen", "rejected", "completion", "responses", "ranking", "fields")


def says_more(row: Row) -> str | None:
    """The field by which a row is more than a prompt, if it has one."""
    return next((f for f in _SAYS_MORE if row.get(f) is not None), None)


@dataclass(frozen=True)
class Prompts:
    """{"prompt": text or messages}; reads what `add_prompts` reads."""

    name: str
    chat: bool
    what: What = "prompts"
    needs: tuple[str, ...] = ("prompt",)
    columns: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what it writes."""
        own = {"prompt": "messages"} if self.chat else _TEXT_PROMPT
        object.__setattr__(self, "columns", {**own, **fields.OF_PROMPTS})

    def matches(self, row: Row) -> bool:
        """By a prompt alone."""
        # Even without a value: the other rows of such a file are judgments.
        if any(f in row for f in _SAYS_MORE):
            return False
        name = _prompt_field(row)
        return name is not None and isinstance(row[name], (list, tuple)) == self.chat

    def group(self, row: Row) -> str | None:
        """Every row stands alone."""
        return None

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """One prompt."""
        (row,) = rows
        name = _prompt_field(row)
        if name is None:
            raise RowProblem("prompt", "is missing or null")
        value = row[name]
        if name == "instruction" and isinstance(value, str):
            value = _instruction(value, row.get("input"))
        prompt = fields.make_prompt(_exact(row) or prompt_in(value, name), name)
        said = fields.shared({f: row.get(f) for f in fields.OF_PROMPTS}, prompt)
        return [Record(kind="prompt", **said)]

    def write(self, record: Record) -> list[dict[str, Any]]:
        """One row, whatever is said of the prompt."""
        prompt = _columns(record.prompt.messages, self.chat)
        return [{**prompt, **fields.about_prompt(record)}]


@dataclass(frozen=True)
class Sft:
    """{"prompt", "completion"} as text or chats, or {"messages"} that end with the answer."""

    name: str
    shape: Literal["chat", "text", "messages"]
    what: What = "demonstrations"
    needs: tuple[str, ...] = field(init=False)
    columns: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what it needs and writes."""
        own = {
            "chat": {"prompt": "messages", "completion": "messages"},
            "text": {**_TEXT_PROMPT, "completion": "text"},
            "messages": {"messages": "messages"},
        }[self.shape]
        names = ("messages",) if self.shape == "messages" else ("prompt", "completion")
        object.__setattr__(self, "needs", names)
        object.__setattr__(self, "columns", {**own, **fields.OF_DEMONSTRATIONS})

    def matches(self, row: Row) -> bool:
        """By the fields, and that the last message is the assistant's."""
        if self.shape == "messages":
            chat = row.get("messages")
            last = chat[-1] if isinstance(chat, (list, tuple)) and chat else None
            return isinstance(last, Mapping) and last.get("role") == "assistant"
        if row.get("prompt") is None or row.get("completion") is None:
            return False
        return isinstance(row["completion"], (list, tuple)) == (self.shape == "chat")

    def group(self, row: Row) -> str | None:
        """Every row stands alone."""
        return None

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """One demonstration."""
        (row,) = rows
        if self.shape == "messages":
            messages, text = _last_is_answer(fields.messages_in(row.get("messages"), "messages"))
        else:
            if row.get("prompt") is None:
                raise RowProblem("prompt", "is missing or null")
            messages, text = _exact(row) or prompt_in(row["prompt"], "prompt"), _completion(row)
        if not text.strip():
            name = "messages" if self.shape == "messages" else "completion"
            raise RowProblem(name, f"{text!r:.80}: a demonstration has at least one visible sign")
        prompt = fields.make_prompt(messages, self.needs[0])
        named = {f: row.get(f) for f in fields.OF_DEMONSTRATIONS}
        return [Record(kind="demonstration", text=text, **fields.shared(named, prompt))]

    def write(self, record: Record) -> list[dict[str, Any]]:
        """One row; none for what is no demonstration."""
        if record.kind != "demonstration":
            return []
        messages = record.prompt.messages
        answer = [{"role": "assistant", "content": record.text}]
        if self.shape == "messages":
            own: dict[str, Any] = {"messages": [*plain_messages(messages), *answer]}
        else:
            chat = self.shape == "chat"
            own = {**_columns(messages, chat), "completion": answer if chat else record.text}
        return [{**own, **fields.about_demonstration(record)}]


_TEXT_PROMPT = {"prompt": "text", "prompt_messages": "messages"}


def _columns(messages: tuple[Message, ...], chat: bool) -> dict[str, Any]:
    if chat:
        return {"prompt": plain_messages(messages)}
    text = prompt_text(messages)
    return {"prompt": text, "prompt_messages": exact_messages(text, messages)}


def _prompt_field(row: Row) -> str | None:
    return next((f for f in PROMPT_FIELDS if row.get(f) is not None), None)


def _instruction(text: str, more: object) -> str:
    try:
        return with_input(text, more)
    except PromptError as error:
        raise RowProblem("input", f"{more!r:.80}: should be text") from error


def _exact(row: Row) -> tuple[Message, ...] | None:
    chat = row.get("prompt_messages")
    return None if chat is None else fields.messages_in(chat, "prompt_messages")


def _completion(row: Row) -> str:
    value = row.get("completion")
    if not isinstance(value, (list, tuple)):
        return fields.required_text(row, "completion")
    messages = fields.messages_in(value, "completion")
    if [m.role for m in messages] != ["assistant"]:
        raise RowProblem("completion", f"{value!r:.80}: should be one message of the assistant")
    return messages[0].content


def _last_is_answer(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], str]:
    if not messages or messages[-1].role != "assistant":
        raise RowProblem("messages", "should end with the assistant's message")
    return messages[:-1], messages[-1].content
