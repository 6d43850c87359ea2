"""The scalar head that reads rewards and values off hidden states."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ScalarHead(nn.Module):
    """One fp32 number per hidden state: weight @ hidden + bias.

    Initialised with standard deviation 1/sqrt(dim + 1) (Stiennon et al. 2020, appendix).

    `log_tie` is the tie parameter of the Davidson model. `mean` and `scale` normalise scores so
    that the reference's responses have mean 0 and variance 1; they are data, not parameters.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int) -> None:
        """Make a head for hidden states of size `dim`."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim) / (dim + 1) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(()))
        self.log_tie = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, hidden: Tensor) -> Tensor:
        """Raw scores, shape of `hidden` without its last dimension."""
        with torch.autocast(hidden.device.type, enabled=False):
            return hidden.float() @ self.weight + self.bias

    def normalised(self, scores: Tensor) -> Tensor:
        """Scores on the scale where the reference has mean 0 and variance 1."""
        return (scores - self.mean) / self.scale

    @torch.no_grad()
    def start_from(self, other: ScalarHead) -> None:
        """Take over another head so that this one's raw output is the other's normalised one."""
        self.weight.copy_(other.weight / other.scale)
        self.bias.copy_((other.bias - other.mean) / other.scale)

    @torch.no_grad()
    def start_at_zero(self) -> None:
        """Give every hidden state 0: the mean of the reference's normalised scores."""
        self.weight.zero_()
        self.bias.zero_()
