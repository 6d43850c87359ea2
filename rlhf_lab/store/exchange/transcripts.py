"""Chats as plain text, with turns marked as in Anthropic's helpful and harmless data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlhf_lab.types import Message

HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def is_transcript(text: str) -> bool:
    """Whether it starts as a human's turn."""
    return ("\n\n" + text.lstrip()).startswith(HUMAN)


def turns(text: str) -> list[Message] | None:
    """The turns of a transcript; None if it is none."""
    if not is_transcript(text):
        return None
    _, *pieces = _TURN.split("\n\n" + text.lstrip())
    return [
        Message(role="user" if who == "Human" else "assistant", content=said)
        for who, said in zip(pieces[::2], pieces[1::2], strict=True)
    ]


def prompt_messages(text: str) -> tuple[Message, ...]:
    """What a prompt in plain text says: a transcript that waits for an answer, or one message."""
    said = turns(text)
    if said and len(said) > 1 and said[-1].role == "assistant" and not said[-1].content:
        return tuple(said[:-1])
    return (Message(role="user", content=text),)


def shared_turns(chosen: str, rejected: str) -> tuple[tuple[Message, ...], str, str] | None:
    """Prompt and two answers of transcripts with a common beginning.

    The prompt ends with the last human turn up to which both agree. What follows is an answer; if
    it goes on for several turns, their marks stay in its text.
    """
    ours, theirs = turns(chosen), turns(rejected)
    if ours is None or theirs is None:
        return None
    same = 0
    for a, b in zip(ours, theirs, strict=False):
        if a != b:
            break
        same += 1
    ends = [
        n + 1
        for n in range(same)
        if ours[n].role == "user"
        and all(len(t) > n + 1 and t[n + 1].role == "assistant" for t in (ours, theirs))
    ]
    if not ends:
        return None
    cut = ends[-1]
    return tuple(ours[:cut]), _answer(ours[cut:]), _answer(theirs[cut:])


def _answer(rest: Sequence[Message]) -> str:
    return rest[0].content + "".join(as_text([m]) for m in rest[1:])


def as_text(messages: Sequence[Message]) -> str:
    """A transcript of messages; a system message stands before the first turn, without a mark."""
    marks = {"user": f"{HUMAN} ", "assistant": f"{ASSISTANT} ", "system": ""}
    return "".join(marks[m.role] + m.content for m in messages)


def open_transcript(messages: Sequence[Message]) -> str:
    """A transcript that waits for the assistant's next turn."""
    return as_text(messages) + f"{ASSISTANT} "


def common_start(chosen: str, rejected: str) -> int:
    """How many characters of two texts are their prompt: all that they share, but no half word."""
    size = 0
    for a, b in zip(chosen, rejected, strict=False):
        if a != b:
            break
        size += 1
    while size > 0 and not chosen[size - 1].isspace():
        if all(len(t) == size or t[size].isspace() for t in (chosen, rejected)):
            break
        size -= 1
    return size
