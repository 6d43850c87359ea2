"""What sharing one base saves, and what chunked log-probabilities save.

python -m benchmarks.memory [--tokens N] [--vocabulary N] [--quick]
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import compare, model_folder, parser, settings
from benchmarks.figures import Measured, Target
from benchmarks.process import PeakGrowth, resident_mb, run_side
from benchmarks.report import Report

if TYPE_CHECKING:
    from torch import Tensor, nn

RANK, ALPHA = 16, 32
SAME = (
    "Roles: policy, reference, reward and value, each with its LoRA adapter (and head) on an NF4 "
    "base with double quantization; each runs once, without gradients, over the same rows. Peak "
    "is of the process; 'loaded_mb' is what loading "
    "added to it, 'weights_mb' parameters and buffers alone. Ours shares one base, "
    "and on a CPU holds the dense copy that a job makes; the peer loads four models as "
    "transformers and peft do, unquantized where a row says so.",
    "Log-probabilities: fp32 hidden states and output head, forward and backward to the hidden "
    "states. Peak is the growth above these inputs. Naive is log_softmax of all logits and a "
    "gather, by autograd; ours computes the entropies, too. 'difference' is the largest of any "
    "log-probability, 'gradient_difference' that of any number in their gradients.",
)


# ------------------------------------------------------------------------------------- roles


def shared_roles(*, model: str, rows: int, tokens: int) -> Measured:
    """One base, four roles."""
    from rlhf_lab.models import ROLES, RoleModel, load_base, make_batch
    from rlhf_lab.types import LoraSpec

    _import_libraries()
    start = time.perf_counter()
    before = resident_mb()
    roles = RoleModel(load_base(model), LoraSpec(rank=RANK, alpha=ALPHA))
    roles.set_reference(roles.state("policy"))  # an adapter too, as after a first round
    loaded = resident_mb() - before
    ids = [5 + n % 50 for n in range(tokens)]
    prompts, responses = [ids[: tokens // 2]] * rows, [ids[tokens // 2 :]] * rows
    batch = make_batch(prompts, responses, pad_id=0, device=roles.base.device)
    with roles.dense.base():
        for name in ROLES:
            with roles.role(name) as role:
                if name in roles.heads:
                    role.scores(batch)
                else:
                    role.logprobs(batch)
    seconds = time.perf_counter() - start
    return _weighed(seconds, [roles.peft, roles.heads], loaded, str(roles.base.device))


def separate_models(*, model: str, rows: int, tokens: int, quantized: bool) -> Measured:
    """Four models, each with an adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        BitsAndBytesConfig,
    )

    from rlhf_lab.models.loading import best_device, compute_dtype

    _import_libraries()
    start = time.perf_counter()
    device = best_device()
    dtype = compute_dtype(device)
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    before = resident_mb()
    models = []
    for kind, task in (
        (AutoModelForCausalLM, "CAUSAL_LM"),
        (AutoModelForCausalLM, "CAUSAL_LM"),
        (AutoModelForSequenceClassification, "SEQ_CLS"),
        (AutoModelForSequenceClassification, "SEQ_CLS"),
    ):
        base = kind.from_pretrained(
            model,
            dtype=dtype,
            device_map={"": device},
            **({"num_labels": 1, "pad_token_id": 0} if task == "SEQ_CLS" else {}),
            **({"quantization_config": four_bits} if quantized else {}),
        )
        config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type=task)
        models.append(get_peft_model(base, config).eval())
    loaded = resident_mb() - before
    ids = torch.tensor([[5 + n % 50 for n in range(tokens)]] * rows, device=device)
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for each in models:
            each(input_ids=ids, use_cache=False)
    return _weighed(time.perf_counter() - start, models, loaded, str(device))


def _import_libraries() -> None:
    """What either side would import while it loads must not count as loaded."""
    for name in ("bitsandbytes", "peft", "transformers.models.llama.modeling_llama"):
        importlib.import_module(name)


def _weighed(seconds: float, modules: Sequence[nn.Module], loaded: float, device: str) -> Measured:
    import torch

    tensors = {
        t.data_ptr(): t.numel() * t.element_size()
        for module in modules
        for t in [*module.parameters(), *module.buffers()]
    }
    peak = torch.cuda.max_memory_allocated() / 1e6 if device.startswith("cuda") else None
    weights = sum(tensors.values()) / 1e6
    return Measured(
        seconds=seconds, peak_mb=peak, details={"weights_mb": weights, "loaded_mb": loaded}
    )


# -------------------------------------------------------------------------- log-probabilities


def chunked(*, tokens: int, dim: int, vocabulary: int, out: str) -> Measured:
    """Ours: no more than a chunk of logits at a time."""
    from rlhf_lab.algorithms import token_logprobs

    return _logprobs(
        lambda hidden, weight, target: token_logprobs(hidden, weight, target).logp,
        (tokens, dim, vocabulary),
        out,
    )


def naive(*, tokens: int, dim: int, vocabulary: int, out: str) -> Measured:
    """All logits at once."""
    return _logprobs(
        lambda hidden, weight, target: (
            (hidden @ weight.T).log_softmax(dim=-1).gather(1, target[:, None]).squeeze(1)
        ),
        (tokens, dim, vocabulary),
        out,
    )


def _logprobs(
    compute: Callable[[Tensor, Tensor, Tensor], Tensor], shape: tuple[int, int, int], out: str
) -> Measured:
    import numpy as np
    import torch

    from rlhf_lab.models.loading import best_device

    tokens, dim, vocabulary = shape
    device = best_device()
    stream = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, dim, generator=stream)
    weight = torch.randn(vocabulary, dim, generator=stream).mul_(2 * dim**-0.5)
    target = torch.randint(vocabulary, (tokens,), generator=stream)
    hidden, weight, target = hidden.to(device), weight.to(device), target.to(device)
    hidden.requires_grad_()
    start = time.perf_counter()
    with PeakGrowth(str(device)) as growth:
        logp = compute(hidden, weight, target)
        logp.mean().backward()
    seconds = time.perf_counter() - start
    assert hidden.grad is not None
    # A mean over the tokens was differentiated: per token, as every log-probability is.
    gradient = hidden.grad * tokens
    np.savez(out, logp=logp.detach().cpu().numpy(), gradient=gradient.cpu().numpy())
    return Measured(seconds=seconds, peak_mb=growth.mb)


def largest_difference(folder: Path, _ours: Measured, _peer: Measured) -> dict[str, object]:
    """Between what the two sides left in a folder."""
    import numpy as np

    with np.load(folder / "ours.npz") as first, np.load(folder / "peer.npz") as second:
        found = {key: float(np.abs(first[key] - second[key]).max()) for key in first}
    return {"difference": found["logp"], "gradient_difference": found["gradient"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Both parts."""
    arg = parser(__doc__)
    arg.add_argument("--tokens", type=int, default=1024, help="whose log-probabilities are taken")
    arg.add_argument("--vocabulary", type=int, default=151_936)
    arg.add_argument("--dim", type=int, default=1024)
    options = arg.parse_args(arguments)
    size = {"tokens": options.tokens, "dim": options.dim, "vocabulary": options.vocabulary}
    if options.quick:
        size = {"tokens": 512, "dim": 64, "vocabulary": 8192}
    run = partial(run_side, threads=options.threads)
    comparisons = []
    with model_folder(options) as model, tempfile.TemporaryDirectory() as scratch:
        work = {"model": model, "rows": 4, "tokens": 64}
        for note, quantized in (("", True), (", peer unquantized", False)):
            comparisons.append(
                compare(
                    f"four roles{note}",
                    partial(run, shared_roles, **work),
                    partial(run, separate_models, quantized=quantized, **work),
                )
            )
        targets = (
            Target(figure="memory_ratio", at_most=0.15),
            Target(figure="difference", at_most=1e-5),
        )
        comparisons.append(
            compare(
                f"log-probabilities of {size['tokens']} tokens, vocabulary {size['vocabulary']}",
                partial(run, chunked, **size, out=f"{scratch}/ours.npz"),
                partial(run, naive, **size, out=f"{scratch}/peer.npz"),
                targets=() if options.quick else targets,
                extra=partial(largest_difference, Path(scratch)),
            )
        )
    return Report(
        benchmark="memory",
        comparisons=comparisons,
        same=SAME,
        shown=("weights_mb", "loaded_mb"),
        settings=settings(options),
        quick=options.quick,
    ).show()


if __name__ == "__main__":
    raise SystemExit(main())
