"""Sampling against `generate` of the same 4-bit peft model.

python -m benchmarks.generate [--batch N] [--new-tokens N] [--repeat N] [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.command import compare, model_folder, parser, settings
from benchmarks.figures import Measured, Target
from benchmarks.process import run_side
from benchmarks.report import Report

RANK, ALPHA = 16, 32
SAME = (
    "Same on both sides: NF4 base with double quantization, compute type, LoRA "
    f"r={RANK} on all linear layers (moved away from its start, where it does nothing), the "
    "prompts and their tokens, the batch, temperature 1 without filters, threads. No end token "
    "ends a row, so both sample every token asked for.",
    "Seconds are of the second of two calls, so that neither pays for kernels made on first use; "
    "ours include unpacking and merging the weights, which it does anew for each job. Each side "
    "keeps the 4-bit kernels it runs with by default.",
)


def ours(*, model: str, prompts: Sequence[str], new_tokens: int) -> Measured:
    """As a lab samples: merged copies of the weights for the length of the job."""
    import torch

    from rlhf_lab.models import RoleModel, generate, load_base
    from rlhf_lab.types import LoraSpec, Message, Prompt, Sampling

    roles = RoleModel(load_base(model), LoraSpec(rank=RANK, alpha=ALPHA))
    with torch.no_grad():
        for name, parameter in roles.parameters("policy").items():
            if "lora_B" in name:
                parameter.normal_(std=0.01)
    # An id that no model samples: every row runs to its full length.
    roles.chat.__dict__["stop_ids"] = frozenset({roles.base.model.config.vocab_size})
    encoded = [
        roles.chat.encode(Prompt(messages=(Message(role="user", content=p),))) for p in prompts
    ]
    sampling = Sampling(max_new_tokens=new_tokens)
    seconds, sampled = 0.0, 0
    for call in range(2):
        start = time.perf_counter()
        with roles.role("policy") as policy, roles.dense.merged("policy"):
            seeds = [1000 * call + n for n in range(len(encoded))]
            sampled = sum(len(g.token_ids) for g in generate(policy, encoded, seeds, sampling))
        seconds = time.perf_counter() - start
    return _measured(seconds, sampled)


def peer(*, model: str, prompts: Sequence[str], new_tokens: int) -> Measured:
    """What peft users write."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        BitsAndBytesConfig,
        GenerationConfig,
    )

    from rlhf_lab.models.loading import best_device, compute_dtype

    torch.manual_seed(0)
    device = best_device()
    dtype = compute_dtype(device)
    tokenizer: Any = AutoTokenizer.from_pretrained(model, padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=dtype,
        device_map={"": device},
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        ),
    )
    base.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id)
    config = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    adapted = get_peft_model(base, config).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.01)
    inputs = tokenizer.apply_chat_template(
        [[{"role": "user", "content": p}] for p in prompts],
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
        padding=True,
    ).to(device)
    seconds, sampled = 0.0, 0
    for _ in range(2):
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            output = adapted.generate(
                **inputs,
                max_new_tokens=new_tokens,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                use_cache=True,
            )
        sampled = (output.shape[1] - inputs["input_ids"].shape[1]) * len(output)
        seconds = time.perf_counter() - start
    return _measured(seconds, sampled)


def _measured(seconds: float, tokens: int) -> Measured:
    return Measured(
        seconds=seconds, details={"tokens": tokens, "tokens_per_second": tokens / seconds}
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Both sides."""
    from rlhf_lab.data import load_prompts

    arg = parser(__doc__)
    arg.add_argument("--batch", type=int, default=16)
    arg.add_argument("--new-tokens", type=int, default=64)
    options = arg.parse_args(arguments)
    batch, new_tokens = (2, 4) if options.quick else (options.batch, options.new_tokens)
    with model_folder(options) as model:
        work: dict[str, Any] = {
            "model": model,
            "prompts": [p.text for p in load_prompts("starter") if "question" in p.tags][:batch],
            "new_tokens": new_tokens,
        }
        comparison = compare(
            f"batch {batch}, {new_tokens} new tokens",
            partial(run_side, ours, threads=options.threads, **work),
            partial(run_side, peer, threads=options.threads, **work),
            repeat=options.repeat,
            targets=() if options.quick else (Target(figure="speedup", at_least=2),),
        )
    return Report(
        benchmark="generate",
        comparisons=[comparison],
        same=SAME,
        shown=("tokens", "tokens_per_second"),
        settings=settings(options),
        quick=options.quick,
    ).show()


if __name__ == "__main__":
    raise SystemExit(main())
