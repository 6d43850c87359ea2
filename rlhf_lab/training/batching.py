"""Micro-batches by token count: rows of like length together, memory bounded.

Responses to one prompt share a row where the model allows it, so that their prompt is computed
once. Most of a preference batch is prompts: at 50 tokens of prompt and 25 of answer, four
responses in one row are 150 tokens instead of 300.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rlhf_lab.models import RoleModel, Row, TokenBatch, batch_of_rows

# Numbers of the responses in each row of a micro-batch.
Rows = list[list[int]]


class MicroBatch(NamedTuple):
    """Some of the responses as tokens; `responses` are their numbers, in the batch's order."""

    responses: list[int]
    tokens: TokenBatch


def response_groups(
    model: RoleModel,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    *,
    tokens: int,
    at_least: int = 1,
) -> list[Rows]:
    """All responses in groups of at most `tokens` tokens, padding included.

    Args:
        model: Says whether rows may be shared.
        prompts: One per response, in token ids; those of neighbours may be the same.
        responses: In token ids.
        tokens: Bounds memory; a longer response gets a group of its own.
        at_least: So many groups, if there are as many responses.
    """
    most = max(len(responses) // at_least, 1) if model.shares_prompts else 1
    numbers = shared_rows(prompts, responses, tokens, most=most)
    widths = [len(prompts[row[0]]) + sum(len(responses[n]) for n in row) for row in numbers]
    groups = micro_batches(widths, tokens, at_least=at_least)
    return [[numbers[i] for i in group] for group in groups]


def as_tokens(
    model: RoleModel,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    rows: Rows,
) -> MicroBatch:
    """These responses, on the model's device."""
    return MicroBatch(
        responses=[n for row in rows for n in row],
        tokens=batch_of_rows(
            [Row(prompts[row[0]], [responses[n] for n in row]) for row in rows],
            pad_id=int(model.base.tokenizer.pad_token_id),
            device=model.base.device,
        ),
    )


def divided(rows: Rows, parts: int) -> list[Rows]:
    """A group in at most so many parts: halved, and its halves halved, while `parts` allows it.

    A row goes as a whole until it is alone; then its responses are shared out, each half with the
    prompt. One response stays one part.
    """
    if parts == 1 or _is_single(rows):
        return [rows]
    return [part for half in _halves(rows) for part in divided(half, parts // 2)]


def most_parts(groups: Sequence[Rows]) -> int:
    """The power of 2 at which every part of every group is one response."""
    parts = 1
    while not all(_is_single(part) for rows in groups for part in divided(rows, parts)):
        parts *= 2
    return parts


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    if len(rows) > 1:
        middle = len(rows) // 2
        return rows[:middle], rows[middle:]
    (row,) = rows
    middle = len(row) // 2
    return [row[:middle]], [row[middle:]]


def _is_single(rows: Rows) -> bool:
    return sum(map(len, rows)) == 1


def shared_rows(
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    tokens: int,
    *,
    most: int,
) -> list[list[int]]:
    """Numbers of each row's responses: up to `most` neighbours of one prompt, within `tokens`."""
    rows: list[list[int]] = []
    width = 0
    for number, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        fits = bool(rows) and len(rows[-1]) < most and width + len(response) <= tokens
        if fits and prompts[rows[-1][0]] == prompt:
            rows[-1].append(number)
            width += len(response)
        else:
            rows.append([number])
            width = len(prompt) + len(response)
    return rows


def micro_batches(lengths: Sequence[int], tokens: int, *, at_least: int = 1) -> list[list[int]]:
    """Group row numbers so that rows x longest row stays within `tokens`, shortest rows first.

    A row longer than `tokens` gets a group of its own. There are `at_least` so many groups, if
    there are as many rows.
    """
    most = max(len(lengths) // at_least, 1)
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        size = len(groups[-1]) if groups else most
        if size < most and lengths[row] * (size + 1) <= tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def spread(groups: Sequence[int], rows: Sequence[int], parts: int) -> list[list[int]]:
    """Deal groups of so many rows into at most `parts` non-empty parts of about equal rows."""
    dealt: list[list[int]] = [[] for _ in range(parts)]
    filled = [0] * parts
    for group, count in zip(groups, rows, strict=True):
        least = filled.index(min(filled))
        dealt[least].append(group)
        filled[least] += count
    return [part for part in dealt if part]
