"""A PPO run that goes on for too long on purpose: proxy and gold along the way, and the alarm.

python -m benchmarks.overoptimisation [--steps N] [--every N] [--picture FILE] [--quick]

A reward model learns few, noisy rankings; PPO then follows it without a price on KL. Every few
steps the policy is compared with the start on held-out prompts: by the reward model (the proxy)
and by the annotator's rubric without slips (gold). The run ends when gold has fallen below the
start for certain, its whole interval.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.command import model_folder, parser, settings
from benchmarks.report import device_name

SYSTEM = "Answer in one short sentence."


class Point(NamedTuple):
    """The policy after so many steps; intervals are of 95% over prompts."""

    step: int
    kl: float
    proxy: float
    proxy_low: float
    proxy_high: float
    gold: float
    gold_low: float
    gold_high: float
    length: float
    alarms: list[str]


def measure(options: Namespace, model: str, place: Path) -> Iterator[Point]:
    """One long run; a point before it, and after every few steps."""
    from rlhf_lab import Lab, PPOConfig, RubricAnnotator, Sampling, load_prompts

    sampling = Sampling(temperature=0.8, max_new_tokens=options.new_tokens, seed=options.seed)
    config = PPOConfig(
        prompts_per_step=options.prompts_per_step,
        responses_per_prompt=4,
        learning_rate=options.learning_rate,
        kl="fixed",
        kl_coef=options.kl_coef,
        score_clip=0.0,
        approx_kl_target=options.approx_kl_target,
        epochs=options.epochs,
    )
    with Lab(place, model=model, sampling=sampling, seed=options.seed, progress=False) as lab:
        lab.add_prompts(load_prompts(), system=SYSTEM)
        lab.generate(k=4, prompts=options.prompts)
        lab.annotate(RubricAnnotator(noise=options.noise, seed=options.seed))
        _say(f"{lab.update_reward()}")
        yield Point(0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, float("nan"), [])
        for step in range(options.every, options.steps + 1, options.every):
            run = lab.ppo(steps=options.every, config=config).run(monitor=False)
            report = lab.evaluate(baseline="policy@0", prompts=options.evaluated)
            _say(f"step {step}: {report}")
            assert report.reward_gain is not None
            found = {a.name: None for a in [*run.alarms, *([report.alarm] if report.alarm else [])]}
            gain, win = report.reward_gain, report.win_rate
            yield Point(
                step,
                report.kl,
                *(gain.estimate, gain.low, gain.high),
                *(win.estimate, win.low, win.high),
                report.length,
                list(found),
            )
            if win.high < 0.5 and not options.whole:
                return


def _first(points: Sequence[Point], what: Any) -> int | None:  # noqa: ANN401 - a predicate
    return next((p.step for p in points if what(p)), None)


def conclude(points: Sequence[Point]) -> dict[str, Any]:
    """Where gold was best, where the first alarm came, and where gold fell below its start."""
    best = max(points, key=lambda p: p.gold)
    alarm = _first(points, lambda p: p.alarms)
    below = _first(points, lambda p: p.step and p.gold_high < 0.5)
    later = [p for p in points if p.step > best.step]
    return {
        "best_step": best.step,
        "best_gold": best.gold,
        "last_gold": points[-1].gold,
        "proxy_at_best": best.proxy,
        "last_proxy": points[-1].proxy,
        "parted": any(p.gold_high < best.gold and p.proxy >= best.proxy for p in later),
        "first_alarm_step": alarm,
        "first_estimate_below_start_step": _first(points, lambda p: p.step and p.gold < 0.5),
        "below_start_step": below,
        "alarm_in_time": alarm is not None and (below is None or alarm < below),
    }


def _table(points: Sequence[Point]) -> Table:
    table = Table(title=f"over-optimisation on {device_name()}")
    for column in ("step", "KL", "proxy, deviations", "gold win rate", "tokens", "alarms"):
        table.add_column(column, justify="left" if column == "alarms" else "right")
    for p in points:
        table.add_row(
            str(p.step),
            f"{p.kl:.1f}",
            f"{p.proxy:+.2f} [{p.proxy_low:+.2f}, {p.proxy_high:+.2f}]",
            f"{p.gold:.2f} [{p.gold_low:.2f}, {p.gold_high:.2f}]",
            f"{p.length:.0f}",
            ", ".join(p.alarms),
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The run, its table and what it shows."""
    arg = parser(__doc__)
    arg.add_argument("--steps", type=int, default=20, help="at most")
    arg.add_argument("--every", type=int, default=1, help="steps between two points")
    arg.add_argument("--prompts", type=int, default=24, help="ranked, a quarter of them held out")
    arg.add_argument("--noise", type=float, default=0.5, help="of the annotator, in points")
    arg.add_argument("--evaluated", type=int, default=100, help="held-out prompts")
    arg.add_argument("--new-tokens", type=int, default=28)
    arg.add_argument("--learning-rate", type=float, default=1e-3)
    arg.add_argument("--kl-coef", type=float, default=0.0)
    arg.add_argument("--approx-kl-target", type=float, default=0.05, help="nats a token a step")
    arg.add_argument("--prompts-per-step", type=int, default=4, help="four answers each")
    arg.add_argument("--epochs", type=int, default=2, help="over the answers of a step")
    arg.add_argument("--seed", type=int, default=0)
    arg.add_argument("--whole", action="store_true", help="go on below the start")
    options = arg.parse_args(arguments)
    if options.quick:
        options.steps, options.every, options.prompts, options.evaluated = 2, 1, 8, 8
        options.new_tokens = 8
    import torch

    torch.set_num_threads(options.threads)
    with model_folder(options) as model, tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        points = list(measure(options, model, Path(scratch) / "lab"))
    console = Console()
    console.print(_table(points))
    found = conclude(points)
    for name, value in found.items():
        console.print(f"- {name.replace('_', ' ')}: {value}", markup=False)
    if options.quick:
        console.print("Quick run: it shows that it runs; its figures mean nothing.")
    told = {
        "benchmark": "overoptimisation",
        "device": device_name(),
        "quick": options.quick,
        "settings": settings(options),
        "points": [p._asdict() for p in points],
        **found,
    }
    console.file.write(json.dumps(told).replace("NaN", "null") + "\n")
    return 0


def _say(text: str) -> None:
    """Progress, on the other stream than the results."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
