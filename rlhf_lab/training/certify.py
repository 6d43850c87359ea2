"""Checks before anything is learned: a wrong computation here would look like a bad idea later.

Each check compares two computations that must agree, on a few made-up chats, with the weights as
they are. Bounds for fp32 are tight. In bf16 another layout rounds differently: what is bounded
there is the mean over tokens, which a wrong mask, position or adapter moves far more.
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rlhf_lab.errors import CertificateError, UnknownModel
from rlhf_lab.models import Role, RoleModel, Row, TokenBatch, batch_of_rows
from rlhf_lab.models.checkpointing import repeatable_layers
from rlhf_lab.models.roles import RoleName
from rlhf_lab.training.plain_model import fits_beside, plain_gradients
from rlhf_lab.types import Message, Prompt

CHATS = (
    ("Why is the sky blue?", ("The air scatters blue light most.", "Blue light bends.")),
    ("Tea?", ("Yes, with milk and two spoons of sugar.", "No, thank you.")),
)
# Nats that any token's log-probability may move between sampling and learning, before the first
# step. Both are one computation in one layout, and 0 was measured in either type (on a CPU: the
# tiny model, NF4 and not, and the default model in NF4). So bf16 is bound like fp32, although
# another layout moves single tokens of the default model by 0.35 to 0.45 there.
LOG_RATIO_BOUND = {torch.float32: 1e-4, torch.bfloat16: 1e-4}
# Tokens that rows are made longer by: the step in which widths are rounded, so never lost.
# A reward read at the end of the row, and not of the response, moves by 1.1 points for the default
# model; by 1.0 with 64.
MORE_PADDING = 16
# Nats, or points of score, that another layout may differ by in the mean.
LAYOUT_BOUND = {torch.float32: 1e-4, torch.bfloat16: 0.2}
# Of a gradient with checkpointing, relative to its norm, against one without. The same kernels run
# on the same numbers: on a CPU nothing may differ. Elsewhere a backward pass may add up in any
# order, and these bounds leave room for that; they were not measured.
RECOMPUTED_BOUND = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
# Of a gradient, relative to its norm, against a plain fp64 model with the same weights. One in fp32
# is no measure: the gradient through its head, a sum over the vocabulary, is 6e-5 off for the
# default model on a CPU with AVX2, ours 5e-6.
GRADIENT_BOUND = {torch.float32: 1e-5, torch.bfloat16: 0.1}


class Check(NamedTuple):
    """One comparison: how far two computations are apart, and how far they may be."""

    name: str
    found: float
    bound: float

    @property
    def passed(self) -> bool:
        """Whether they agree; NaN does not."""
        return self.found <= self.bound

    def __str__(self) -> str:
        """As in "padding: 3.1e-06 (at most 1.0e-04)"."""
        return f"{self.name}: {self.found:.1e} (at most {self.bound:.1e})"


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was compared, on which model.

    Attributes:
        model: As the lab names it.
        quantization: "nf4" or "none".
        dtype: The type of activations, which the bounds depend on.
        checks: In the order they were made.
        seconds: All of them took.
    """

    model: str
    quantization: str
    dtype: str
    checks: tuple[Check, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all did."""
        return all(check.passed for check in self.checks)

    def require(self) -> None:
        """Refuse to go on with a model that failed.

        Raises:
            CertificateError: names every check that failed.
        """
        failed = [str(check) for check in self.checks if not check.passed]
        if failed:
            raise CertificateError(
                f"{self.model!r} ({self.quantization}, {self.dtype}) computes something else than "
                f"it should: {'; '.join(failed)}. Nothing was trained. Try quantize='none', or "
                "report this model."
            )

    def __str__(self) -> str:
        """A line for each check."""
        verdict = "passed" if self.passed else "FAILED"
        lines = [f"  {'ok  ' if c.passed else 'FAIL'} {c}" for c in self.checks]
        head = f"{self.model} ({self.quantization}, {self.dtype}): {verdict}, {self.seconds:.1f} s"
        return "\n".join([head, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✓' if c.passed else '✗'}</td><th style='text-align:left'>{c.name}</th>"
            f"<td>{c.found:.1e}</td><td>at most {c.bound:.1e}</td></tr>"
            for c in self.checks
        )
        caption = html.escape(f"{self.model} ({self.quantization}, {self.dtype})")
        return f"<table><caption>{caption}</caption>{rows}</table>"


def certify(model: RoleModel, *, compare_gradients: bool = True) -> Certificate:
    """Compare what must agree before a model may learn; no weight is changed.

    Args:
        model: With its roles as they are.
        compare_gradients: Also those with checkpointing against those without, which a model that
            uses it is asked for anyway; and against a separate plain fp64 model, where that fits
            into memory beside this one: the dearest check.
    """
    # Without gradients to compare: 14 forward passes over four short answers (of some 60 tokens,
    # prompts included), and 3 there and back over two of them. Checkpointing adds 3 and 2.
    began = time.perf_counter()
    dtype = model.base.dtype
    ratio, layout = LOG_RATIO_BOUND[dtype], LAYOUT_BOUND[dtype]
    rows = _rows(model)
    batch, wider = _batch(model, rows), _batch(model, rows, widen=MORE_PADDING)
    other_padding = _batch(model, rows, pad_id=_some_other_token(model))
    mirrored = _batch(model, [Row(r.prompt, r.responses[::-1]) for r in rows[::-1]])
    shortest = _batch(model, [min(rows, key=lambda row: row.width)])
    with model.dense.base():
        outputs, padded = _outputs(model, batch), _outputs(model, other_padding)
        longer, backwards = _outputs(model, wider), _turned(_outputs(model, mirrored))
        checks = [
            Check("log-ratio before the first step", _log_ratio(model, batch), ratio),
            Check("what stands in the padding", _moved(outputs, padded), 1e-6),
            Check("more padding", _moved(outputs, longer), layout),
            Check("order of the batch", _moved(outputs, backwards), layout),
            Check("parameters of other roles with a gradient", _strays(model, shortest), 0.0),
        ]
        if (compare_gradients or model.checkpointing) and _can_recompute(model):
            bound = 0.0 if model.base.device.type == "cpu" else RECOMPUTED_BOUND[dtype]
            found = _recomputed_gap(model, batch)
            checks.append(Check("gradient with checkpointing against without", found, bound))
        if compare_gradients and fits_beside(model):
            found = _distance(_policy_gradient(model, batch), plain_gradients(model, rows))
            checks.append(Check("gradient against a plain model", found, GRADIENT_BOUND[dtype]))
    return Certificate(
        model=model.base.name,
        quantization=model.base.quantization,
        dtype=str(dtype).removeprefix("torch."),
        checks=tuple(checks),
        seconds=time.perf_counter() - began,
    )


def _rows(model: RoleModel) -> list[Row]:
    encode = model.base.tokenizer.encode
    end = min(model.chat.stop_ids)
    return [
        Row(
            model.chat.encode(Prompt(messages=(Message(role="user", content=question),))),
            [[*encode(answer, add_special_tokens=False), end] for answer in answers],
        )
        for question, answers in CHATS
    ]


def _batch(
    model: RoleModel, rows: list[Row], *, widen: int = 0, pad_id: int | None = None
) -> TokenBatch:
    """One response per row, so that every model can be checked in the same way."""
    pad_id = int(model.base.tokenizer.pad_token_id) if pad_id is None else pad_id
    alone = [Row(row.prompt, [response]) for row in rows for response in row.responses]
    width = widen + max(row.width for row in alone)
    return batch_of_rows(alone, pad_id=pad_id, device=model.base.device, width=width)


def _some_other_token(model: RoleModel) -> int:
    return next(i for i in (5, 6) if i != model.base.tokenizer.pad_token_id)


def _log_ratio(model: RoleModel, batch: TokenBatch) -> float:
    """Largest difference between sampling time and learning time, which share code and layout."""
    with model.role("policy") as policy:
        sampled = policy.logprobs(batch).logp
    with model.role("policy", train=True) as policy:
        learning = policy.logprobs(batch).logp.detach()
    return (learning - sampled).abs().max().item()


OUTPUTS: dict[RoleName, Callable[[Role, TokenBatch], Tensor]] = {
    "policy": lambda role, batch: role.logprobs(batch).logp.sum(dim=1) / batch.response_lengths,
    "reward": lambda role, batch: role.scores(batch),
    "value": lambda role, batch: role.values(batch)[:, 0],
}


def _outputs(model: RoleModel, batch: TokenBatch) -> dict[RoleName, Tensor]:
    """What each role says to each response, (responses,)."""
    found: dict[RoleName, Tensor] = {}
    for name, output in OUTPUTS.items():
        with model.role(name) as role:
            found[name] = output(role, batch)
    return found


def _turned(outputs: Mapping[RoleName, Tensor]) -> dict[RoleName, Tensor]:
    return {name: output.flip(0) for name, output in outputs.items()}


def _moved(one: Mapping[RoleName, Tensor], other: Mapping[RoleName, Tensor]) -> float:
    """Mean change of a response's outputs, of the role where it is largest."""
    return max(_worst((one[name] - other[name]).abs().mean().item()) for name in one)


def _worst(value: float) -> float:
    """NaN compares as nothing; as a distance it is the largest there is."""
    return math.inf if math.isnan(value) else value


def _strays(model: RoleModel, batch: TokenBatch) -> float:
    """Parameters outside the learning role that got a gradient, of all roles in turn."""
    strays = 0
    for name, output in OUTPUTS.items():
        with _forgetting_gradients(model):
            with model.role(name, train=True) as role:
                output(role, batch).sum().backward()
            own = {id(p) for p in model.parameters(name).values()}
            everything = [*model.peft.parameters(), *model.heads.parameters()]
            strays += sum(p.grad is not None and id(p) not in own for p in everything)
    return float(strays)


def _policy_gradient(model: RoleModel, batch: TokenBatch) -> dict[str, Tensor]:
    """Of the sum of all response tokens' log-probabilities, in fp32."""
    with _forgetting_gradients(model):
        with model.role("policy", train=True) as policy:
            policy.logprobs(batch).logp.sum().backward()
        learned = model.parameters("policy").items()
        return {k: p.grad.float().clone() for k, p in learned if p.grad is not None}


def _can_recompute(model: RoleModel) -> bool:
    try:
        return bool(repeatable_layers(model.base.model))
    except UnknownModel:
        return False


def _recomputed_gap(model: RoleModel, batch: TokenBatch) -> float:
    """Distance of the gradient with checkpointing from the one without."""
    before = model.checkpointing
    try:
        model.checkpointing = False
        kept = _policy_gradient(model, batch)
        model.checkpointing = True
        recomputed = _policy_gradient(model, batch)
    finally:
        model.checkpointing = before
    return _distance(recomputed, kept)


def _distance(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """Between two gradients, relative to the length of the second."""
    if ours.keys() != theirs.keys():
        return math.inf
    apart = sum(((ours[k] - theirs[k]) ** 2).sum().item() for k in theirs)
    length = sum((g**2).sum().item() for g in theirs.values())
    return _worst(math.sqrt(apart / length)) if length else math.inf


@contextmanager
def _forgetting_gradients(model: RoleModel) -> Iterator[None]:
    """Leave the gradients as they were, which is none between two steps."""
    try:
        yield
    finally:
        for parameter in (*model.peft.parameters(), *model.heads.parameters()):
            parameter.grad = None
