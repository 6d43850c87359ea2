"""Micro-batches by token count: rows of like length together, memory bounded.

Responses to one prompt share a row where the model allows it, so that their prompt is computed
once. Most of a preference batch is prompts: at 50 tokens of prompt and 25 of answer, four
responses in one row are 150 tokens instead of 300.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rlhf_lab.models import RoleModel, Row, TokenBatch, batch_of_rows


class MicroBatch(NamedTuple):
    """Some of the responses as tokens; `responses` are their numbers, in the batch's order."""

    responses: list[int]
    tokens: TokenBatch


def response_batches(
    model: RoleModel,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    *,
    tokens: int,
    at_least: int = 1,
) -> list[MicroBatch]:
    """All responses in micro-batches of at most `tokens` tokens, padding included.

    Args:
        model: Says whether rows may be shared, and where the tokens go.
        prompts: One per response, in token ids; those of neighbours may be the same.
        responses: In token ids.
        tokens: Bounds memory; a longer response gets a batch of its own.
        at_least: So many batches, if there are as many responses.
    """
    most = max(len(responses) // at_least, 1) if model.shares_prompts else 1
    numbers = shared_rows(prompts, responses, tokens, most=most)
    rows = [Row(prompts[row[0]], [responses[n] for n in row]) for row in numbers]
    pad_id, device = int(model.base.tokenizer.pad_token_id), model.base.device
    return [
        MicroBatch(
            responses=[n for i in group for n in numbers[i]],
            tokens=batch_of_rows([rows[i] for i in group], pad_id=pad_id, device=device),
        )
        for group in micro_batches([row.width for row in rows], tokens, at_least=at_least)
    ]


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
