"""PPO updates against TRL 1.12.0's `trl.experimental.ppo`, the last release that had PPO.

python -m benchmarks.ppo [--updates N] [--variants] [--repeat N] [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from benchmarks.command import compare, model_folder, parser, settings
from benchmarks.figures import Measured, Target
from benchmarks.peers import TRL_WITH_PPO, trl
from benchmarks.process import run_side
from benchmarks.report import Report

RANK, ALPHA = 16, 32
EPOCHS, TEMPERATURE, LEARNING_RATE = 4, 0.7, 1e-5
SAME = (
    "Same on both sides: the prompts and their tokens; at most so many new tokens; temperature "
    f"{TEMPERATURE}; {EPOCHS} epochs of 1 minibatch, so {EPOCHS} optimizer steps per update, none "
    f"left out; LoRA r={RANK} on all linear layers of the policy; AdamW at {LEARNING_RATE}; "
    "threads. Seconds are per update, without imports and loading; memory is the peak of the "
    "process, with them.",
    "TRL as its users run it on a CPU: plain fp32 models, reward and value as models of their own, "
    "the value model trained in full, the whole batch in one micro-batch (its default is larger "
    "than any batch here), no gradient checkpointing (its PPO loop never switches it on).",
    "Ours as it comes: one NF4 base, bf16 where the processor has it, LoRA on the value role, "
    "micro-batches of at most 512 tokens, responses to one prompt in one row; where it says so, "
    "values by a head on the policy's trunk (value_trunk='policy'), which is less work.",
    "TRL has no responses per prompt: it is given each prompt as often as ours answers it.",
)


def ours(
    *,
    model: str,
    prompts: Sequence[str],
    responses: int,
    new_tokens: int,
    updates: int,
    value_trunk: Literal["own", "policy"] = "own",
) -> Measured:
    """Our trainer, without the lab around it, which TRL lacks too."""
    from rlhf_lab.models import RoleModel, load_base
    from rlhf_lab.training import PPOConfig, PPOTrainer, RolloutPrompt
    from rlhf_lab.types import LoraSpec, Message, Prompt, Sampling

    roles = RoleModel(load_base(model), LoraSpec(rank=RANK, alpha=ALPHA))
    roles.copy_role("reward", "value")
    each = len(prompts) // updates
    config = PPOConfig(
        prompts_per_step=each,
        responses_per_prompt=responses,
        sampling=Sampling(max_new_tokens=new_tokens, temperature=TEMPERATURE),
        epochs=EPOCHS,
        minibatches=1,
        learning_rate=LEARNING_RATE,
        value_trunk=value_trunk,
        kl="fixed",
        approx_kl_target=1e6,  # TRL never stops an update early
    )
    trainer = PPOTrainer(roles, config)
    encoded = [
        roles.chat.encode(Prompt(messages=(Message(role="user", content=p),))) for p in prompts
    ]
    start = time.perf_counter()
    stats = [
        trainer.step(
            [
                RolloutPrompt(encoded[n], [1000 * n + seed for seed in range(responses)])
                for n in range(update * each, (update + 1) * each)
            ]
        )
        for update in range(updates)
    ]
    seconds = (time.perf_counter() - start) / updates
    return Measured(
        seconds=seconds,
        details={
            "optimizer_steps": sum(s.optimizer_steps for s in stats) / updates,
            "prompt_tokens": sum(map(len, encoded)) / updates,
            "mean_response_tokens": sum(s.response_length for s in stats) / updates,
            "trained_parameters": sum(
                p.numel() for role in config.learners for p in roles.parameters(role).values()
            ),
        },
    )


def peer(
    *,
    model: str,
    prompts: Sequence[str],
    responses: int,
    new_tokens: int,
    updates: int,
    value_lora: bool = False,
    bf16: bool = False,
) -> Measured:
    """TRL's trainer; `value_lora` and `bf16` give it what its users could add by hand."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, inject_adapter_in_model
    from torch.optim.optimizer import register_optimizer_step_post_hook
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
    )
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    torch.manual_seed(0)
    dtype = torch.bfloat16 if bf16 else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    encoded = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": p}], add_generation_prompt=True, return_dict=False
        )
        for p in prompts
    ]
    data = Dataset.from_dict({"input_ids": [ids for ids in encoded for _ in range(responses)]})
    batch = len(data) // updates
    policy = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    reward, value = (
        AutoModelForSequenceClassification.from_pretrained(model, num_labels=1, dtype=dtype)
        for _ in range(2)
    )
    reward.config.pad_token_id = value.config.pad_token_id = tokenizer.pad_token_id
    shape: dict[str, Any] = {"r": RANK, "lora_alpha": ALPHA, "target_modules": "all-linear"}
    if value_lora:
        inject_adapter_in_model(LoraConfig(**shape, task_type="SEQ_CLS"), value)
        value.score.requires_grad_(True)
    trainer = PPOTrainer(
        args=PPOConfig(
            output_dir="trl-out",
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=1,
            num_mini_batches=1,
            num_ppo_epochs=EPOCHS,
            total_episodes=batch * updates,
            response_length=new_tokens,
            local_rollout_forward_batch_size=batch,
            temperature=TEMPERATURE,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            stop_token="eos",
            report_to="none",
            use_cpu=not torch.cuda.is_available(),
            bf16=bf16,
            num_sample_generations=0,
            save_strategy="no",
            logging_steps=1,
        ),
        processing_class=tokenizer,
        model=policy,
        ref_model=None,  # the policy without its adapter
        reward_model=reward,
        value_model=value,
        train_dataset=data,
        eval_dataset=data,
        peft_config=LoraConfig(**shape, task_type="CAUSAL_LM"),
    )
    steps: list[object] = []
    register_optimizer_step_post_hook(lambda optimizer, *_: steps.append(optimizer))
    start = time.perf_counter()
    trainer.train()
    seconds = (time.perf_counter() - start) / updates
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return Measured(
        seconds=seconds,
        details={
            "optimizer_steps": len(steps) / updates,
            "prompt_tokens": sum(map(len, encoded)) * responses / updates,
            "trained_parameters": trained,
        },
    )


class Plan(NamedTuple):
    """One row: the size of the work, and what is special on either side."""

    prompts: int
    responses: int
    new_tokens: int
    targets: tuple[Target, ...] = ()
    note: str = ""
    ours: Mapping[str, Any] = MappingProxyType({})
    peer: Mapping[str, Any] = MappingProxyType({})


def plans(*, quick: bool) -> tuple[Plan, Plan]:
    """One response to each of many prompts, and several to each of few."""
    if quick:
        return Plan(3, 1, 4), Plan(2, 2, 4)
    speedup, memory = (
        Target(figure="speedup", at_least=3),
        Target(figure="memory_ratio", at_most=0.25),
    )
    return Plan(16, 1, 24, (speedup, memory)), Plan(
        4, 4, 24, (Target(figure="speedup", at_least=5),)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Both workloads, both sides."""
    from rlhf_lab.data import load_prompts

    arg = parser(__doc__)
    arg.add_argument("--updates", type=int, default=2, help="PPO updates per run")
    arg.add_argument(
        "--variants", action="store_true", help="also TRL with a LoRA value model, and in bf16"
    )
    options = arg.parse_args(arguments)
    questions = [p.text for p in load_prompts("starter") if "question" in p.tags]
    site = trl(TRL_WITH_PPO)
    first, second = plans(quick=options.quick)
    rows = [
        first,
        first._replace(note=", our values on the policy's trunk", ours={"value_trunk": "policy"}),
        second,
        second._replace(note=", our values on the policy's trunk", ours={"value_trunk": "policy"}),
    ]
    if options.variants:
        lora = {"value_lora": True}
        plain = first._replace(targets=())
        rows += [
            plain._replace(note=", TRL's value model with LoRA too", peer=lora),
            plain._replace(
                note=", TRL in bf16 with a LoRA value model", peer={**lora, "bf16": True}
            ),
        ]
    with model_folder(options) as model:
        comparisons = []
        for plan in rows:
            work = {
                "model": model,
                "prompts": questions[: plan.prompts * options.updates],
                "responses": plan.responses,
                "new_tokens": plan.new_tokens,
                "updates": options.updates,
            }
            run = partial(run_side, threads=options.threads)
            comparisons.append(
                compare(
                    f"{plan.prompts} prompts x {plan.responses} responses x {plan.new_tokens} "
                    f"tokens{plan.note}",
                    partial(run, ours, **work, **plan.ours),
                    partial(run, peer, path=site, **work, **plan.peer),
                    repeat=options.repeat,
                    targets=() if options.quick else plan.targets,
                )
            )
    return Report(
        benchmark="ppo",
        comparisons=comparisons,
        same=SAME,
        shown=("optimizer_steps", "trained_parameters"),
        settings=settings(options),
        quick=options.quick,
        versions={"trl": TRL_WITH_PPO},
    ).show()


if __name__ == "__main__":
    raise SystemExit(main())
