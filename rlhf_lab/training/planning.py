"""Will it fit? Estimated from a model's configuration, before anything is downloaded."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from rlhf_lab.errors import ConfigError
from rlhf_lab.models.loading import Quantization, best_device, compute_dtype
from rlhf_lab.models.shape import shape_of
from rlhf_lab.models.sources import resolve_config
from rlhf_lab.training.config import PPOConfig, RewardConfig
from rlhf_lab.training.footprint import PARTS, Phase, Plan
from rlhf_lab.types import DEFAULT_MODEL, LoraSpec

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

GIB = 2**30
# Allocators leave holes, and no estimate is exact. On a CPU the holes are larger, and pages of the
# weights file count as well: PPO steps of the embedded model peaked at 1.35 times the estimate.
USABLE = {"cpu": 0.7}
USABLE_ELSEWHERE = 0.9
SMALLEST_RANK = 4
SHORTEST_RESPONSE = 16


class Change(NamedTuple):
    """A setting to lower (or to switch) and to which value."""

    setting: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """As in "PPOConfig.tokens_per_micro_batch 640 → 320"."""
        return f"{self.setting} {self.before} → {self.after}"


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What a session with a model will need, and whether it fits.

    Attributes:
        model: What was asked for.
        parameters: Of the base model.
        quantize: "nf4" or "none".
        dtype: Type of activations.
        device: Where it would run.
        phases: What each phase of a round holds, in bytes.
        memory: Bytes free on the device; None where nobody said.
        changes: What to lower so that it fits; empty if it does, or if nothing helps.
        needed: Bytes at the peak, after the changes.
    """

    model: str
    parameters: int
    quantize: Quantization
    dtype: str
    device: str
    phases: tuple[Phase, ...]
    memory: int | None
    changes: tuple[Change, ...]
    needed: int

    @property
    def peak(self) -> Phase:
        """The phase that needs most, with the settings as they are."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def fits(self) -> bool | None:
        """Whether the peak leaves enough of the memory free; None where nobody said how much."""
        if self.memory is None:
            return None
        return self.peak.total <= _usable(self.device) * self.memory

    @property
    def verdict(self) -> str:
        """One sentence."""
        peak = f"{self.peak.name} needs {_gib(self.peak.total)}"
        if self.memory is None:
            return f"{peak}; memory_gib= says whether that fits another machine"
        free = f"{1 - _usable(self.device):.0%}"
        rule = f"and of {_gib(self.memory)} on {self.device} {free} have to stay free"
        if self.fits:
            return f"fits: {peak} {rule}"
        if not self.changes:
            return (
                f"does not fit: {peak} {rule}; with every setting at its lowest still "
                f"{_gib(self.needed)}. Choose a smaller model or another device"
            )
        steps = ", ".join(map(str, self.changes))
        return f"does not fit: {peak} {rule}. Change {steps}: then {_gib(self.needed)}"

    @property
    def _heading(self) -> str:
        billions = f"{self.parameters / 1e9:.3g} billion parameters"
        weights = {"nf4": "4-bit weights", "none": "plain weights"}[self.quantize]
        return f"{self.model}: {billions}, {weights}, {self.dtype} on {self.device}"

    def _table(self) -> list[list[str]]:
        """Header, one row per part that anything needs, and the totals."""
        unit, size = ("GiB", GIB) if self.peak.total >= GIB else ("MiB", 2**20)
        digits = 2 if unit == "GiB" else 1
        needed = [part for part in PARTS if any(phase.parts[part] for phase in self.phases)]

        def row(name: str, bytes_of: Callable[[Phase], int]) -> list[str]:
            figures = (bytes_of(phase) / size for phase in self.phases)
            return [name, *(f"{figure:,.{digits}f}" for figure in figures)]

        return [
            [unit, *(phase.name for phase in self.phases)],
            *(row(part, lambda phase, part=part: phase.parts[part]) for part in needed),  # type: ignore[misc]
            row("total", lambda phase: phase.total),
        ]

    def __str__(self) -> str:
        """A table for a terminal."""
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in table
        ]
        return "\n".join([self._heading, *lines, self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, *body = self._table()
        rows = "".join(_row(row, bold=row is body[-1]) for row in body)
        heads = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        return (
            f"<table><caption>{html.escape(self._heading)}</caption><tr>{heads}</tr>{rows}</table>"
            f"<p>{html.escape(self.verdict)}</p>"
        )


def preflight(
    model: str | Path | PreTrainedConfig | Mapping[str, Any] = DEFAULT_MODEL,
    *,
    quantize: Quantization = "nf4",
    lora: LoraSpec | None = None,
    ppo: PPOConfig | None = None,
    reward: RewardConfig | None = None,
    prompt_tokens: int = 128,
    response_tokens: int | None = None,
    checkpointing: bool = False,
    device: str | None = None,
    memory_gib: float | None = None,
) -> Preflight:
    """Estimate what a lab will need, from the configuration of its model alone.

    ```python
    rl.preflight("Qwen/Qwen3-8B", device="cuda", memory_gib=24)
    ```

    Call it before a model is loaded: what is loaded already counts as taken.

    Args:
        model: Hub id (config.json is fetched, no weights), local folder, or the configuration
            itself, as a transformers object or as what stands in a config.json.
        quantize: "nf4" or "none".
        lora: Shape of the adapters.
        ppo: Settings of the PPO steps; responses_per_prompt holds for rankings, too.
        reward: Settings of the reward updates.
        prompt_tokens: Of each prompt, the chat template's included.
        response_tokens: Of each response; default: max_new_tokens of `ppo`, or 48, as in a lab.
        checkpointing: Whether activations are computed again in the backward pass.
        device: "cuda", "cpu" ...; default: the best there is.
        memory_gib: Memory to fit into; default: what is free on this machine's device now.

    Raises:
        UnknownModel: no such model, or no causal language model.
        ModelDownloadError: its config.json has to be fetched and cannot be.
        ConfigError: texts without tokens or longer than the model's context, or target modules
            that the model does not have.
    """
    if quantize not in ("nf4", "none"):
        raise ConfigError(f"quantize={quantize!r}: use 'nf4' (4-bit) or 'none'.")
    where = torch.device(device) if device else best_device()
    ppo, lora = ppo or PPOConfig(), lora or LoraSpec()
    sampling = ppo.resolved().sampling
    assert sampling
    config = resolve_config(model)
    dtype = _dtype_on(where)
    plan = Plan(
        shape=shape_of(config, lora),
        quantize=quantize,
        lora=lora,
        ppo=ppo,
        reward=reward or RewardConfig(),
        prompt_tokens=prompt_tokens,
        response_tokens=sampling.max_new_tokens if response_tokens is None else response_tokens,
        checkpointing=checkpointing,
        on_cpu=where.type == "cpu",
        dtype_bytes=dtype.itemsize,
    )
    _check(plan, memory_gib)
    memory = _free_bytes(where) if memory_gib is None else int(memory_gib * GIB)
    limit = float("inf") if memory is None else _usable(where.type) * memory
    lowered = _lowered(plan, limit)
    fits = _fits(lowered, limit)
    return Preflight(
        model=str(model) if isinstance(model, str | Path) else config.model_type,
        parameters=plan.shape.parameters,
        quantize=quantize,
        dtype=str(dtype).removeprefix("torch."),
        device=str(where),
        phases=plan.phases,
        memory=memory,
        changes=_changes(plan, lowered) if fits else (),
        needed=lowered.peak.total,
    )


def _check(plan: Plan, memory_gib: float | None) -> None:
    if memory_gib is not None and not memory_gib > 0:
        raise ConfigError(f"memory_gib={memory_gib}: it must be above 0.")
    tokens, context = (plan.prompt_tokens, plan.response_tokens), plan.shape.context
    if min(tokens) < 1 or (context and sum(tokens) > context):
        raise ConfigError(
            f"prompt_tokens={tokens[0]}, response_tokens={tokens[1]}: both need at least 1, and "
            f"together they must fit the model's context of {context or 'unknown'} tokens."
        )


def _dtype_on(device: torch.device) -> torch.dtype:
    if device.type == "cuda" and not torch.cuda.is_available():
        return torch.bfloat16  # a machine that is not this one, and not older than bf16
    return compute_dtype(device)


def _free_bytes(device: torch.device) -> int | None:
    """What is free now; None on a kind of device that this machine does not have."""
    if device.type == "cpu":
        import psutil

        return int(psutil.virtual_memory().available)
    if device.type == "cuda" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info(device)[0])
    return None


def _usable(device: str) -> float:
    """Share of the free memory that an estimate may take."""
    return USABLE.get(device, USABLE_ELSEWHERE)


# What to lower


class _Setting(NamedTuple):
    """A setting that costs memory, and the values it may be lowered to, one after the other."""

    name: str
    of: Callable[[Plan], Any]
    lower: Callable[[Plan], list[Any]]
    put: Callable[[Plan, Any], Plan]


def _halves(value: int, smallest: int) -> list[int]:
    found = []
    while value // 2 >= smallest:
        value //= 2
        found.append(value)
    return found


def _row_tokens(plan: Plan) -> int:
    """The shortest row that a response may stand in: smaller micro-batches save nothing."""
    return plan.prompt_tokens + plan.response_tokens


# The ones that change what is learned come first; the last ones cost time alone.
SETTINGS = (
    _Setting(
        "LoraSpec.rank",
        lambda plan: plan.lora.rank,
        lambda plan: _halves(plan.lora.rank, SMALLEST_RANK),
        lambda plan, value: replace(plan, lora=replace(plan.lora, rank=value)),
    ),
    _Setting(
        "Sampling.max_new_tokens",
        lambda plan: plan.response_tokens,
        lambda plan: _halves(plan.response_tokens, SHORTEST_RESPONSE),
        lambda plan, value: replace(plan, response_tokens=value),
    ),
    _Setting(
        "quantize",
        lambda plan: plan.quantize,
        lambda plan: ["nf4"],
        lambda plan, value: replace(plan, quantize=value),
    ),
    _Setting(
        "checkpointing",
        lambda plan: plan.checkpointing,
        lambda plan: [True],
        lambda plan, value: replace(plan, checkpointing=value),
    ),
    _Setting(
        "RewardConfig.tokens_per_micro_batch",
        lambda plan: plan.reward.tokens_per_micro_batch,
        lambda plan: _halves(plan.reward.tokens_per_micro_batch, _row_tokens(plan)),
        lambda plan, value: replace(
            plan, reward=replace(plan.reward, tokens_per_micro_batch=value)
        ),
    ),
    _Setting(
        "PPOConfig.tokens_per_micro_batch",
        lambda plan: plan.ppo.tokens_per_micro_batch,
        lambda plan: _halves(plan.ppo.tokens_per_micro_batch, _row_tokens(plan)),
        lambda plan, value: replace(plan, ppo=replace(plan.ppo, tokens_per_micro_batch=value)),
    ),
)


def _fits(plan: Plan, limit: float) -> bool:
    return plan.peak.total <= limit


def _lowered(plan: Plan, limit: float) -> Plan:
    """The plan with as little lowered as makes it fit, or with everything at its lowest.

    From the bottom, each setting is raised as far as there is room, the dearest one first.
    """
    lowest = plan
    for setting in SETTINGS:
        lowest = setting.put(lowest, [setting.of(plan), *setting.lower(plan)][-1])
    if _fits(plan, limit) or not _fits(lowest, limit):
        return plan if _fits(plan, limit) else lowest
    found = lowest
    for setting in SETTINGS:
        values = [setting.of(plan), *setting.lower(plan)]
        raised = (setting.put(found, value) for value in values)
        found = next(candidate for candidate in raised if _fits(candidate, limit))
    return found


def _changes(before: Plan, after: Plan) -> tuple[Change, ...]:
    """Cheapest first."""
    found = [Change(s.name, s.of(before), s.of(after)) for s in reversed(SETTINGS)]
    return tuple(change for change in found if change.before != change.after)


def _row(cells: list[str], *, bold: bool) -> str:
    tag = "th" if bold else "td"
    figures = "".join(f"<{tag} style='text-align:right'>{cell}</{tag}>" for cell in cells[1:])
    return f"<tr><th style='text-align:left'>{html.escape(cells[0])}</th>{figures}</tr>"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 2**20:.0f} MiB"
