"""Reward updates from rankings against the current TRL's RewardTrainer.

python -m benchmarks.reward [--data FOLDER] [--seeds N] [--passes N] [--quick]
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.command import compare, model_folder, parser, settings
from benchmarks.figures import Comparison, Measured, Target, middle
from benchmarks.peers import TRL_CURRENT, trl
from benchmarks.process import ROOT, run_side
from benchmarks.rankings import FILE, Ranked, load_split
from benchmarks.report import Report

RANK, ALPHA = 16, 32
DATA = ROOT / ".." / "shared" / "data"
SAME = (
    "Same on both sides: the rankings, their tokens, the ordered pairs in them, the passes over "
    f"them, the held-out prompts of each seed; LoRA r={RANK} on all linear layers with a fresh "
    "scalar head; AdamW; threads. Seconds are of training alone.",
    "TRL sees each pair as a chosen and a rejected text. It gets pairs per step and learning rate "
    "from the command line (its defaults: 8 and 1e-4), bf16 autocast as by its own default "
    "(--peer-fp32 for without), and no gradient checkpointing, its default, which would only slow "
    "it down here.",
    "Ours runs every candidate once, in a row with the others of its prompt, and also learns from "
    "ties, which TRL cannot be told of. Its settings are the default RewardConfig's.",
    "Accuracy: share of ordered pairs on held-out prompts whose better response scores higher, "
    "over all seeds; 95% bootstrap intervals over prompts.",
)


def ours(
    *,
    model: str,
    data: str | None,
    heldout: int,
    seed: int,
    passes: int,
    limit: int | None = None,
) -> Measured:
    """Our trainer on whole rankings."""
    from rlhf_lab.models import RoleModel, load_base
    from rlhf_lab.training import RankedExample, RewardConfig, RewardTrainer
    from rlhf_lab.types import LoraSpec

    base = load_base(model)
    split = load_split(data, base.tokenizer, heldout=heldout, seed=seed, limit=limit)

    def examples(rankings: Sequence[Ranked]) -> list[RankedExample]:
        return [RankedExample(judgment_id=str(n), **r._asdict()) for n, r in enumerate(rankings)]

    roles = RoleModel(base, LoraSpec(rank=RANK, alpha=ALPHA), seed=seed)
    trainer = RewardTrainer(roles, RewardConfig(epochs=passes, seed=seed))
    start = time.perf_counter()
    fit = trainer.fit(examples(split.train), progress=False)
    seconds = time.perf_counter() - start
    scores = trainer.scores(examples(split.heldout))
    right = {_key(r): _right(r, s.tolist()) for r, s in zip(split.heldout, scores, strict=True)}
    pairs = sum(len(r.pairs) for r in split.train) * passes
    return Measured(
        seconds=seconds,
        details={"pairs": pairs, "optimizer_steps": sum(map(len, fit.losses)), "right": right},
    )


def peer(
    *,
    model: str,
    data: str | None,
    heldout: int,
    seed: int,
    passes: int,
    pairs_per_step: int,
    learning_rate: float,
    bf16: bool,
    limit: int | None = None,
) -> Measured:
    """TRL's trainer on the pairs of those rankings."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(model)
    # The score is read off the last token that is no padding: with a padding token of its own
    # that is the end token, as on our side.
    tokenizer.pad_token = next(t for t in tokenizer.all_special_tokens if t != tokenizer.eos_token)
    split = load_split(data, tokenizer, heldout=heldout, seed=seed, limit=limit)
    pairs = [
        {"chosen_ids": r.prompt + r.candidates[b], "rejected_ids": r.prompt + r.candidates[w]}
        for r in split.train
        for b, w in r.pairs
    ]
    trainer = RewardTrainer(
        model=AutoModelForSequenceClassification.from_pretrained(
            model, num_labels=1, dtype=torch.float32
        ),
        args=RewardConfig(
            output_dir="trl-out",
            num_train_epochs=passes,
            per_device_train_batch_size=pairs_per_step,
            learning_rate=learning_rate,
            gradient_checkpointing=False,
            max_length=None,
            bf16=bf16,
            use_cpu=not torch.cuda.is_available(),
            seed=seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(pairs),
        peft_config=LoraConfig(
            r=RANK,
            lora_alpha=ALPHA,
            target_modules="all-linear",
            task_type="SEQ_CLS",
            modules_to_save=["score"],
        ),
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    trained = trainer.model.eval()

    def scores(texts: Sequence[Sequence[int]]) -> list[float]:
        width = max(map(len, texts))
        padding = [width - len(ids) for ids in texts]
        ids = [[*t, *[tokenizer.pad_token_id] * p] for t, p in zip(texts, padding, strict=True)]
        is_token = [[1] * (width - p) + [0] * p for p in padding]
        with torch.no_grad(), torch.autocast(trained.device.type, torch.bfloat16, enabled=bf16):
            found = trained(
                input_ids=torch.tensor(ids, device=trained.device),
                attention_mask=torch.tensor(is_token, device=trained.device),
            ).logits
        return [float(x) for x in found.squeeze(-1)]

    right = {
        _key(r): _right(r, scores([r.prompt + c for c in r.candidates])) for r in split.heldout
    }
    return Measured(
        seconds=seconds,
        details={
            "pairs": len(pairs) * passes,
            "optimizer_steps": trainer.state.global_step,
            "right": right,
        },
    )


def _key(ranking: Ranked) -> str:
    """The same prompt in another seed's split has the same key."""
    return hashlib.sha256(repr(ranking).encode()).hexdigest()[:16]


def _right(ranking: Ranked, scores: Sequence[float]) -> list[float]:
    """For each ordered pair: 1 if the better one scores higher, 0.5 if equal, else 0."""
    return [
        0.5 + 0.5 * ((scores[b] > scores[w]) - (scores[b] < scores[w])) for b, w in ranking.pairs
    ]


def by_prompt(
    runs: Sequence[Mapping[str, Sequence[float]]],
) -> dict[str, list[float]]:
    """What several seeds say of each prompt, together: those values are not independent."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for key, right in run.items():
            found.setdefault(key, []).extend(right)
    return found


def over_seeds(comparisons: Sequence[Comparison], targets: tuple[Target, ...]) -> Comparison:
    """All seeds as one row: median seconds, and accuracy with intervals over prompts."""
    from rlhf_lab.algorithms import bootstrap_mean

    failed = [c for c in comparisons if c.failed]
    if failed:
        return failed[0]
    sides = {"ours": [c.ours for c in comparisons], "peer": [c.peer for c in comparisons]}
    runs = {name: [s for s in side if isinstance(s, Measured)] for name, side in sides.items()}
    right = {name: by_prompt([run.details["right"] for run in r]) for name, r in runs.items()}
    accuracy = {name: bootstrap_mean(list(values.values())) for name, values in right.items()}
    difference = bootstrap_mean(
        [
            [a - b for a, b in zip(values, right["peer"][key], strict=True)]
            for key, values in right["ours"].items()
        ]
    )
    merged = {name: middle(r) for name, r in runs.items()}
    for name, side in merged.items():
        side.details.pop("right")
        side.details["accuracy"] = accuracy[name].estimate
        side.details["accuracy_interval"] = [accuracy[name].low, accuracy[name].high]
        per_seed = [by_prompt([run.details["right"]]).values() for run in runs[name]]
        side.details["accuracy_by_seed"] = [
            statistics.fmean(v for values in seed for v in values) for seed in per_seed
        ]
    return Comparison(
        workload=f"{comparisons[0].workload}, {len(comparisons)} seeds",
        ours=merged["ours"],
        peer=merged["peer"],
        targets=targets,
        extra={
            "accuracy_gain": difference.estimate,
            "accuracy_gain_interval": [difference.low, difference.high],
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Both sides, seed by seed."""
    arg = parser(__doc__)
    arg.add_argument("--data", default=str(DATA), help=f"folder of {FILE}; default: %(default)s")
    arg.add_argument("--seeds", type=int, default=3)
    arg.add_argument("--passes", type=int, default=1, help="over the training rankings")
    arg.add_argument("--heldout", type=int, default=72, help="prompts held out, of 360")
    arg.add_argument("--limit", type=int, help="rankings to use; no target is then judged")
    arg.add_argument("--peer-pairs-per-step", type=int, default=8)
    arg.add_argument("--peer-learning-rate", type=float, default=1e-4)
    arg.add_argument("--peer-fp32", action="store_true", help="no bf16 autocast for TRL")
    options = arg.parse_args(arguments)
    site = trl(TRL_CURRENT)
    if not options.quick and not (Path(options.data) / FILE).is_file():
        arg.error(f"{options.data} has no {FILE}: name the folder that holds it with --data")
    with model_folder(options) as model:
        comparisons = []
        for seed in range(options.seeds):
            work = {
                "model": model,
                "data": None if options.quick else options.data,
                "heldout": 2 if options.quick else options.heldout,
                "seed": seed,
                "passes": options.passes,
                "limit": options.limit,
            }
            run = partial(run_side, threads=options.threads)
            trained_as = {
                "pairs_per_step": options.peer_pairs_per_step,
                "learning_rate": options.peer_learning_rate,
                "bf16": not options.peer_fp32,
            }
            comparisons.append(
                compare(
                    f"rankings of 4 responses, {options.passes} pass(es)",
                    partial(run, ours, **work),
                    partial(run, peer, path=site, **work, **trained_as),
                    repeat=options.repeat,
                )
            )
    targets = (Target(figure="speedup", at_least=3), Target(figure="accuracy_gain", at_least=0))
    return Report(
        benchmark="reward",
        comparisons=[over_seeds(comparisons, () if options.quick or options.limit else targets)],
        same=SAME,
        shown=("pairs", "optimizer_steps", "accuracy", "accuracy_interval"),
        settings=settings(options),
        quick=options.quick,
        versions={"trl": TRL_CURRENT},
    ).show()


if __name__ == "__main__":
    raise SystemExit(main())
