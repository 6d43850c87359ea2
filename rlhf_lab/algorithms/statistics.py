"""Means, variances and whitening that padding cannot reach."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlhf_lab.errors import NonFiniteError, ShapeError


def length_mask(lengths: Int[Tensor, " batch"], tokens: int) -> Bool[Tensor, "batch tokens"]:
    """True for the first `lengths[i]` places of row i: a mask from lengths, never from token ids.

    `pad` and `eos` are often the same id, so comparing ids would drop real end tokens.
    """
    return torch.arange(tokens, device=lengths.device) < lengths.unsqueeze(1)


def only(values: Tensor, is_valid: Tensor) -> Tensor:
    """`values` with 0 where `is_valid` is False, even if NaN or infinity sits there.

    Raises:
        ShapeError: the two differ in shape.
    """
    if values.shape != is_valid.shape:
        raise ShapeError(
            f"values {tuple(values.shape)} and mask {tuple(is_valid.shape)} differ: "
            "pass one mask entry per value."
        )
    return torch.where(is_valid, values, torch.zeros((), dtype=values.dtype, device=values.device))


def finite_scores(scores: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The same scores, if a reward model may give them.

    Raises:
        NonFiniteError: some are NaN or infinite. One would spoil every advantage of its batch.
    """
    broken = scores[~torch.isfinite(scores)].tolist()
    if broken:
        raise NonFiniteError(
            f"scores {broken[:3]} for {len(broken)} of {len(scores)} responses: rewards must be "
            "finite. Check out an earlier reward version (lab.checkout), or update it again."
        )
    return scores


def masked_mean(
    values: Float[Tensor, "*shape"], is_valid: Bool[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """Mean over the valid places; 0 when there are none."""
    return only(values, is_valid).sum() / is_valid.sum().clamp(min=1)


def masked_variance(
    values: Float[Tensor, "*shape"], is_valid: Bool[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """Population variance (divided by n) over the valid places."""
    values = only(values, is_valid)
    return masked_mean((values - masked_mean(values, is_valid)) ** 2, is_valid)


def whiten(
    values: Float[Tensor, "*shape"], is_valid: Bool[Tensor, "*shape"], *, keep_mean: bool
) -> Float[Tensor, "*shape"]:
    """Scale to variance 1 over valid places; the mean is kept (rewards) or removed (advantages).

    Invalid places come back as 0. Source: Ziegler et al. (2019), code release, `whiten`.
    """
    values = only(values, is_valid)
    mean = masked_mean(values, is_valid)
    scaled = (values - mean) * torch.rsqrt(masked_variance(values, is_valid) + 1e-8)
    return only(scaled + mean if keep_mean else scaled, is_valid)


def explained_variance(
    values: Float[Tensor, "*shape"],
    returns: Float[Tensor, "*shape"],
    is_valid: Bool[Tensor, "*shape"],
) -> Float[Tensor, ""]:
    """1 - Var(returns - values) / Var(returns); 1 is perfect, 0 no better than a constant."""
    unexplained = masked_variance(returns - values, is_valid)
    return 1 - unexplained / (masked_variance(returns, is_valid) + 1e-8)
