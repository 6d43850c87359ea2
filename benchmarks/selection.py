"""Labels chosen by what they teach against labels taken at random, at the same accuracy.

python -m benchmarks.selection [--data FOLDER] [--seeds N] [--repeats N] [--quick]

An annotator of known truth (the judge's scores of the data, with noise) is asked which of two
responses to a prompt is better. "random" asks about random prompts and random two of their four
responses. "informative" shows the two that teach most and asks first what teaches most, with the
functions of the product, but for a random share of the prompts. Held-out accuracy is that of reward
heads on features of the frozen base; `--confirm` trains the whole reward role at one point.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.command import model_folder, parser, settings
from benchmarks.process import ROOT
from benchmarks.rankings import FILE, made_up_rows, read_rows
from benchmarks.report import processor_name
from rlhf_lab.annotators.heads import Projection, Ranked, fit_heads, fit_mean_head, pair_places
from rlhf_lab.annotators.selection import pair_information, spread_out
from rlhf_lab.types import Message, Prompt, Response

DATA = ROOT / ".." / "shared" / "data"
TARGET = 0.7
SHARES = {
    "random": None,
    "informative": 0.2,
    "no random share": 0.0,
    "items alone": 0.2,
    "candidates alone": 0.2,
}
Floats = NDArray[np.float64]


class Pool:
    """Prompts with their responses by feature and true score."""

    def __init__(self, features: Floats, truth: Floats) -> None:
        """(prompts, responses, dim) and (prompts, responses)."""
        self.features = features
        self.truth = truth


def read_pool(model: str, rows: Sequence[dict[str, Any]], kept: Path | None) -> Pool:
    """Features of every response by the frozen base; kept in a folder, if one is given."""
    from rlhf_lab.models import RoleModel, load_base
    from rlhf_lab.training.features import FeatureCache

    prompts = [Prompt(messages=(Message(role="user", content=r["prompt"]),)) for r in rows]
    responses = [
        Response(id=f"{n}-{i}", prompt_id=p.id, text=answer["text"], version="import:judge")
        for n, (p, row) in enumerate(zip(prompts, rows, strict=True))
        for i, answer in enumerate(row["responses"])
    ]
    with tempfile.TemporaryDirectory() as scratch:
        cache = FeatureCache(kept or Path(scratch))
        by_id = {p.id: p for p in prompts}
        found = cache.of(
            responses, by_id, lambda: RoleModel(load_base(model)), progress=sys.stderr.isatty()
        )
    each = len(rows[0]["responses"])
    features = np.stack([found[r.id] for r in responses]).reshape(len(rows), each, -1)
    return Pool(features.astype(float), np.array([_truth(row) for row in rows]))


def _truth(row: dict[str, Any]) -> list[float]:
    """The judge's scores; of made-up rows, the tier."""
    if "judge_logit" in row["responses"][0]:
        return [answer["judge_logit"] for answer in row["responses"]]
    tier = {n: place for place, tied in enumerate(row["ranking"]) for n in tied}
    return [-float(tier[n]) for n in range(len(tier))]


def learning_curve(
    pool: Pool, arm: str, *, sizes: Sequence[int], heldout: int, noise: float, seed: int
) -> tuple[list[float], list[Ranked]]:
    """Held-out accuracy after so many labels, and what was asked.

    The split, the noise and the first labels are the same for every arm of a seed.
    """
    random = np.random.default_rng([seed, 0])
    order = random.permutation(len(pool.truth))
    held, train = order[:heldout], order[heldout:]
    said = pool.truth + random.normal(0, noise, pool.truth.shape)
    first = [random.choice(pool.truth.shape[1], 2, replace=False).tolist() for _ in pool.truth]
    projection = Projection.of([pool.features[n] for n in train])
    rows = projection(pool.features.reshape(-1, pool.features.shape[-1]))
    rows = rows.reshape(*pool.truth.shape, -1)

    def label(prompt: int, pair: Sequence[int]) -> Ranked:
        lower = int(np.argmin([said[prompt, n] for n in pair]))
        return Ranked(features=rows[prompt, list(pair)], ranks=[1 + (n == lower) for n in (0, 1)])

    labels = [label(n, first[n]) for n in train[: sizes[0]]]
    waiting = [int(n) for n in train[sizes[0] :]]
    accuracies = [_accuracy(labels, rows[held], pool.truth[held])]
    for step, (before, after) in enumerate(pairwise(sizes)):
        count = after - before
        chosen = (
            [(n, first[n]) for n in waiting[:count]]
            if arm == "random"
            else _informative(arm, labels, rows, waiting, first, count, seed=seed * 1000 + step)
        )
        labels += [label(n, pair) for n, pair in chosen]
        gone = {n for n, _ in chosen}
        waiting = [n for n in waiting if n not in gone]
        accuracies.append(_accuracy(labels, rows[held], pool.truth[held]))
    return accuracies, labels


def _informative(
    arm: str,
    labels: Sequence[Ranked],
    rows: Floats,
    waiting: Sequence[int],
    first: Sequence[Sequence[int]],
    count: int,
    *,
    seed: int,
) -> list[tuple[int, Sequence[int]]]:
    """What to ask next: a random share as random has it, the rest by expected information."""
    heads = fit_heads(labels, dimensions=rows.shape[-1], seed=seed)
    at_random = round((SHARES[arm] or 0.0) * count)
    left = waiting[at_random:]
    every = pair_information(heads.outcomes(rows[left]))  # of all pairs of all prompts at once
    one, other = pair_places(rows.shape[1])
    # Of two candidates, `teaching_candidates` takes the pair that teaches most.
    best = every.argmax(axis=1)
    pairs = [(int(one[n]), int(other[n])) for n in best]
    values = every.max(axis=1)
    if arm == "items alone":
        pairs = [(min(first[n]), max(first[n])) for n in left]
        place = {pair: n for n, pair in enumerate(zip(one, other, strict=True))}
        values = np.array([every[n, place[pair]] for n, pair in enumerate(pairs)])
    if arm == "candidates alone":
        order = np.arange(len(left))
    else:
        asked = np.stack([rows[n, i] - rows[n, j] for n, (i, j) in zip(left, pairs, strict=True)])
        asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-12)
        order, _ = spread_out(values, asked, most=count)
    chosen = [(left[n], pairs[n]) for n in order[: count - at_random]]
    return [*((n, first[n]) for n in waiting[:at_random]), *chosen]


def _accuracy(labels: Sequence[Ranked], rows: Floats, truth: Floats) -> float:
    """Share of all pairs on held-out prompts that the best single head puts in the true order."""
    head = fit_mean_head(labels, dimensions=rows.shape[-1])
    scores = rows @ head.weights[0]
    one, other = pair_places(rows.shape[1])
    said, true = scores[:, one] - scores[:, other], truth[:, one] - truth[:, other]
    ordered = true != 0
    return float((np.sign(said) == np.sign(true))[ordered].mean())


def share_needed(sizes: Sequence[int], curve: Floats, against: Floats) -> float:
    """Labels with which a curve reaches the other's last accuracy, as a share of its labels.

    Both curves as straight lines over the log of the labels: where a curve with noise first touches
    a height says more of the noise. infinity if it does not rise.
    """
    logs = np.log(sizes)
    slope, start = np.polyfit(logs, curve, 1)
    height = np.polyval(np.polyfit(logs, against, 1), logs[-1])
    return math.exp((height - start) / slope) / sizes[-1] if slope > 0 else math.inf


def measure(pool: Pool, options: Any, sizes: Sequence[int]) -> dict[str, Any]:  # noqa: ANN401
    """Curves of every arm, and the shares of every seed."""
    curves: dict[str, list[Floats]] = {arm: [] for arm in SHARES}
    for seed in range(options.seeds):
        for arm, found in curves.items():
            runs = [
                learning_curve(
                    pool,
                    arm,
                    sizes=sizes,
                    heldout=options.heldout,
                    noise=options.noise,
                    seed=seed * 100 + repeat,
                )[0]
                for repeat in range(options.repeats)
            ]
            found.append(np.mean(runs, axis=0))
        print(f"seed {seed + 1} of {options.seeds} done", file=sys.stderr, flush=True)
    outcome: dict[str, Any] = {"labels": list(sizes), "arms": {}}
    for arm, found in curves.items():
        pairs = list(zip(found, curves["random"], strict=True))
        shares = [share_needed(sizes, c, r) for c, r in pairs]
        gains = [float((c - r).mean()) for c, r in pairs]
        outcome["arms"][arm] = {
            "accuracy": np.mean(found, axis=0).round(4).tolist(),
            "share": share_needed(sizes, np.mean(found, axis=0), np.mean(curves["random"], axis=0)),
            "share_by_seed": shares,
            "share_interval": _interval(shares),
            "gain": float(np.mean(gains)),
            "gain_interval": _interval(gains),
        }
    return outcome


def _interval(values: Sequence[float]) -> list[float]:
    """95% interval of the mean over seeds, by Student's t."""
    from scipy import stats

    if len(values) < 2 or not np.isfinite(values).all():
        return [math.nan, math.nan]
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Every arm, seed by seed; the last line is JSON."""
    arg = parser(__doc__)
    arg.add_argument("--data", default=str(DATA), help=f"folder of {FILE}; default: %(default)s")
    arg.add_argument("--seeds", type=int, default=5)
    arg.add_argument("--repeats", type=int, default=8, help="splits and annotators of each seed")
    arg.add_argument("--heldout", type=int, default=100, help="prompts held out, of 360")
    arg.add_argument("--noise", type=float, default=2.0, help="of the annotator, in logits")
    arg.add_argument("--features", help="folder to keep the features in; default: nowhere")
    options = arg.parse_args(arguments)
    rows = made_up_rows() if options.quick else read_rows(Path(options.data))
    sizes: tuple[int, ...] = (24, 40, 56, 72, 88, 104, 120, 136, 160, 200)
    if options.quick:
        options.seeds, options.repeats, options.heldout, sizes = 2, 1, 2, (2, 3, 4)
    began = time.perf_counter()
    with model_folder(options) as model:
        pool = read_pool(model, rows, Path(options.features) if options.features else None)
    outcome = measure(pool, options, sizes)
    _show(outcome, options, time.perf_counter() - began)
    return 0


def _show(outcome: dict[str, Any], options: Any, seconds: float) -> None:  # noqa: ANN401
    console = Console()
    table = Table(title=f"selection on {processor_name()}")
    for column in ("arm", "accuracy by labels", "gain over random", "share of labels"):
        table.add_column(column)
    for arm, found in outcome["arms"].items():
        table.add_row(
            arm,
            ", ".join(
                f"{n}: {a:.3f}" for n, a in zip(outcome["labels"], found["accuracy"], strict=True)
            ),
            "{:.4f} [{:.4f}, {:.4f}]".format(found["gain"], *found["gain_interval"]),
            "{:.2f} [{:.2f}, {:.2f}]".format(found["share"], *found["share_interval"]),
        )
    console.print(table)
    met = outcome["arms"]["informative"]["share_interval"][1] <= TARGET
    outcome["met"] = bool(met)
    console.print(
        f"Share of labels with which informative reaches random's accuracy at "
        f"{outcome['labels'][-1]} labels, at most {TARGET} over its interval: "
        f"{'met' if met else 'missed'}. {seconds:.0f} s."
    )
    if options.quick:
        console.print("Quick run: it shows that everything runs; its figures mean nothing.")
    shown = {"benchmark": "selection", "settings": settings(options), **outcome}
    console.file.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
