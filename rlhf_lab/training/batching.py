"""Micro-batches by token count: rows of like length together, memory bounded."""

from __future__ import annotations

from collections.abc import Sequence


def micro_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Group row numbers so that rows x longest row stays within `tokens`, shortest rows first.

    A row longer than `tokens` gets a group of its own.
    """
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if groups and lengths[row] * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def spread(groups: Sequence[list[int]], parts: int) -> list[list[list[int]]]:
    """Deal groups into at most `parts` non-empty parts with about equally many rows each."""
    dealt: list[list[list[int]]] = [[] for _ in range(parts)]
    for group in groups:
        min(dealt, key=lambda part: sum(map(len, part))).append(group)
    return [part for part in dealt if part]
