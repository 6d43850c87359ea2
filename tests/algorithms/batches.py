"""Ragged batches: rows of real values for the reference, padded tensors for the library."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SEEDS = range(6)
# What padding may hold. No result may depend on it.
FILLS = [0.0, 1e6, -1e6, float("nan"), float("inf"), float("-inf")]


class Ragged:
    """Random responses of different lengths; each draw has one value per response token.

    The first row is always full and the last one has a single token.
    """

    def __init__(self, seed: int, *, fill: float = 1e6) -> None:
        self.random = np.random.default_rng(seed)
        self.fill = fill
        tokens = int(self.random.integers(2, 9))
        middle = self.random.integers(1, tokens + 1, size=int(self.random.integers(0, 4)))
        self.lengths = [tokens, *(int(n) for n in middle), 1]
        self.is_response_token = torch.tensor(
            [[t < n for t in range(tokens)] for n in self.lengths], dtype=torch.bool
        )

    def rows(self, scale: float = 1.0) -> list[list[float]]:
        """Normal values, one per response token, that float32 holds exactly."""
        return [
            [float(np.float32(x)) for x in self.random.normal(0, scale, n)] for n in self.lengths
        ]

    def scores(self) -> list[float]:
        """One normal value per response, that float32 holds exactly."""
        return [float(np.float32(x)) for x in self.random.normal(size=len(self.lengths))]

    def pad(self, rows: list[list[float]]) -> Tensor:
        """Rows as a float32 tensor, with the fill behind every row's end."""
        longest = max(self.lengths)
        return torch.tensor(
            [row + [self.fill] * (longest - len(row)) for row in rows], dtype=torch.float32
        )

    def unpad(self, tensor: Tensor) -> list[list[float]]:
        """The response tokens alone."""
        return [tensor[i, :n].tolist() for i, n in enumerate(self.lengths)]

    def padding_of(self, tensor: Tensor) -> Tensor:
        """Everything but the response tokens."""
        return tensor[~self.is_response_token]


def flat(rows: list[list[float]]) -> list[float]:
    """All values of all rows."""
    return [x for row in rows for x in row]


def close(actual: object, expected: object, *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Equal as float32 can be; NaN equals nothing, for no result may be one."""
    if isinstance(actual, Tensor):
        actual = actual.detach()
    np.testing.assert_allclose(
        np.asarray(actual), np.asarray(expected), rtol=rtol, atol=atol, equal_nan=False
    )
