"""The estimate against hand-worked figures, and against what really is allocated."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rlhf_lab.models import RoleModel, Row, TokenBatch, batch_of_rows, load_base
from rlhf_lab.models.shape import shape_of
from rlhf_lab.training import PPOConfig, RewardConfig
from rlhf_lab.training import footprint as fp
from rlhf_lab.training.footprint import Layout, Plan
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.types import LoraSpec
from tests.shapes import llama_3_8b
from tests.tiny import stir

BF16, F32 = torch.bfloat16, torch.float32


@pytest.fixture(scope="module")
def llama() -> Plan:
    """Llama-3-8B in NF4 on a GPU; rows of 512 prompt and 4 x 128 response tokens."""
    lora = LoraSpec(rank=16)
    return Plan(
        shape=shape_of(llama_3_8b(), lora),
        quantize="nf4",
        lora=lora,
        ppo=PPOConfig(tokens_per_micro_batch=1024),
        reward=RewardConfig(tokens_per_micro_batch=1024),
        prompt_tokens=512,
        response_tokens=128,
        checkpointing=False,
        on_cpu=False,
        dtype_bytes=2,
    )


# By hand


def test_a_number_in_nf4_takes_4_127_bits():
    one = 4_096 * 4_096
    # Halves of bytes, a byte for 64, 4 bytes for 64 x 256; two code tables and a mean.
    tables = 4 * (16 + 256 + 1)
    assert fp.nf4_bytes(one) == 8_388_608 + 262_144 + 4_096 + tables
    assert 8 * (fp.nf4_bytes(one) - tables) / one == pytest.approx(4.127, abs=5e-4)
    assert fp.nf4_bytes(65) == 33 + 2 + 4 + tables


def test_weights_of_an_8_billion_llama_by_hand(llama: Plan):
    assert fp.weight_bytes(llama.shape, "none", 2) == 2 * 8_030_261_248
    packed = 6_979_321_856 // 2 + 6_979_321_856 // 64 + 6_979_321_856 // 64 // 256 * 4
    assert packed == 3_600_416_768
    plain = 2 * 1_050_939_392
    assert fp.weight_bytes(llama.shape, "nf4", 2) == packed + 224 * 1_092 + plain == 5_702_540_160


def test_adapters_and_optimizer_of_an_8_billion_llama_by_hand(llama: Plan):
    adapter, head = 41_943_040, 4_096 + 2
    assert fp.adapter_bytes(llama.shape, llama.lora) == 4 * (3 * adapter + 3 * (head + 2))
    assert fp.learning_numbers(llama, ppo=True) == 2 * adapter + head
    assert fp.learning_numbers(llama, ppo=False) == adapter + head
    update = llama.phases[-1]
    assert update.parts[fp.OPTIMIZER] == 12 * (2 * adapter + head) == 1_006_682_136
    paged = replace(llama, ppo=replace(llama.ppo, optimizer="paged_adamw_8bit"))
    # 83,890,178 numbers: gradients in fp32, two moments of a byte, 327,697 scales for each.
    assert paged.phases[-1].parts[fp.OPTIMIZER] == 6 * 83_890_178 + 8 * 327_697
    assert paged.phases[1].parts[fp.OPTIMIZER] == 12 * (adapter + head)  # the reward's own setting
    grpo = replace(llama, ppo=replace(llama.ppo, advantage="grpo"))
    assert fp.learning_numbers(grpo, ppo=True) == adapter
    shared = replace(llama, ppo=replace(llama.ppo, value_trunk="policy"))
    assert fp.learning_numbers(shared, ppo=True) == adapter + head


def test_a_cache_of_an_8_billion_llama_by_hand(llama: Plan):
    # 128 KiB a token in 32 layers, and one layer more while it grows.
    assert fp.cache_bytes(llama, rows=32) == 32 * (512 + 128) * 2 * 8 * 128 * 2 * 33


def test_activations_of_an_8_billion_llama_by_hand(llama: Plan):
    batch = Layout(rows=1, width=1024, responses=512)
    assert fp.ppo_layouts(llama) == [batch] * 8
    linears = 2 * (4_096 + 4_096)
    feed_forward = 2 * 4 * 14_336
    attention = 2 * (4 * 4_096 + 1_024) + 4 * 32
    norms = 2 * 4 * (4_096 + 1)
    inner = 2 * 16 * 7
    layer = linears + feed_forward + attention + norms + inner
    assert layer == 199_016
    adapter = 2 * 41_943_040
    assert fp.kept_bytes(llama, batch) == 1024 * 32 * layer + adapter
    slopes = 4 * 4_096 * 512
    assert fp.activation_bytes(llama, batch) == 1024 * 32 * layer + adapter + slopes
    again = replace(llama, checkpointing=True)
    inputs_and_last_norm = 1024 * (32 * 2 * 4_096 + 4 * 4_097)
    assert fp.activation_bytes(again, batch) == inputs_and_last_norm + slopes
    gradients, unpacked = 1024 * 2 * (14_336 + 2 * 4_096), 2 * 4_096 * 14_336
    assert fp.backward_bytes(llama, batch) == gradients + unpacked
    assert fp.backward_bytes(again, batch) == gradients + unpacked + 1024 * layer + adapter // 32


def test_log_probabilities_of_an_8_billion_llama_by_hand(llama: Plan):
    logits = 2 * 512 * 4 * (4_096 + 4_096)
    half = 512 * 4_096 * 2 + 4_096 * 4_096 * 4
    states = 2 * 512 * 4_096 * 2
    assert fp.logprob_bytes(llama, Layout(1, 1024, 512)) == logits + half + states
    exact = replace(llama, dtype_bytes=4)
    assert fp.logprob_bytes(exact, Layout(1, 1024, 512)) == logits + 2 * states


def test_dense_copies_exist_on_a_cpu_alone(llama: Plan):
    linear = 2 * 6_979_321_856
    cpu = replace(llama, on_cpu=True)
    plain = replace(cpu, quantize="none")
    assert fp.dense_bytes(llama, base=True, merged=True) == 0
    assert fp.dense_bytes(cpu, base=True, merged=False) == linear
    assert fp.dense_bytes(cpu, base=True, merged=True) == 2 * linear
    assert fp.dense_bytes(plain, base=True, merged=False) == 0
    assert fp.dense_bytes(plain, base=False, merged=True) == linear


def test_rankings_learn_whole_and_rollouts_in_parts(llama: Plan):
    wide = replace(llama, response_tokens=512)
    # 512 + 4 x 512 tokens: more than a micro-batch, in rows of one response each.
    assert fp.reward_layouts(wide) == [Layout(1, 1024, 512)] * 4
    assert fp.ppo_layouts(wide) == [Layout(1, 1024, 512)] * 32
    reward, ppo = wide.phases[1].parts, wide.phases[-1].parts
    assert reward[fp.ACTIVATIONS] == 4 * ppo[fp.ACTIVATIONS]


# Measured


def base_of(request_folder: Path | None, quantize: str, dtype: torch.dtype) -> RoleModel:
    name = {"name": str(request_folder)} if request_folder else {}
    base = load_base(quantize=quantize, device="cpu", dtype=dtype, **name)
    model = RoleModel(base, LoraSpec(rank=8))
    stir(model, "policy")
    return model


def plan_of(model: RoleModel, **changes) -> Plan:
    settings = {
        "shape": shape_of(model.base.model.config, model.lora),
        "quantize": model.base.quantization,
        "lora": model.lora,
        "ppo": PPOConfig(),
        "reward": RewardConfig(),
        "prompt_tokens": 24,
        "response_tokens": 16,
        "checkpointing": model.checkpointing,
        "on_cpu": True,
        "dtype_bytes": model.base.dtype.itemsize,
    }
    return Plan(**{**settings, **changes})


def stored(tensors: Iterable[Tensor]) -> int:
    """Bytes of storages, each once."""
    storages = [t.untyped_storage() for t in tensors]
    return sum({s.data_ptr(): s.nbytes() for s in storages}.values())


def base_tensors(model: RoleModel) -> list[Tensor]:
    found = []
    for name, parameter in model.base.model.named_parameters():
        if "lora_" not in name:
            found.append(parameter.data)
            if (state := getattr(parameter, "quant_state", None)) is not None:
                found += [state.absmax, state.code, state.offset]
                found += [state.state2.absmax, state.state2.code]
    return found


def adapter_tensors(model: RoleModel) -> list[Tensor]:
    adapters = [p for n, p in model.base.model.named_parameters() if "lora_" in n]
    return [*adapters, *model.heads.parameters(), *model.heads.buffers()]


def rows_of(prompt: int, response: int, each: int, rows: int) -> TokenBatch:
    return batch_of_rows([Row([5] * prompt, [[7] * response] * each)] * rows, pad_id=0)


def layout_of(batch: TokenBatch) -> Layout:
    rows, width = batch.input_ids.shape
    return Layout(rows, width, int(batch.response_lengths.sum()))


def weights_of(model: RoleModel) -> set[int]:
    """Places of everything that exists without any forward pass, dense copies included."""
    found = {t.untyped_storage().data_ptr() for t in base_tensors(model) + adapter_tensors(model)}
    for module in model.base.model.modules():
        for cell in getattr(vars(module).get("forward"), "__closure__", None) or ():
            if isinstance(cell.cell_contents, torch.nn.Linear):
                found.add(cell.cell_contents.weight.untyped_storage().data_ptr())
    return found


def kept_in_training(model: RoleModel, batch: TokenBatch) -> int:
    """Bytes of all storages that a forward pass of the learning policy keeps."""
    there, seen = weights_of(model), {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        model.role("policy", train=True) as policy,
        torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t),
    ):
        logp = policy.logprobs(batch).logp
    assert logp.requires_grad  # the graph, and with it every storage counted, is still there
    return sum(seen.values())


class LivePeak(TorchDispatchMode):
    """Most bytes that were alive at a time, of everything allocated inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        before = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if self._is(t)}
        out = func(*args, **(kwargs or {}))
        for storage in (t.untyped_storage() for t in tree_leaves(out) if self._is(t)):
            if storage._cdata not in before:
                self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._alive = {k: v for k, v in self._alive.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return out

    @staticmethod
    def _is(value: object) -> bool:
        return isinstance(value, Tensor) and value.device.type == "cpu"


def peak_in_training(model: RoleModel, batch: TokenBatch) -> int:
    """Most bytes alive at a time in forward and backward pass, beside gradients from before."""
    for block in (nullcontext(), live := LivePeak()):
        with model.role("policy", train=True) as policy, block:
            policy.logprobs(batch).logp.sum().backward()
    for parameter in model.parameters("policy").values():
        parameter.grad = None
    return live.peak


@pytest.fixture(params=[("none", F32), ("nf4", F32), ("nf4", BF16)], ids=str)
def tiny(request: pytest.FixtureRequest, tiny_folder: Path) -> RoleModel:
    return base_of(tiny_folder, *request.param)


def check_what_is_resident(model: RoleModel, rel: float) -> None:
    plan = plan_of(model)
    weights = fp.weight_bytes(plan.shape, plan.quantize, plan.dtype_bytes)
    assert weights == pytest.approx(stored(base_tensors(model)), rel=rel)
    adapters = fp.adapter_bytes(plan.shape, plan.lora)
    assert adapters == pytest.approx(stored(adapter_tensors(model)), rel=rel)
    optimizer = RoleOptimizer(model, ["policy", "value"], learning_rate=1e-3, max_grad_norm=1.0)
    parameters = [p for r in ("policy", "value") for p in model.parameters(r).values()]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    gradients = stored(p.grad for p in parameters)
    optimizer.step()
    found = stored(optimizer.state().values()) + gradients
    assert plan.phases[-1].parts[fp.OPTIMIZER] == pytest.approx(found, rel=rel)
    with model.dense.base():
        there = weights_of(model)
        for tensor in base_tensors(model) + adapter_tensors(model):
            there.discard(tensor.untyped_storage().data_ptr())
        copies = len(there) > 0
    assert copies == (fp.dense_bytes(plan, base=True, merged=False) > 0)


def check_activations(model: RoleModel, batch: TokenBatch, rel: float) -> None:
    with model.dense.base():
        found = kept_in_training(model, batch)
    assert fp.activation_bytes(plan_of(model), layout_of(batch)) == pytest.approx(found, rel=rel)


def check_peak(model: RoleModel, checkpointing: bool) -> None:
    model.checkpointing = checkpointing
    batch = rows_of(*SHORT_ROWS)
    plan, layout = plan_of(model), layout_of(batch)
    with model.dense.base():
        found = peak_in_training(model, batch)
    moment = max(fp.backward_bytes(plan, layout), fp.logprob_bytes(plan, layout))
    assert fp.activation_bytes(plan, layout) + moment == pytest.approx(found, rel=0.25)


SHORT_ROWS = (24, 16, 3, 2)  # prompt, response, responses in a row, rows
LONG_ROWS = (40, 120, 2, 1)


def test_the_tiny_model_is_as_large_as_estimated(tiny: RoleModel):
    check_what_is_resident(tiny, rel=0.02)


@pytest.mark.parametrize("rows", [SHORT_ROWS, LONG_ROWS], ids=["short", "long"])
def test_the_tiny_model_keeps_what_was_estimated(tiny: RoleModel, rows: tuple[int, ...]):
    check_activations(tiny, rows_of(*rows), rel=0.05)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_tiny_model_peaks_where_it_was_estimated(tiny: RoleModel, checkpointing: bool):
    check_peak(tiny, checkpointing)


def test_without_dense_copies_layers_keep_what_is_estimated_for_a_gpu(tiny_folder: Path):
    """The 4-bit kernels, peft's own layers and the fused attention kernel, on a CPU.

    In fp32: with autocast on a CPU peft converts every input forth and back, on a GPU none.
    """
    model = base_of(tiny_folder, "nf4", F32)
    batch = rows_of(*LONG_ROWS)
    plan = plan_of(model, on_cpu=False)
    found = kept_in_training(model, batch)
    assert fp.activation_bytes(plan, layout_of(batch)) == pytest.approx(found, rel=0.05)


@pytest.fixture(scope="module")
def embedded() -> RoleModel:
    """In fp32, as on a processor without bf16, which takes minutes to imitate it."""
    return base_of(None, "nf4", F32)


@pytest.mark.model
def test_the_embedded_model_is_as_large_as_estimated(embedded: RoleModel):
    assert plan_of(embedded).shape.parameters == 134_515_008
    check_what_is_resident(embedded, rel=0.02)


@pytest.mark.model
@pytest.mark.parametrize("rows", [SHORT_ROWS, LONG_ROWS], ids=["short", "long"])
def test_the_embedded_model_keeps_what_was_estimated(embedded: RoleModel, rows: tuple[int, ...]):
    check_activations(embedded, rows_of(*rows), rel=0.02)


@pytest.mark.model
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_embedded_model_peaks_where_it_was_estimated(embedded: RoleModel, checkpointing: bool):
    check_peak(embedded, checkpointing)
