"""Whole rankings with their ties against the pairs that are left when ties are dropped.

python -m benchmarks.ties [--data FOLDER] [--seeds N] [--judgments N] [--quick]

Both sides are our trainer with the same model, settings, order and number of judgments; what
differs is the loss. It is measured on held-out prompts how often the reward puts two responses
in the judge's order.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.command import compare, model_folder, parser, settings
from benchmarks.figures import Comparison, Measured, SideFailed, Target
from benchmarks.process import run_side
from benchmarks.rankings import FILE, Ranked, load_split
from benchmarks.report import Report
from benchmarks.reward import DATA

RANK, ALPHA = 16, 32
SAME = (
    "Same on both sides: the model, the judgments and their order, LoRA, AdamW, passes, batches, "
    "and the fresh head of each seed.",
    "Ours: every pair of a ranking, ties by the Davidson model, each ranking of equal weight. "
    "Peer: the ordered pairs alone, Bradley-Terry, each pair of equal weight, as data of pairs "
    "has it.",
    "Accuracy: share of ordered pairs on held-out prompts in the judge's order, over all seeds. "
    "The gain is the difference over the same prompts, with its 95% bootstrap interval over "
    "prompts and seeds.",
)


def rank_aware(**work: Any) -> Measured:  # noqa: ANN401 - those of `_train`
    """The product's loss."""
    from rlhf_lab.training import RewardTrainer

    return _train(RewardTrainer, **work)


def dropped_ties(**work: Any) -> Measured:  # noqa: ANN401 - those of `_train`
    """The same trainer on what is left of rankings as pairs."""
    import torch
    from torch import Tensor

    from rlhf_lab.algorithms import pairs_of_tiers
    from rlhf_lab.training import RankedExample, RewardTrainer

    class PairTrainer(RewardTrainer):
        """Bradley-Terry on ordered pairs: a step's loss is the mean over all pairs in it."""

        def _loss(self, examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Tensor:
            losses = []
            for one, found in zip(examples, scores, strict=True):
                better, worse, is_tie, _ = pairs_of_tiers(one.ranks)
                apart = (found[better] - found[worse])[~is_tie]
                losses.append(-torch.nn.functional.logsigmoid(apart))
            # The caller averages over the rankings of a step: here each pair weighs the same.
            return torch.cat(losses).mean() * len(examples)

    return _train(PairTrainer, **work)


def _train(
    kind: type,
    *,
    model: str,
    data: str | None,
    heldout: int,
    judgments: int,
    passes: int,
    seed: int,
) -> Measured:
    from rlhf_lab.models import RoleModel, load_base
    from rlhf_lab.training import RankedExample, RewardConfig
    from rlhf_lab.types import LoraSpec

    base = load_base(model)
    split = load_split(data, base.tokenizer, heldout=heldout, seed=seed)

    def examples(rankings: Sequence[Ranked]) -> list[RankedExample]:
        return [RankedExample(judgment_id=str(n), **r._asdict()) for n, r in enumerate(rankings)]

    train = split.train[:judgments]
    roles = RoleModel(base, LoraSpec(rank=RANK, alpha=ALPHA), seed=seed)
    trainer = kind(roles, RewardConfig(epochs=passes, seed=seed))
    began = time.perf_counter()
    trainer.fit(examples(train), progress=False)
    seconds = time.perf_counter() - began
    scores = trainer.scores(examples(split.heldout))
    right = [_right(r, s.tolist()) for r, s in zip(split.heldout, scores, strict=True)]
    flat = [x for each in right for x in each]
    ties = sum(6 - len(r.pairs) for r in train if len(r.ranks) == 4)
    return Measured(
        seconds=seconds,
        details={
            "accuracy": statistics.mean(flat),
            "judgments": len(train),
            "tied_pairs": ties,
            "right": right,
        },
    )


def _right(ranked: Ranked, scores: Sequence[float]) -> list[float]:
    return [
        0.5 + 0.5 * ((scores[b] > scores[w]) - (scores[b] < scores[w])) for b, w in ranked.pairs
    ]


def over_seeds(comparisons: Sequence[Comparison]) -> Comparison:
    """All seeds as one, with the difference and its interval."""
    from rlhf_lab.algorithms import bootstrap_mean, share_interval

    sides: dict[str, list[Measured]] = {"ours": [], "peer": []}
    for comparison in comparisons:
        for name, side in (("ours", comparison.ours), ("peer", comparison.peer)):
            if isinstance(side, SideFailed):
                return comparison
            sides[name].append(side)
    gains = [
        [a - b for a, b in zip(ours, peer, strict=True)]
        for one, other in zip(sides["ours"], sides["peer"], strict=True)
        for ours, peer in zip(one.details["right"], other.details["right"], strict=True)
    ]
    merged = {}
    for name, runs in sides.items():
        found = share_interval([right for run in runs for right in run.details["right"]])
        merged[name] = Measured(
            seconds=statistics.median(run.seconds for run in runs),
            peak_mb=max(run.peak_mb or 0.0 for run in runs),
            details={
                "judgments": runs[0].details["judgments"],
                "tied_pairs": sum(run.details["tied_pairs"] for run in runs),
                "accuracy": found.estimate,
                "accuracy_interval": [found.low, found.high],
                "by_seed": [run.details["accuracy"] for run in runs],
            },
        )
    gain = bootstrap_mean(gains)
    return Comparison(
        workload=f"{merged['ours'].details['judgments']} judgments, {len(comparisons)} seeds",
        ours=merged["ours"],
        peer=merged["peer"],
        targets=(Target(figure="accuracy_gain", at_least=0),),
        extra={"accuracy_gain": gain.estimate, "accuracy_gain_interval": [gain.low, gain.high]},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Both sides, seed by seed."""
    arg = parser(__doc__)
    arg.add_argument("--data", default=str(DATA), help=f"folder of {FILE}; default: %(default)s")
    arg.add_argument("--seeds", type=int, default=5)
    arg.add_argument("--judgments", type=int, default=144, help="to learn from")
    arg.add_argument("--passes", type=int, default=1, help="over them")
    arg.add_argument("--heldout", type=int, default=72, help="prompts held out, of 360")
    options = arg.parse_args(arguments)
    if not options.quick and not (Path(options.data) / FILE).is_file():
        arg.error(f"{options.data} has no {FILE}: name the folder that holds it with --data")
    comparisons = []
    with model_folder(options) as model:
        for seed in range(2 if options.quick else options.seeds):
            work = {
                "model": model,
                "data": None if options.quick else options.data,
                "heldout": 2 if options.quick else options.heldout,
                "judgments": options.judgments,
                "passes": options.passes,
                "seed": seed,
            }
            run = partial(run_side, threads=options.threads)
            comparisons.append(
                compare(
                    f"seed {seed}",
                    partial(run, rank_aware, **work),
                    partial(run, dropped_ties, **work),
                    repeat=1,
                )
            )
    return Report(
        benchmark="ties",
        comparisons=[over_seeds(comparisons)],
        same=SAME,
        shown=("judgments", "tied_pairs", "accuracy", "accuracy_interval", "by_seed"),
        settings=settings(options),
        quick=options.quick,
    ).show()


if __name__ == "__main__":
    raise SystemExit(main())
