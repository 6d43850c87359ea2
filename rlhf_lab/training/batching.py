"""Micro-batches by token count: rows of like length together, memory bounded."""

from __future__ import annotations

from collections.abc import Sequence


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
