"""PPO, RLOO, GRPO and DPO from the same start and the same labels.

python -m benchmarks.algorithms [--steps N] [--seeds N] [--quick]

One lab is made: answers of the bare model to the starter prompts, ranked by the simulated
annotator with slips of the hand, and a reward model that learned the rankings. Each algorithm gets
a copy of it and a process of its own. The judge is the annotator's rubric without slips, on
held-out prompts, against the bare model.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.command import model_folder, parser, settings
from benchmarks.figures import Measured, SideFailed
from benchmarks.process import run_side
from benchmarks.report import device_name

ALGORITHMS = ("ppo", "rloo", "grpo", "dpo")
ADVANTAGES: Mapping[str, Any] = {"ppo": "gae", "rloo": "rloo", "grpo": "grpo"}
SYSTEM = "Answer in one short sentence."
NOISE = 0.2
SAID = (
    "Same for all: the model, the start, the rankings, the sampling (temperature 0.7, at most 40 "
    "tokens), LoRA, the held-out prompts and the judge.",
    "PPO, RLOO and GRPO learn from the same reward model for as many steps of as many answers. "
    "Their seconds do not hold the reward update, which is told below and DPO does without. DPO "
    "makes its default passes over the rankings and samples nothing.",
    "Win rate against the bare model by the rubric without slips, ties counting one half, with its "
    "95% bootstrap interval over prompts; over several seeds prompts of all seeds are drawn. KL to "
    "the bare model in nats per response, seconds of learning alone, peak memory of the process. "
    "Seconds of the processors, of all threads together, are less moved by what else it did.",
)


class Row(NamedTuple):
    """Means over the seeds, and the interval over all prompts."""

    algorithm: str
    win_rate: float
    low: float
    high: float
    kl: float
    length: float
    seconds: float
    processor_seconds: float
    peak_mb: float


def prepare(
    *, place: str, model: str, seed: int, prompts: int, evaluated: int, quick: bool
) -> Measured:
    """The lab that all start from; its seconds are those of the reward update."""
    from rlhf_lab import RubricAnnotator, load_prompts
    from rlhf_lab.models.collection import collect_responses
    from rlhf_lab.store import heldout_prompts

    with _lab(place, seed, model=model, quick=quick) as lab:
        lab.certify().require()
        lab.add_prompts(load_prompts(), system=SYSTEM)
        lab.generate(k=4, prompts=prompts)
        lab.annotate(RubricAnnotator(noise=NOISE, seed=seed))
        began = time.perf_counter()
        report = lab.update_reward()
        seconds = time.perf_counter() - began
        accuracy = report.heldout_accuracy
        # What the start answers, so that it is not sampled again by each algorithm.
        collect_responses(
            lab.model,
            lab.store,
            heldout_prompts(lab.store, evaluated),
            k=1,
            version=lab.version,
            sampling=lab.sampling,
            purpose="evaluation",
            progress=False,
        )
    details = {
        "rankings": report.rankings,
        "heldout_accuracy": accuracy and asdict(accuracy),
    }
    return Measured(seconds=seconds, details=details)


def learn(
    *, place: str, algorithm: str, seed: int, steps: int, evaluated: int, quick: bool
) -> Measured:
    """One algorithm on its copy of the lab."""
    from rlhf_lab import PPOConfig

    with _lab(place, seed, quick=quick) as lab:
        lab.certify(compare_gradients=False).require()  # loaded before the clock runs
        began, worked = time.perf_counter(), time.process_time()
        if algorithm == "dpo":
            lab.dpo()
        else:
            config = PPOConfig(advantage=ADVANTAGES[algorithm])
            if quick:
                config = replace(config, prompts_per_step=2, responses_per_prompt=2)
            lab.ppo(steps=steps, config=config).run(monitor=False)
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        report = lab.evaluate(baseline="policy@0", prompts=evaluated)
    details = {
        "outcomes": [sample.outcome for sample in report.samples],
        "kl": report.kl,
        "length": report.length,
        "processor_seconds": worked,
    }
    return Measured(seconds=seconds, details=details)


def _lab(place: str, seed: int, *, quick: bool, **changes: Any) -> Any:  # noqa: ANN401
    from rlhf_lab import Lab, Sampling

    sampling = Sampling(temperature=0.7, max_new_tokens=8 if quick else 40, seed=seed)
    return Lab(place, sampling=sampling, seed=seed, progress=False, **changes)


def _row(algorithm: str, runs: Sequence[Measured]) -> Row:
    from rlhf_lab.algorithms import share_interval

    # Outcomes of one prompt under two seeds are no more alike than those of two prompts.
    found = share_interval([[x] for run in runs for x in run.details["outcomes"]])
    return Row(
        algorithm,
        found.estimate,
        found.low,
        found.high,
        _mean([run.details["kl"] for run in runs]),
        _mean([run.details["length"] for run in runs]),
        _mean([run.seconds for run in runs]),
        _mean([run.details["processor_seconds"] for run in runs]),
        max(run.peak_mb or 0.0 for run in runs),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title=f"algorithms on {device_name()}")
    columns = ("algorithm", "gold win rate", "KL", "tokens", "seconds", "processor s", "peak MB")
    for column in columns:
        table.add_column(column, justify="left" if column == "algorithm" else "right")
    for row in rows:
        table.add_row(
            row.algorithm.upper(),
            f"{row.win_rate:.2f} [{row.low:.2f}, {row.high:.2f}]",
            f"{row.kl:.1f}",
            f"{row.length:.0f}",
            f"{row.seconds:.0f}",
            f"{row.processor_seconds:.0f}",
            f"{row.peak_mb:.0f}",
        )
    return table


def _seed(
    seed: int, scratch: Path, model: str, options: Namespace
) -> Iterator[tuple[str, Measured | SideFailed]]:
    """What each algorithm made of one start, and "reward" for what all but one of them need."""
    same: Mapping[str, Any] = {"threads": options.threads, "seed": seed, "quick": options.quick}
    start = scratch / f"start{seed}"
    _say(f"seed {seed}: answers, rankings, reward model ...")
    made = run_side(
        prepare,
        place=str(start),
        model=model,
        prompts=options.prompts,
        evaluated=options.evaluated,
        **same,
    )
    yield "reward", made
    if isinstance(made, SideFailed):
        return
    for name in ALGORITHMS:
        _say(f"seed {seed}: {name} ...")
        copy = scratch / f"{name}{seed}"
        shutil.copytree(start, copy)
        yield (
            name,
            run_side(
                learn,
                place=str(copy),
                algorithm=name,
                steps=options.steps,
                evaluated=options.evaluated,
                **same,
            ),
        )
        shutil.rmtree(copy)


def main(arguments: Sequence[str] | None = None) -> int:
    """Every algorithm on every seed, and one table."""
    arg = parser(__doc__)
    arg.add_argument("--seeds", type=int, default=1)
    arg.add_argument("--steps", type=int, default=6, help="of PPO, RLOO and GRPO, 32 answers each")
    arg.add_argument("--prompts", type=int, default=64, help="ranked, a quarter of them held out")
    arg.add_argument("--evaluated", type=int, default=100, help="held-out prompts of the win rate")
    options = arg.parse_args(arguments)
    if options.quick:
        options.steps, options.prompts, options.evaluated = 1, 8, 4
    runs: dict[str, list[Measured]] = {name: [] for name in ("reward", *ALGORITHMS)}
    failed: list[str] = []
    with model_folder(options) as model, tempfile.TemporaryDirectory(prefix="labs-") as scratch:
        for seed in range(options.seeds):
            for name, found in _seed(seed, Path(scratch), model, options):
                if isinstance(found, SideFailed):
                    failed.append(f"{name}, seed {seed}: {found.reason}")
                    continue
                runs[name].append(found)
                if name in ALGORITHMS:
                    _say(f"seed {seed}: {_row(name, [found])}")
    return _show(options, runs, failed)


def _show(options: Namespace, runs: Mapping[str, list[Measured]], failed: Sequence[str]) -> int:
    """The table, what it means, and the JSON line; 1 if anything failed."""
    console = Console()
    rows = [_row(name, runs[name]) for name in ALGORITHMS if runs[name]]
    console.print(_table(rows))
    for sentence in SAID:
        console.print(f"- {sentence}", markup=False)
    for reward in runs["reward"]:
        console.print(
            f"- Reward update: {reward.seconds:.0f} s, {reward.details['rankings']} rankings, "
            f"held-out accuracy {reward.details['heldout_accuracy']}",
            markup=False,
        )
    for reason in failed:
        console.print(f"FAILED {reason}", style="bold red", markup=False)
    if options.quick:
        console.print("Quick run: it shows that all of them run; its figures mean nothing.")
    told = {
        "benchmark": "algorithms",
        "device": device_name(),
        "quick": options.quick,
        "settings": settings(options),
        "rows": [row._asdict() for row in rows],
        "reward": [{"seconds": r.seconds, **r.details} for r in runs["reward"]],
    }
    console.file.write(json.dumps(told) + "\n")
    return int(bool(failed))


def _say(text: str) -> None:
    """Progress, on the other stream than the results."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
