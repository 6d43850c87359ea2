"""PPO with an 8B model on one GPU, beside a QLoRA fine-tuning step of the same model.

python -m benchmarks.gpu [--prompts N] [--responses N] [--micro-batch TOKENS]

The model has the shape of Llama 3 8B and random weights made on the device: nothing is downloaded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.command import compare, parser, settings
from benchmarks.figures import Measured
from benchmarks.process import run_side
from benchmarks.random_llama import LLAMA_8B, random_base, random_model
from benchmarks.report import Report

RANK, ALPHA = 16, 32
SAME = (
    "Same on both sides: the model (NF4, double quantization, bf16), LoRA "
    f"r={RANK} on all linear layers, rows of prompt and response, AdamW.",
    "Ours is a whole PPO step: sampling, the log-probabilities of policy and reference, values, "
    "rewards, and one epoch of two optimizer steps for policy and value. The peer is one "
    "supervised optimizer step over as many such rows, one row at a time, loss on the response: "
    "what the same GPU does for the simplest fine-tuning, not the same work. Tokens per second "
    "count prompts and responses once per step. Memory is the peak that torch allocated; "
    "'reserved_mb' is what it took from the device.",
)


def ours(
    *,
    shape: dict[str, Any],
    device: str,
    prompts: int,
    responses: int,
    prompt_tokens: int,
    new_tokens: int,
    micro_batch: int,
    steps: int,
) -> Measured:
    """PPO steps; the first one is not counted."""
    import torch

    from rlhf_lab.models import RoleModel
    from rlhf_lab.training import PPOConfig, PPOTrainer, RolloutPrompt
    from rlhf_lab.types import LoraSpec, Sampling

    on = torch.device(device)
    roles = RoleModel(random_base(shape, on, torch.bfloat16), LoraSpec(rank=RANK, alpha=ALPHA))
    roles.copy_role("reward", "value")
    trainer = PPOTrainer(
        roles,
        PPOConfig(
            prompts_per_step=prompts,
            responses_per_prompt=responses,
            sampling=Sampling(max_new_tokens=new_tokens),
            tokens_per_micro_batch=micro_batch,
            approx_kl_target=1e6,  # a whole epoch, whatever random weights make of it
        ),
    )
    ids = _rows(prompts, prompt_tokens)

    def step(number: int) -> Any:  # noqa: ANN401 - PPOStats, imported above
        seeds = [1000 * number + n for n in range(prompts * responses)]
        return trainer.step(
            [
                RolloutPrompt(row, seeds[n * responses : (n + 1) * responses])
                for n, row in enumerate(ids)
            ]
        )

    step(0)
    _reset_peak()
    start = time.perf_counter()
    stats = [step(1 + n) for n in range(steps)]
    seconds = (time.perf_counter() - start) / steps
    sampled = sum(s.response_length for s in stats) / steps
    tokens = prompts * responses * (prompt_tokens + sampled)
    phases = {
        f"{phase}_s": sum(getattr(s, f"seconds_{phase}") for s in stats) / steps
        for phase in ("rollout", "scoring", "update")
    }
    return _measured(seconds, tokens, {"mean_response_tokens": sampled, **phases})


def peer(
    *,
    shape: dict[str, Any],
    device: str,
    prompts: int,
    responses: int,
    prompt_tokens: int,
    new_tokens: int,
    steps: int,
    checkpointing: bool,
) -> Measured:
    """QLoRA supervised steps as peft users write them; the first one is not counted."""
    import torch
    from peft import LoraConfig, get_peft_model

    on = torch.device(device)
    base = random_model(shape, on, torch.bfloat16)
    config = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    adapted = get_peft_model(base, config).train()
    if checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
        base.enable_input_require_grads()
    learned = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-4)
    rows = torch.tensor(_rows(prompts * responses, prompt_tokens + new_tokens), device=on)
    labels = rows.clone()
    labels[:, :prompt_tokens] = -100

    def step() -> None:
        for row in range(len(rows)):
            part = slice(row, row + 1)
            with torch.autocast(on.type, torch.bfloat16):
                loss = adapted(input_ids=rows[part], labels=labels[part], use_cache=False).loss
            (loss / len(rows)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _wait()

    step()
    _reset_peak()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return _measured((time.perf_counter() - start) / steps, rows.numel(), {})


def _rows(count: int, width: int) -> list[list[int]]:
    """Token ids in any order; every row another."""
    return [[(7 * place + 31 * row) % 250 for place in range(width)] for row in range(count)]


def _reset_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _measured(seconds: float, tokens: float, details: dict[str, Any]) -> Measured:
    import torch

    _wait()
    peak = None
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 1e6
        details["reserved_mb"] = torch.cuda.max_memory_reserved() / 1e6
    return Measured(
        seconds=seconds,
        peak_mb=peak,
        details={"tokens": tokens, "tokens_per_second": tokens / seconds, **details},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """A PPO step beside a supervised step, with and without gradient checkpointing."""
    import torch

    arg = parser(__doc__, model=False)
    arg.add_argument("--prompts", type=int, default=4, help="per PPO step")
    arg.add_argument("--responses", type=int, default=4, help="to each prompt")
    arg.add_argument("--prompt-tokens", type=int, default=512)
    arg.add_argument("--new-tokens", type=int, default=128)
    arg.add_argument("--micro-batch", type=int, default=640, help="tokens, padding included")
    arg.add_argument("--steps", type=int, default=2, help="counted, after one that is not")
    options = arg.parse_args(arguments)
    if not torch.cuda.is_available():
        print(
            "benchmarks.gpu needs a CUDA device and torch sees none: nothing was measured. Run it "
            "on a machine with an NVIDIA GPU and a CUDA build of torch; the other benchmarks run "
            "on a CPU.",
            file=sys.stderr,
        )
        return 2
    work = {
        "shape": LLAMA_8B | ({"num_hidden_layers": 2} if options.quick else {}),
        "device": "cuda",
        "prompts": options.prompts,
        "responses": options.responses,
        "prompt_tokens": options.prompt_tokens,
        "new_tokens": options.new_tokens,
        "steps": options.steps,
    }
    run = partial(run_side, threads=options.threads)
    comparisons = [
        compare(
            f"{options.prompts} x {options.responses} responses, {options.prompt_tokens} + "
            f"{options.new_tokens} tokens; peer: QLoRA step {note} checkpointing",
            partial(run, ours, **work, micro_batch=options.micro_batch),
            partial(run, peer, **work, checkpointing=checkpointing),
            repeat=options.repeat,
        )
        for note, checkpointing in (("with", True), ("without", False))
    ]
    return Report(
        benchmark="gpu",
        comparisons=comparisons,
        same=SAME,
        shown=("tokens_per_second", "reserved_mb"),
        settings=settings(options),
        quick=options.quick,
    ).show()


if __name__ == "__main__":
    raise SystemExit(main())
