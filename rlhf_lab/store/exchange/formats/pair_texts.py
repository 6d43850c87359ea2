"""What a row of a pair says: prompt, better answer and worse answer, however it is written."""

from __future__ import annotations

from itertools import zip_longest
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
            raise RowProblem(
                side,
                f"{row[side]!r:.80}: should end with the assistant's message, which is the answer; "
                "add it, or take out what follows it",
            )
        starts.append(_start(prompt, tuple(before), side))
        answers.append(last.content)
    if starts[0] != starts[1]:
        n, (ours, theirs) = next(
            (n, both) for n, both in enumerate(zip_longest(*starts), 1) if both[0] != both[1]
        )
        raise RowProblem(
            "rejected",
            f"{_shown(theirs)}: is message {n} before its answer, and that of `chosen` is "
            f"{_shown(ours)}; give both the same ones",
        )
    if not starts[0]:
        raise RowProblem(
            "prompt",
            "is missing or empty, and `chosen` has no messages before its last one; put the "
            "prompt in either place",
        )
    return PairTexts(starts[0], *answers)


def _start(
    prompt: tuple[Message, ...], before: tuple[Message, ...], side: str
) -> tuple[Message, ...]:
    """All that is said before an answer: the prompt, once, and the turns that follow it.

    Some datasets repeat the prompt in both chats, perhaps after a system message; in others the
    chats go on where the prompt ends, perhaps after its last messages.
    """
    ours, theirs = _compared(prompt), _compared(before)
    if theirs[: len(ours)] == ours:
        return before
    for n in range(1, len(ours)):
        if theirs[: len(ours) - n] == ours[n:]:
            return prompt + before[len(ours) - n :]
    if not before or before[0].role == "assistant":
        return prompt + before
    if any(theirs[n : n + len(ours)] == ours for n in range(len(theirs))):
        return before
    # A turn of the user's is due, and it is none of those that the prompt has.
    if before[0].role == "user" and prompt[-1].role == "assistant" and theirs[0] not in ours:
        return prompt + before
    raise RowProblem(
        side,
        f"{before[0].content!r:.80}: starts otherwise than `prompt` ({prompt[0].content!r:.80}); "
        "repeat the prompt's messages there, or go on with the turn that follows them",
    )


def _shown(message: Message | None) -> str:
    return "nothing" if message is None else f"{message.role} {message.content!r:.80}"


def _compared(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(m.role, m.content.strip()) for m in messages]


def _from_wholes(
    row: Row, messages: tuple[Message, ...] | None, chosen: str, rejected: str
) -> PairTexts:
    """Texts that hold prompt and answer."""
    size = fields.check(_Cut, row).prompt_chars
    if size is None and messages:
        raise RowProblem(
            "prompt_chars",
            "is missing, and the row has `prompt_messages`; say how many characters of "
            "`chosen` and `rejected` are the prompt, or take `prompt_messages` out",
        )
    if size is None:
        found = transcripts.shared_turns(chosen, rejected)
        if found is not None:
            return PairTexts(*found)
        size = transcripts.common_start(chosen, rejected)
        start = chosen[:size].rstrip()
        if not start:
            raise RowProblem(
                "rejected",
                f"{rejected!r:.80}: starts otherwise than `chosen` ({chosen!r:.80}), and there is "
                "no `prompt`; put the prompt before both answers, or in a field of its own",
            )
        return PairTexts(prompt_in(start, "chosen"), chosen[size:], rejected[size:])
    if chosen[:size] != rejected[:size] or min(len(chosen), len(rejected)) < size:
        pairs = enumerate(zip(chosen, rejected, strict=False))
        shorter = min(len(chosen), len(rejected))
        same = next((n for n, (a, b) in pairs if a != b), shorter)
        raise RowProblem(
            "prompt_chars",
            f"{size}: `chosen` and `rejected` agree in no more than {same} characters; give a "
            "number up to that, or leave it out",
        )
    start = chosen[:size]
    return PairTexts(messages or prompt_in(start, "chosen"), chosen[size:], rejected[size:])
