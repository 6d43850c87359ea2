"""The tiny model, and small values made with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from rlhf_lab.models import RoleModel, TokenBatch, load_base, make_batch
from rlhf_lab.models.roles import RoleName
from rlhf_lab.types import LoraSpec, Message, Prompt

TEXTS = ("Why is the sky blue?", "Tea?", "Name a river that flows to the north, please.")


def load_tiny(
    folder: Path, *, quantize: str = "none", dtype: torch.dtype = torch.float32, rank: int = 4
) -> RoleModel:
    base = load_base(str(folder), quantize=quantize, device="cpu", dtype=dtype)
    return RoleModel(base, LoraSpec(rank=rank, alpha=2 * rank))


def stir(model: RoleModel, *roles: RoleName, scale: float = 0.05, seed: int = 1) -> None:
    """Move roles away from where they start: a fresh adapter does nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for role in roles:
            for parameter in model.parameters(role).values():
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator))


def prompt(text: str, **changes) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), **changes)


def rows(model: RoleModel) -> list[tuple[list[int], list[int]]]:
    """Prompts and responses of unlike lengths, each response with its end token."""
    answers = ("It scatters light.", "Yes!", "The Nile does")
    end = model.base.tokenizer.eos_token_id
    encode = model.base.tokenizer.encode
    return [
        (model.chat.encode(prompt(q)), [*encode(a, add_special_tokens=False), end])
        for q, a in zip(TEXTS, answers, strict=True)
    ]


def batch(
    model: RoleModel, pairs: Sequence[tuple[list[int], list[int]]], *, pad_id: int | None = None
) -> TokenBatch:
    pad = model.base.tokenizer.pad_token_id if pad_id is None else pad_id
    return make_batch([p for p, _ in pairs], [r for _, r in pairs], pad_id=pad)


def logp_of(model: RoleModel, tokens: TokenBatch, role: RoleName = "policy") -> Tensor:
    with model.role(role) as held:
        return held.logprobs(tokens).logp


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
