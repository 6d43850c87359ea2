"""How often text metrics, a trained reward role, length and a coin pick a judge's order.

python -m benchmarks.metrics [--data FOLDER] [--folds N] [--passes N] [--no-reward] [--quick]

The judge's best answer to each prompt is held back as the reference; what is to be picked is the
judge's order of the other three. The reward role sees no reference. It learns from the whole
rankings of the other folds' prompts, and is measured, like everything else, on the rest: with all
folds, every row is measured on every prompt once.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.command import model_folder, settings
from benchmarks.process import ROOT
from benchmarks.rankings import FILE, made_up_rows, read_rows
from benchmarks.report import device_name
from rlhf_lab.evaluation.trust import (
    CoinPicker,
    LengthPicker,
    MetricPicker,
    ScoresPicker,
    TrustItem,
    TrustReport,
    measure_trust,
    metric_pickers,
)
from rlhf_lab.types import Interval, LoraSpec, Message, Prompt, Ranking, Response

DATA = ROOT / ".." / "shared" / "data"
RANK, ALPHA = 16, 32
JUDGE, REWARD = "judge", "reward"


class Trained(NamedTuple):
    """What reward roles said of prompts they had not learned from.

    Attributes:
        scores: By response id.
        seconds: Of training, all folds together.
    """

    scores: dict[str, float]
    seconds: float


def whole_items(rows: Sequence[dict[str, Any]]) -> list[TrustItem]:
    """The judge's ranking of all responses to each prompt."""
    return [_item(number, row) for number, row in enumerate(rows)]


def _item(number: int, row: dict[str, Any]) -> TrustItem:
    prompt = Prompt(messages=(Message(role="user", content=row["prompt"]),), split="heldout")
    return TrustItem(
        prompt=prompt,
        candidates=tuple(
            Response(
                id=f"{number}-{place}",
                prompt_id=prompt.id,
                text=response["text"],
                version=f"import:{response.get('source', 'unknown')}",
            )
            for place, response in enumerate(row["responses"])
        ),
        ranking=Ranking(
            tiers=tuple(tuple(f"{number}-{place}" for place in tier) for tier in row["ranking"])
        ),
        annotator=JUDGE,
    )


def folds(items: Sequence[TrustItem], count: int, seed: int) -> list[list[TrustItem]]:
    """The same items in so many parts of about the same size; no prompt is in two of them."""
    prompts = list(dict.fromkeys(item.prompt.id for item in items))
    random.Random(seed).shuffle(prompts)
    fold_of = {prompt: place % count for place, prompt in enumerate(prompts)}
    return [[i for i in items if fold_of[i.prompt.id] == fold] for fold in range(count)]


def reward_scores(
    parts: Sequence[Sequence[TrustItem]],
    measured: Sequence[int],
    *,
    model: str,
    passes: int,
    seed: int,
) -> Trained:
    """Scores of some parts' responses, each by a reward role that learned from all other parts."""
    from rlhf_lab.models import RoleModel, load_base
    from rlhf_lab.training import RewardConfig, RewardTrainer

    scores: dict[str, float] = {}
    seconds = 0.0
    for number in measured:
        print(f"reward role: fold {number + 1} of {len(parts)} ...", file=sys.stderr, flush=True)
        roles = RoleModel(load_base(model), LoraSpec(rank=RANK, alpha=ALPHA), seed=seed)
        trainer = RewardTrainer(roles, RewardConfig(epochs=passes, seed=seed))
        others = [item for n, other in enumerate(parts) if n != number for item in other]
        start = time.perf_counter()
        trainer.fit(_examples(others, roles), progress=sys.stderr.isatty())
        seconds += time.perf_counter() - start
        found = trainer.scores(_examples(parts[number], roles))
        for item, of_item in zip(parts[number], found, strict=True):
            scores |= dict(zip((c.id for c in item.candidates), of_item.tolist(), strict=True))
        del roles, trainer
        gc.collect()
    return Trained(scores, seconds)


def _examples(items: Sequence[TrustItem], roles: Any) -> list[Any]:  # noqa: ANN401
    from rlhf_lab.training import RankedExample

    found = []
    for item in items:
        ranks = item.ranking.ranks()
        found.append(
            RankedExample(
                judgment_id=item.candidates[0].id,
                prompt=roles.chat.encode(item.prompt),
                candidates=[roles.chat.encode_answer(c.text) for c in item.candidates],
                ranks=[ranks[c.id] for c in item.candidates],
            )
        )
    return found


class Timed:
    """A metric that knows how long it took."""

    def __init__(self, picker: MetricPicker) -> None:
        self.name = picker.name
        self.seconds = 0.0
        self._picker = picker

    def scores(self, item: TrustItem) -> Any:  # noqa: ANN401
        """Of one item, untimed."""
        return self._picker.scores(item)

    def score_all(self, items: Sequence[TrustItem], *, progress: bool) -> Any:  # noqa: ANN401
        """Of all items."""
        print(f"{self.name} ...", file=sys.stderr, flush=True)
        start = time.perf_counter()
        found = self._picker.score_all(items, progress=progress)
        self.seconds = time.perf_counter() - start
        return found


def show(report: TrustReport, seconds: dict[str, float], options: Namespace) -> None:
    """Print the table, what it means, and all figures as JSON in the last line."""
    against = [name for name in ("length", REWARD) if any(r.name == name for r in report.rows)]
    table = Table(title=f"how often each picks the judge's order, on {device_name()}")
    heads = ("", "pairs", "best first", "tau-b", *(f"pairs, less {n}" for n in against), "s")
    for head in heads:
        table.add_column(head, justify="left" if not head else "right")
    rows = []
    for row in report.rows:
        less = {
            name: report.difference(row.name, name) if row.name != name else None
            for name in against
        }
        figures = (row.pairs, row.best, row.tau, *less.values())
        took = f"{seconds[row.name]:.0f}" if row.name in seconds else ""
        table.add_row(row.name, *map(_told, figures), took)
        rows.append(
            {
                **asdict(row),
                **{
                    f"less_{name}": asdict(found) if found else None for name, found in less.items()
                },
                "seconds": seconds.get(row.name),
            }
        )
    console = Console(width=150)
    console.print(table)
    console.print(
        f"{report.judgments} prompts, {report.rows[0].ordered_pairs} ordered pairs; the best first "
        f"by chance {report.chance_best:.2f}. Ties count one half. 95% bootstrap intervals over "
        "prompts.",
        markup=False,
    )
    console.print(report.meaning, markup=False)
    if options.quick:
        console.print("Quick run: it shows that all rows are made; their figures mean nothing.")
    kept = {"benchmark": "metrics", "quick": options.quick, "settings": settings(options)}
    found = {"chance_best": report.chance_best, "notes": report.notes, "rows": rows}
    print(json.dumps({**kept, **found}))


def _told(value: Interval | None) -> str:
    return "" if value is None else f"{value.estimate:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _options(arguments: Sequence[str] | None) -> Namespace:
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arg.add_argument("--data", default=str(DATA), help=f"folder of {FILE}; default: %(default)s")
    arg.add_argument("--model", help="of the reward role; default: the project's own default")
    arg.add_argument("--embedding", help="of BERTScore and MoverScore; default: the project's own")
    arg.add_argument("--folds", type=int, default=5, help="each is measured once")
    arg.add_argument("--measured", type=int, help="folds to measure, the first; default: all")
    arg.add_argument("--passes", type=int, default=1, help="over the training rankings")
    arg.add_argument("--seed", type=int, default=0, help="of the folds, the role and the intervals")
    arg.add_argument("--limit", type=int, help="rankings to use, the first of the file")
    arg.add_argument("--no-reward", action="store_true", help="without the row that has to learn")
    arg.add_argument("--threads", type=int, default=os.cpu_count())
    arg.add_argument("--quick", action="store_true", help="tiny random models, made-up rankings")
    options = arg.parse_args(arguments)
    if options.folds < 2:
        arg.error(f"--folds {options.folds}: at least 2, one to measure and one to learn from")
    if not options.quick and not (Path(options.data) / FILE).is_file():
        arg.error(f"{options.data} has no {FILE}: name the folder that holds it with --data")
    return options


def measure(
    parts: Sequence[Sequence[TrustItem]], model: str, options: Namespace
) -> tuple[TrustReport, dict[str, float]]:
    """The report, and how many seconds each metric and the role's training took."""
    measured = range(len(parts))[: options.measured]
    ranked = [item for n in measured for item in parts[n]]
    items = [rest for item in ranked if (rest := item.without_best())]
    without = f"{len(ranked) - len(items)} of {len(ranked)} rankings tie all but the best answer."
    tiny = model if options.quick else None
    timed = [Timed(picker) for picker in metric_pickers(embedding=options.embedding or tiny)]
    pickers: list[Any] = [*timed, LengthPicker(), CoinPicker(options.seed)]
    seconds = {}
    if not options.no_reward:
        trained = reward_scores(
            parts, measured, model=model, passes=options.passes, seed=options.seed
        )
        pickers.append(ScoresPicker(REWARD, trained.scores))
        seconds[REWARD] = trained.seconds
    report = measure_trust(
        items,
        pickers,
        notes=[without] if len(items) < len(ranked) else [],
        seed=options.seed,
        progress=sys.stderr.isatty(),
    )
    return report, seconds | {one.name: one.seconds for one in timed}


def main(arguments: Sequence[str] | None = None) -> int:
    """All rows on the same prompts."""
    import torch

    options = _options(arguments)
    torch.set_num_threads(options.threads)
    rows = (made_up_rows() if options.quick else read_rows(Path(options.data)))[: options.limit]
    parts = folds(whole_items(rows), options.folds, options.seed)
    needs_none = options.no_reward and not options.quick
    with nullcontext("") if needs_none else model_folder(options) as model:
        show(*measure(parts, model, options), options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
