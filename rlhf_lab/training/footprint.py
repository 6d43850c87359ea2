"""Bytes that each phase of a round needs, worked out from the shape of the model.

The formulas follow the code: what `models.lora_linear` and `models.attention` keep for the
backward pass, what `models.dense` copies, what `algorithms.logprobs` holds at a time. They are for
decoders of the usual kind (norm, attention, norm, gated feed-forward part: Llama, Qwen, Mistral,
SmolLM); a mixture of experts keeps more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rlhf_lab.algorithms.logprobs import BLOCK, CHUNK
from rlhf_lab.models.attention import SHORT
from rlhf_lab.models.batches import rounded_width
from rlhf_lab.models.generation import BATCH_SIZE
from rlhf_lab.models.loading import Quantization
from rlhf_lab.models.shape import Linear, ModelShape
from rlhf_lab.training.batching import micro_batches, shared_rows
from rlhf_lab.training.config import PPOConfig, RewardConfig
from rlhf_lab.types import LoraSpec

FP32 = 4
# Python with torch, transformers and peft, before any model: measured on Linux with a CPU build.
# On CUDA the context and the kernels, which torch's own figures leave out: a rule of thumb.
LIBRARIES = {"cpu": 450 * 2**20, "cuda": 600 * 2**20}

WEIGHTS = "base weights"
ADAPTERS = "adapters and heads"
DENSE = "dense copies"
OPTIMIZER = "gradients and AdamW"
BEFORE = "copies to go back to"
ACTIVATIONS = "activations kept"
WORKSPACE = "working space"
CACHE = "KV cache"
LOADED = "libraries"
PARTS = (WEIGHTS, ADAPTERS, DENSE, OPTIMIZER, BEFORE, ACTIVATIONS, WORKSPACE, CACHE, LOADED)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything an estimate depends on.

    Attributes:
        shape: Of the model.
        quantize: "nf4" or "none".
        lora: Of each role's adapter.
        ppo: Settings of the PPO steps.
        reward: Settings of the reward updates.
        prompt_tokens: Of each prompt.
        response_tokens: Of each response.
        checkpointing: Whether activations are computed again.
        on_cpu: Whether there are dense copies, and plain attention over short rows.
        dtype_bytes: Of one number in the type of activations.
    """

    shape: ModelShape
    quantize: Quantization
    lora: LoraSpec
    ppo: PPOConfig
    reward: RewardConfig
    prompt_tokens: int
    response_tokens: int
    checkpointing: bool
    on_cpu: bool
    dtype_bytes: int

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """In the order of a round."""
        return _phases(self)

    @property
    def peak(self) -> Phase:
        """The phase that needs most."""
        return max(self.phases, key=lambda phase: phase.total)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What one phase holds at its worst moment; `parts` are bytes by what they are for."""

    name: str
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(self.parts.values())


class Layout(NamedTuple):
    """The shape of one micro-batch; `responses` is the number of response tokens in it."""

    rows: int
    width: int
    responses: int

    @property
    def tokens(self) -> int:
        """Padding included."""
        return self.rows * self.width


# Weights


def nf4_bytes(numbers: int) -> int:
    """A weight in NF4 with double quantization: 4.127 bits a number, and its code tables.

    Half a byte each; for every 64 a scale of one byte; for every 256 scales an fp32 scale of
    theirs; 16 and 256 fp32 values that the codes stand for, and the scales' mean.

    Source: Dettmers et al. (2023), "QLoRA", section 3.
    """
    scales = _parts_of(numbers, 64)
    return _parts_of(numbers, 2) + scales + FP32 * _parts_of(scales, 256) + FP32 * (16 + 256 + 1)


def weight_bytes(shape: ModelShape, quantize: Quantization, dtype_bytes: int) -> int:
    """The base: linear layers in NF4 or plain, all else plain."""
    if quantize == "none":
        return shape.parameters * dtype_bytes
    packed = sum(nf4_bytes(linear.numbers) for linear in shape.linears)
    return packed + shape.plain * dtype_bytes


def adapter_bytes(shape: ModelShape, lora: LoraSpec) -> int:
    """Policy, reward and value in fp32, each with a head and its normaliser.

    The reference is the bare base; after fine-tuning it is one adapter more, not counted here.
    """
    return FP32 * (3 * shape.adapter_numbers(lora.rank) + 3 * (_head_numbers(shape) + 2))


def learning_numbers(plan: Plan, *, ppo: bool) -> int:
    """Numbers that get gradients: of policy and value, or of the reward role."""
    adapter, head = plan.shape.adapter_numbers(plan.lora.rank), _head_numbers(plan.shape)
    if not ppo:
        return adapter + head
    sizes = {"policy": adapter, "value": adapter + head, "policy_value": head}
    return sum(sizes[learner] for learner in plan.ppo.learners)


def optimizer_bytes(plan: Plan, *, ppo: bool, gradients: bool = True) -> int:
    """AdamW's two moments, in fp32 or in bytes with an fp32 scale for every 256; gradients."""
    numbers = learning_numbers(plan, ppo=ppo)
    in_fp32 = (plan.ppo if ppo else plan.reward).optimizer == "adamw"
    moment = FP32 * numbers if in_fp32 else numbers + FP32 * _parts_of(numbers, 256)
    return 2 * moment + gradients * FP32 * numbers


def _head_numbers(shape: ModelShape) -> int:
    return shape.hidden + 2  # bias and tie parameter


def dense_bytes(plan: Plan, *, base: bool, merged: bool) -> int:
    """Copies of the linear layers that a job on a CPU holds: of the base, of base and adapter."""
    if not plan.on_cpu:
        return 0
    shape, size = plan.shape, plan.dtype_bytes
    of_base = _numbers(shape.linears) if base and plan.quantize == "nf4" else 0
    return size * (of_base + (_numbers(shape.adapted) if merged else 0))


def _numbers(linears: tuple[Linear, ...]) -> int:
    return sum(linear.numbers for linear in linears)


# Activations


def kept_bytes(plan: Plan, batch: Layout) -> int:
    """What the layers keep for the backward pass of one micro-batch, without checkpointing."""
    shape, size = plan.shape, plan.dtype_bytes
    per_layer = (
        size * 2 * shape.hidden  # into queries, keys and values; into the feed-forward part
        + size * 4 * shape.intermediate  # gate, its activation, up, their product
        + _attention_bytes(plan, batch.width)
    )
    inside = size * plan.lora.rank * len(shape.adapted)
    per_token = shape.layers * per_layer + inside + _norm_bytes(shape)
    return batch.tokens * per_token + _cast_adapter_bytes(plan)


def _norm_bytes(shape: ModelShape) -> int:
    """Per token, of all norms: their input in fp32 and one number to divide by."""
    return FP32 * (shape.normed + shape.norms)


def _attention_bytes(plan: Plan, width: int) -> int:
    """Per token and layer: queries, keys, values, what the softmax gave, the mask, the output."""
    shape, size = plan.shape, plan.dtype_bytes
    queries = shape.heads * shape.head_dim
    keys = shape.key_heads * shape.head_dim
    if plan.on_cpu and width <= SHORT:
        return size * (2 * queries + 2 * keys + shape.heads * width) + width
    # The fused kernel takes keys and values once per query head, and its mask in numbers.
    return size * (4 * queries + width) + FP32 * shape.heads


def _cast_adapter_bytes(plan: Plan) -> int:
    """The learning adapter in the compute type; in fp32 only the scaled half is a copy."""
    if plan.dtype_bytes < FP32:
        return plan.dtype_bytes * plan.shape.adapter_numbers(plan.lora.rank)
    scaled = plan.lora.rank * sum(linear.outputs for linear in plan.shape.adapted)
    return FP32 * scaled if plan.on_cpu else 0


def activation_bytes(plan: Plan, batch: Layout) -> int:
    """What a training micro-batch keeps between its forward and its backward pass."""
    shape = plan.shape
    after_layers = FP32 * shape.hidden * batch.responses  # slopes, or what goes into a head
    if not plan.checkpointing:
        return kept_bytes(plan, batch) + after_layers
    inputs = shape.layers * plan.dtype_bytes * shape.hidden
    final_norm = FP32 * (shape.hidden + 1)
    return batch.tokens * (inputs + final_norm) + after_layers


# Working space: what exists for a moment


def forward_bytes(plan: Plan, batch: Layout) -> int:
    """What one layer needs while it computes, where nothing is kept."""
    shape = plan.shape
    numbers = 3 * shape.intermediate + 2 * shape.hidden
    if plan.on_cpu and batch.width <= SHORT:
        scores = 3 * shape.heads * batch.width
        numbers = max(numbers, scores + 4 * shape.heads * shape.head_dim)
    return batch.tokens * plan.dtype_bytes * numbers + _unpacked_bytes(plan)


def backward_bytes(plan: Plan, batch: Layout) -> int:
    """What one layer's gradients need beyond what it kept, and, with checkpointing, that as well.

    Each thing kept is dropped when its gradient is there, so little is added to the largest.
    """
    shape = plan.shape
    again = kept_bytes(plan, batch) // shape.layers if plan.checkpointing else 0
    gradients = plan.dtype_bytes * (shape.intermediate + 2 * shape.hidden)
    return batch.tokens * gradients + again + _unpacked_bytes(plan)


def _unpacked_bytes(plan: Plan) -> int:
    """The largest weight, which the 4-bit kernels unpack for the length of a product."""
    if plan.on_cpu or plan.quantize == "none":
        return 0
    return plan.dtype_bytes * max(linear.numbers for linear in plan.shape.linears)


def logprob_bytes(plan: Plan, batch: Layout) -> int:
    """Two blocks of logits, in half precision one of the head, and what predicts responses."""
    shape = plan.shape
    chunk, block = min(CHUNK, batch.responses), min(BLOCK, shape.vocabulary)
    logits = FP32 * chunk * 2 * (block + shape.hidden)
    if plan.dtype_bytes < FP32:
        logits += plan.dtype_bytes * chunk * block + FP32 * block * shape.hidden
    return logits + 2 * plan.dtype_bytes * shape.hidden * batch.responses


def sampling_bytes(plan: Plan, rows: int) -> int:
    """Drawing a token: logits, their fp32 copy and its division, two of three fp64 steps."""
    return rows * plan.shape.vocabulary * (plan.dtype_bytes + 2 * FP32 + 16)


def cache_bytes(plan: Plan, rows: int) -> int:
    """Keys and values of every token, and one layer's twice while it grows."""
    shape = plan.shape
    tokens = rounded_width(plan.prompt_tokens) + plan.response_tokens
    each = 2 * shape.key_heads * shape.head_dim * plan.dtype_bytes
    return rows * tokens * each * (shape.layers + 1)


# Layouts


def ppo_layouts(plan: Plan) -> list[Layout]:
    """The micro-batches of one PPO step, if every text is as long as it may be."""
    ppo = plan.ppo
    return _layouts(
        plan, ppo.prompts_per_step, ppo.tokens_per_micro_batch, at_least=ppo.minibatches
    )


def reward_layouts(plan: Plan) -> list[Layout]:
    """The batches of rankings that learn together, whose activations are all kept at once."""
    reward = plan.reward
    tokens = plan.prompt_tokens + plan.ppo.responses_per_prompt * plan.response_tokens
    groups = micro_batches([tokens] * reward.rankings_per_step, reward.tokens_per_micro_batch)
    return _layouts(plan, max(map(len, groups)), reward.tokens_per_micro_batch)


def _layouts(plan: Plan, prompts: int, tokens: int, *, at_least: int = 1) -> list[Layout]:
    """As `response_groups` would make them."""
    # Ranges: as long as the texts, equal for one prompt, and nothing is allocated.
    start = range(0, prompts * plan.prompt_tokens, plan.prompt_tokens)
    texts = [range(i, i + plan.prompt_tokens) for i in start]
    each = [text for text in texts for _ in range(plan.ppo.responses_per_prompt)]
    answers = [range(plan.response_tokens)] * len(each)
    most = max(len(each) // at_least, 1) if plan.shape.shares_prompts else 1
    shared = [len(row) for row in shared_rows(each, answers, tokens, most=most)]
    widths = [plan.prompt_tokens + count * plan.response_tokens for count in shared]
    return [
        Layout(
            rows=len(group),
            width=rounded_width(max(widths[i] for i in group)),
            responses=plan.response_tokens * sum(shared[i] for i in group),
        )
        for group in micro_batches(widths, tokens, at_least=at_least)
    ]


# Phases


def _phases(plan: Plan) -> tuple[Phase, ...]:
    ppo, reward = ppo_layouts(plan), reward_layouts(plan)
    resident = {
        WEIGHTS: weight_bytes(plan.shape, plan.quantize, plan.dtype_bytes),
        ADAPTERS: adapter_bytes(plan.shape, plan.lora),
        LOADED: LIBRARIES["cpu" if plan.on_cpu else "cuda"],
    }
    in_ppo = {
        **resident,
        OPTIMIZER: optimizer_bytes(plan, ppo=True, gradients=False),
        BEFORE: _before_bytes(plan, ppo=True),
    }
    dense = dense_bytes(plan, base=True, merged=False)
    return (
        _phase("generate", resident, _generating(plan, BATCH_SIZE, base=False)),
        _phase(
            "reward update",
            resident,
            {
                DENSE: dense,
                OPTIMIZER: optimizer_bytes(plan, ppo=False),
                BEFORE: 2 * _before_bytes(plan, ppo=False),  # the update's and the fit's
                ACTIVATIONS: sum(activation_bytes(plan, batch) for batch in reward),
                WORKSPACE: max(backward_bytes(plan, batch) for batch in reward),
            },
        ),
        _phase(
            "PPO rollout",
            in_ppo,
            _generating(plan, min(BATCH_SIZE, plan.ppo.rollouts_per_step), base=True),
        ),
        _phase(
            "PPO scoring",
            in_ppo,
            {
                DENSE: dense,
                WORKSPACE: max(
                    max(forward_bytes(plan, batch), logprob_bytes(plan, batch)) for batch in ppo
                ),
            },
        ),
        _phase(
            "PPO update",
            in_ppo,
            {
                DENSE: dense,
                OPTIMIZER: optimizer_bytes(plan, ppo=True),
                **_largest_training(plan, ppo),
            },
        ),
    )


def _phase(name: str, resident: Mapping[str, int], own: Mapping[str, int]) -> Phase:
    return Phase(name=name, parts={k: {**resident, **own}.get(k, 0) for k in PARTS})


def _generating(plan: Plan, rows: int, *, base: bool) -> dict[str, int]:
    prompts = Layout(rows, rounded_width(plan.prompt_tokens), 0)
    return {
        DENSE: dense_bytes(plan, base=base, merged=True),
        CACHE: cache_bytes(plan, rows),
        WORKSPACE: max(forward_bytes(plan, prompts), sampling_bytes(plan, rows)),
    }


def _largest_training(plan: Plan, batches: list[Layout]) -> dict[str, int]:
    def parts(batch: Layout) -> dict[str, int]:
        moment = max(backward_bytes(plan, batch), logprob_bytes(plan, batch))
        return {ACTIVATIONS: activation_bytes(plan, batch), WORKSPACE: moment}

    return max(map(parts, batches), key=lambda found: sum(found.values()))


def _before_bytes(plan: Plan, *, ppo: bool) -> int:
    """Weights and moments that an interrupted job would put back; they are kept on the CPU."""
    return 3 * FP32 * learning_numbers(plan, ppo=ppo) if plan.on_cpu else 0


def _parts_of(numbers: int, size: int) -> int:
    return -(-numbers // size)
