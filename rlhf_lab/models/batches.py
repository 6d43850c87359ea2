"""Token batches: prompts and the responses that follow them, with explicit lengths.

Several responses to one prompt may share a row. The prompt is then computed once: each response
sees the prompt and itself, not its neighbours, and its positions go on from the prompt's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from rlhf_lab.algorithms import length_mask

PADDING, PROMPT = -1, 0


class Row(NamedTuple):
    """A prompt and the responses that share it, all in token ids."""

    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]

    @property
    def width(self) -> int:
        """Tokens of the row."""
        return len(self.prompt) + sum(map(len, self.responses))

    @property
    def starts(self) -> list[int]:
        """Place of the first token of each response."""
        return list(accumulate(map(len, self.responses[:-1]), initial=len(self.prompt)))


@dataclass(frozen=True, kw_only=True)
class TokenBatch:
    """Rows of prompts and responses, padded on the right.

    Attributes:
        input_ids: (rows, tokens).
        position_ids: (rows, tokens): 0, 1, 2 ... through the prompt and on through each response.
        segment_ids: (rows, tokens): 0 in a prompt, n in the n-th response of the row, -1 elsewhere.
        rows: (responses,) row of each response.
        starts: (responses,) place of its first token in that row.
        prompt_lengths: (responses,) tokens of its prompt.
        response_lengths: (responses,) its own tokens, end token included.
    """

    input_ids: Tensor
    position_ids: Tensor
    segment_ids: Tensor
    rows: Tensor
    starts: Tensor
    prompt_lengths: Tensor
    response_lengths: Tensor

    @property
    def is_token(self) -> Tensor:
        """(rows, tokens): True for prompt and response, False for padding; from lengths alone."""
        return self.segment_ids != PADDING

    @property
    def is_shared(self) -> bool:
        """Whether any row holds more than one response."""
        return len(self.rows) > len(self.input_ids)

    @cached_property
    def attention_mask(self) -> Tensor:
        """What each token may look at.

        (rows, tokens) as integers where every row is one sequence; where responses share a row,
        (rows, 1, tokens, tokens): True for earlier tokens of the prompt and of the same response.
        """
        if not self.is_shared:
            return self.is_token.long()
        seen, seeing = self.segment_ids.unsqueeze(1), self.segment_ids.unsqueeze(2)
        tokens = self.segment_ids.shape[1]
        earlier = torch.ones(tokens, tokens, dtype=torch.bool, device=seen.device).tril()
        # Padding looks at padding: a row of the mask without any True would give NaN.
        return (((seen == PROMPT) | (seen == seeing)) & earlier).unsqueeze(1)

    @property
    def is_response_token(self) -> Tensor:
        """(responses, longest response): True for the real tokens of each response."""
        return length_mask(self.response_lengths, int(self.response_lengths.max()))

    @property
    def response_ids(self) -> Tensor:
        """(responses, longest) token ids; whatever stands where there is no response token."""
        return self.of_responses(self.input_ids, self._places(self.starts))

    @property
    def predicting_places(self) -> Tensor:
        """(responses, longest): place in its row of the state that predicts each response token.

        The first token of a response follows the end of the prompt, wherever the response stands.
        """
        places = self._places(self.starts - 1)
        places[:, 0] = self.prompt_lengths - 1
        return places

    @property
    def last_places(self) -> Tensor:
        """(responses,): place in its row of the last real token."""
        return self.starts + self.response_lengths - 1

    def of_responses(self, states: Tensor, places: Tensor) -> Tensor:
        """What (rows, tokens, ...) states hold at (responses, ...) places."""
        rows = self.rows.reshape(-1, *[1] * (places.ndim - 1))
        return states[rows, places]

    def _places(self, start: Tensor) -> Tensor:
        steps = torch.arange(int(self.response_lengths.max()), device=start.device)
        return (start.unsqueeze(1) + steps).clamp(max=self.input_ids.shape[1] - 1)


WIDTH_STEP = 16


def rounded_width(tokens: int) -> int:
    """The next multiple of 16: a few padding tokens instead of a new kernel for every width.

    Libraries build and keep a kernel for each shape they meet: without rounding, a process on a CPU
    grew by some 70 MB with every PPO step.
    """
    return -(-tokens // WIDTH_STEP) * WIDTH_STEP


def make_batch(
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    *,
    pad_id: int,
    device: torch.device | str = "cpu",
) -> TokenBatch:
    """One row for each prompt with its one response."""
    rows = [Row(p, [r]) for p, r in zip(prompts, responses, strict=True)]
    return batch_of_rows(rows, pad_id=pad_id, device=device)


def batch_of_rows(
    rows: Sequence[Row], *, pad_id: int, device: torch.device | str = "cpu", width: int = 0
) -> TokenBatch:
    """Pad rows into one batch, its width rounded up (`rounded_width`).

    Responses count through the rows: those of the first row, then those of the second. A `width`
    beyond the longest row's adds padding.
    """
    width = rounded_width(max(width, *(row.width for row in rows)))

    def padded(parts: Sequence[Sequence[int]], filler: int) -> list[int]:
        filled = [value for part in parts for value in part]
        return filled + [filler] * (width - len(filled))

    def tensor(values: Sequence[int] | Sequence[list[int]]) -> Tensor:
        return torch.tensor(values, device=device)

    each = [
        (number, row, response) for number, row in enumerate(rows) for response in row.responses
    ]
    return TokenBatch(
        input_ids=tensor([padded([row.prompt, *row.responses], pad_id) for row in rows]),
        position_ids=tensor([padded(_positions(row), 0) for row in rows]),
        segment_ids=tensor([padded(_segments(row), PADDING) for row in rows]),
        rows=tensor([number for number, _, _ in each]),
        starts=tensor([start for row in rows for start in row.starts]),
        prompt_lengths=tensor([len(row.prompt) for _, row, _ in each]),
        response_lengths=tensor([len(response) for _, _, response in each]),
    )


def _positions(row: Row) -> list[range]:
    end = len(row.prompt)
    return [range(end), *(range(end, end + len(r)) for r in row.responses)]


def _segments(row: Row) -> list[list[int]]:
    return [[number] * len(part) for number, part in enumerate([row.prompt, *row.responses])]
