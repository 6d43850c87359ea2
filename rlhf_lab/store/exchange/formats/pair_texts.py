"""What a row of a pair says: prompt, better answer and worse answer, however it is written."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from rlhf_lab.store.exchange import fields, transcripts
from rlhf_lab.store.exchange.fields import Strict
from rlhf_lab.store.exchange.formats.prompts import prompt_in
from rlhf_lab.store.exchange.record import Row, RowProblem
from rlhf_lab.types import Message

SIDES = ("chosen", "rejected")


class _Cut(Strict):
    prompt_chars: Annotated[int, Field(ge=0)] | None = None


class PairTexts(NamedTuple):
    """The prompt's messages, and both answers."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str


def pair_texts(row: Row) -> PairTexts:
    """What the row of a pair says, as chats or as text.

    Raises:
        RowProblem: names the field, its value and the rule.
    """
    kinds = {type(row.get(side)) for side in SIDES}
    if kinds <= {list, tuple}:
        return _from_chats(row)
    chosen, rejected = (fields.required_text(row, side) for side in SIDES)
    exact = row.get("prompt_messages")
    messages = fields.messages_in(exact, "prompt_messages") if exact is not None else None
    if row.get("prompt") is not None:
        return PairTexts(messages or prompt_in(row["prompt"], "prompt"), chosen, rejected)
    return _from_wholes(row, messages, chosen, rejected)


def _from_chats(row: Row) -> PairTexts:
    """Chats that hold the answer alone, or turns before it as well."""
    given = row.get("prompt")
    prompt = () if given is None else prompt_in(given, "prompt")
    answers = []
    starts = []
    for side in SIDES:
        *before, last = fields.messages_in(row[side], side) or (None,)
        if last is None or last.role != "assistant":
            raise RowProblem(side, f"{row[side]!r:.80}: should end with the assistant's message")
        starts.append(_start(prompt, tuple(before), side))
        answers.append(last.content)
    if starts[0] != starts[1]:
        raise RowProblem("rejected", "has another prompt before its last message than `chosen`")
    if not starts[0]:
        raise RowProblem("prompt", "is missing, and `chosen` has no messages before its last one")
    return PairTexts(starts[0], *answers)


def _start(
    prompt: tuple[Message, ...], before: tuple[Message, ...], side: str
) -> tuple[Message, ...]:
    """All that is said before an answer: the prompt, once, and the turns that follow it.

    Some datasets repeat the prompt in both chats, perhaps after a system message; in others the
    chats go on where the prompt ends.
    """
    ours, theirs = _compared(prompt), _compared(before)
    if theirs[: len(ours)] == ours:
        return before
    if not before or before[0].role == "assistant":
        return prompt + before
    if any(theirs[n : n + len(ours)] == ours for n in range(len(theirs))):
        return before
    raise RowProblem(
        side,
        f"{before[0].content!r:.80}: starts otherwise than `prompt` ({prompt[0].content!r:.80}); "
        "repeat the prompt's messages there, or go on with the assistant's",
    )


def _compared(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(m.role, m.content.strip()) for m in messages]


def _from_wholes(
    row: Row, messages: tuple[Message, ...] | None, chosen: str, rejected: str
) -> PairTexts:
    """Texts that hold prompt and answer."""
    size = fields.check(_Cut, row).prompt_chars
    if size is None:
        found = transcripts.shared_turns(chosen, rejected)
        if found is not None:
            return PairTexts(*found)
        size = transcripts.common_start(chosen, rejected)
        start = chosen[:size].rstrip()
        if not start:
            raise RowProblem(
                "rejected",
                "starts otherwise than `chosen`, and there is no `prompt`: both hold the prompt "
                "before the answer, or the row has it in a field of its own",
            )
        return PairTexts(prompt_in(start, "chosen"), chosen[size:], rejected[size:])
    if chosen[:size] != rejected[:size] or min(len(chosen), len(rejected)) < size:
        raise RowProblem("prompt_chars", f"{size}: `chosen` and `rejected` differ before that")
    start = chosen[:size]
    return PairTexts(messages or prompt_in(start, "chosen"), chosen[size:], rejected[size:])
