"""The preference store with many judgments: handing out, submitting, export, audit, import.

python -m benchmarks.store [--sizes 1000,10000,100000,1000000] [--database sqlite|postgres]

Each size is filled in bulk and measured in a process of its own. Items have four candidates of a
hundred words; four of five are ranked by three of five annotators each, the fifth by nobody yet.
Then as many pairs are imported from one file into a lab of their own.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.figures import Target
from benchmarks.forked import in_child, send
from benchmarks.places import place
from benchmarks.process import peak_mb
from benchmarks.report import VERDICTS, processor_name
from rlhf_lab.annotators import RankingQueue
from rlhf_lab.store import PreferenceStore, audit, events
from rlhf_lab.store.exchange import export_data, import_data
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.types import (
    START,
    Judgment,
    Message,
    Prompt,
    Ranking,
    RankingItem,
    Response,
    Sampling,
    utc_now,
)

CANDIDATES, WORDS = 4, 100
ANNOTATORS = ("ann", "bob", "cat", "dan", "eve")
PER_ITEM = 3
CHUNK = 1_000  # items filled in one transaction
SAMPLES, SMALLEST = 50, 1_000
HELD = 24  # items that a page holds: each call draws one more
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
PLANS = {
    "in order": AssignmentPlan(),
    "overlap 3, shuffled": AssignmentPlan(overlap=PER_ITEM, shuffled=True),
}
TARGETS = (
    Target(figure="next_item_ms", at_most=20),
    Target(figure="upcoming_ms", at_most=20),
    Target(figure="open_s", at_most=1),
    Target(figure="export_rows_per_s", at_least=20_000),
)


def fill(store: PreferenceStore, judgments: int) -> None:
    """Store so many rankings in bulk, with the items they are of."""
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(500)]
    texts = [" ".join(draw.choices(words, k=WORDS)) for _ in range(1_000)]
    items = -(-judgments // PER_ITEM) * 5 // 4 + 1
    chunks = [range(n, min(n + CHUNK, items)) for n in range(0, items, CHUNK)]

    def shown(name: str, things: Sequence[Any]) -> Iterable[Any]:
        return tqdm(things, desc=f"filling: {name}", file=sys.stderr)

    for chunk in shown("responses", chunks):
        answers = _answered(chunk, texts)
        store.add_prompts(answers)
        store.add_responses(itertools.chain.from_iterable(answers.values()))
    store.assignments.offer(START)  # once, as for a version that has answered all
    left = judgments
    for chunk in shown("judgments", chunks):
        draw = random.Random(-1 - chunk.start)
        said = [
            _judgment(who, prompt.id, [a.id for a in of], draw)
            for number, (prompt, of) in zip(chunk, _answered(chunk, texts).items(), strict=True)
            if number % 5 != 4
            for who in draw.sample(ANNOTATORS, PER_ITEM)
        ][:left]
        with store.database.write() as session:
            events.append_many(session, said, LONG_AGO)
        left -= len(said)


def _answered(chunk: range, texts: Sequence[str]) -> dict[Prompt, list[Response]]:
    """Prompts of these numbers with their responses, the same each time."""
    draw = random.Random(chunk.start)
    prompts = [_prompt(f"{n}: {draw.choice(texts)[:200]}?") for n in chunk]
    return {prompt: _answers(prompt, texts, draw) for prompt in prompts}


def _prompt(text: str) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),))


def _answers(to: Prompt, texts: Sequence[str], draw: random.Random) -> list[Response]:
    return [
        Response(
            id=f"{draw.getrandbits(128):032x}",
            prompt_id=to.id,
            text=draw.choice(texts),
            token_ids=tuple(draw.randrange(50_000) for _ in range(WORDS)),
            version=START,
            sampling=Sampling(),
            seed=number,
            created_at=LONG_AGO,
        )
        for number in range(CANDIDATES)
    ]


def _judgment(who: str, prompt_id: str, shown: Sequence[str], draw: random.Random) -> Judgment:
    order = draw.sample(shown, len(shown))
    return Judgment(
        id=uuid4().hex,
        prompt_id=prompt_id,
        annotator=who,
        shown_order=tuple(order),
        ranking=Ranking.from_scores({i: draw.randrange(3) for i in order}),
        seconds=20.0,
        created_at=utc_now(),
    )


def measure(location: Path | str) -> dict[str, Any]:
    """Figures of a filled lab; it gains a few judgments."""
    start = time.perf_counter()
    store = PreferenceStore(location)
    store.get_setting("head.policy")
    RankingQueue(store, annotator="ann", version=START)
    figures: dict[str, Any] = {"open_s": time.perf_counter() - start}
    with store:
        for number, (name, plan) in enumerate(PLANS.items()):
            figures[f"{name}: plan_s"] = _seconds(partial(_set_plan, store, plan))
            found = _work(store, ANNOTATORS[number])
            figures |= {f"{name}: {what}": value for what, value in found.items()}
        for what in ("next_item_ms", "upcoming_ms"):
            figures[what] = max(figures[f"{name}: {what}"] for name in PLANS)
        figures["counts_ms"] = _milliseconds([_seconds(store.counts) for _ in range(5)])
        of_one = [_seconds(lambda: store.latest_active("ann")) for _ in range(SAMPLES)]
        figures["latest_active_ms"] = _milliseconds(of_one)
        figures |= _export(store)
        figures["peak_mb"] = peak_mb()
        figures["audit_s"] = _seconds(partial(_audit, store))
    return figures


def _audit(store: PreferenceStore) -> None:
    report = audit(store)
    if not report.ok:
        raise SystemExit(f"the audit found {report.problems[:3]}")


def measure_import(location: Path | str, rows: int) -> dict[str, Any]:
    """Figures of importing one file of so many pairs into an empty lab."""
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlu", k=6)) for _ in range(500)]
    texts = [" ".join(draw.choices(words, k=WORDS)) for _ in range(1_000)]
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / "pairs.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for number in range(rows):
                better, worse = draw.sample(texts, 2)
                prompt = f"{number}: {draw.choice(texts)[:200]}?"
                pair = {"prompt": prompt, "chosen": better, "rejected": worse, "annotator": "ann"}
                file.write(json.dumps(pair) + "\n")
        with PreferenceStore(location) as store:
            seconds = _seconds(partial(import_data, store, path, progress=False))
            stored = store.counts().rankings
    if stored != rows:
        raise SystemExit(f"{stored} of {rows} pairs were imported")
    return {"import_rows_per_s": rows / seconds, "import_peak_mb": peak_mb()}


def _set_plan(store: PreferenceStore, plan: AssignmentPlan) -> None:
    store.assignments.plan = plan


def _work(store: PreferenceStore, who: str) -> dict[str, float]:
    """One annotator at work, as the widget does it."""
    queue = RankingQueue(store, annotator=who, version=START)
    draw = random.Random(1)
    times: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}  # what a busy machine changes least

    def timed(name: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the act gives
        start, start_cpu = time.perf_counter(), time.process_time()
        found = act()
        times.setdefault(name, []).append(time.perf_counter() - start)
        cpu.setdefault(name, []).append(time.process_time() - start_cpu)
        return found

    for _ in range(SAMPLES):
        item: RankingItem = timed("next_item", queue.next_item)
        said = _judgment(who, item.prompt.id, [c.id for c in item.candidates], draw)
        timed("submit", partial(queue.submit, said))
        timed("progress", queue.progress)
    for _ in range(SAMPLES // 2):
        timed("undo", queue.undo)
    for _ in range(SAMPLES // 2):
        timed("redo", queue.redo)
    timed("first_upcoming", partial(queue.upcoming, HELD))
    for _ in range(SAMPLES // 2):
        item = timed("upcoming", partial(queue.upcoming, HELD))[0]
        queue.submit(_judgment(who, item.prompt.id, [c.id for c in item.candidates], draw))
    medians = {f"{name}_ms": _milliseconds(found) for name, found in times.items()}
    slow = statistics.quantiles(times["next_item"], n=20)[-1]
    steady = ("next_item", "submit", "upcoming")
    busy = {f"{name}_cpu_ms": _milliseconds(cpu[name]) for name in steady}
    return {**medians, "next_item_p95_ms": 1000 * slow, **busy}


def _export(store: PreferenceStore) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        start, start_cpu = time.perf_counter(), time.process_time()
        written = export_data(store, Path(folder) / "out.jsonl", what="judgments", format="trl")
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "export_rows": written.rows,
        "export_rows_per_s": written.rows / seconds,
        "export_rows_per_cpu_s": written.rows / cpu,
    }


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _milliseconds(seconds: Sequence[float]) -> float:
    return 1000 * statistics.median(seconds)


def run(database: str, judgments: int) -> dict[str, Any]:
    """Fill one lab and measure it, in processes of their own."""
    with place(database) as location:
        start = time.perf_counter()

        def fill_it(_pipe: int) -> None:
            with PreferenceStore(location) as store:
                fill(store, judgments)

        _figures(in_child(fill_it))
        filled = {"judgments": judgments, "fill_s": time.perf_counter() - start}
        figures = filled | _figures(in_child(lambda pipe: send(pipe, **measure(location))))
    with place(database) as empty:
        figures |= _figures(in_child(lambda pipe: send(pipe, **measure_import(empty, judgments))))
    targets = [{**asdict(t), "met": t.met(figures)} for t in TARGETS]
    return {**figures, "targets": targets}


def _figures(lines: Any) -> dict[str, Any]:  # noqa: ANN401 - an iterator of JSON objects
    found: dict[str, Any] = {}
    for line in lines:
        found |= json.loads(line)
    if "failed" in found:
        raise SystemExit(found["failed"])
    return found


def _show(results: Sequence[dict[str, Any]]) -> None:
    table = Table(title=f"store on {processor_name()}")
    table.add_column("figure")
    for result in results:
        table.add_column(f"{result['judgments']:,} judgments", justify="right")
    for name in dict.fromkeys(key for result in results for key in result):
        if name not in ("judgments", "targets"):
            table.add_row(name, *(_number(result.get(name)) for result in results))
    for number, target in enumerate(TARGETS):
        table.add_row(str(target), *(VERDICTS[r["targets"][number]["met"]] for r in results))
    Console().print(table)


def _number(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 1000 or isinstance(value, int) else f"{value:.3g}"
    return str(value or "–")


def main(arguments: Sequence[str] | None = None) -> int:
    """Every size in turn."""
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arg.add_argument("--sizes", default="1000,10000,100000,1000000", help="numbers of judgments")
    arg.add_argument(
        "--database", default="sqlite", help="sqlite or postgres (a server of its own)"
    )
    options = arg.parse_args(arguments)
    sizes = [int(size) for size in options.sizes.split(",")]
    if min(sizes) < SMALLEST:
        arg.error(f"--sizes {options.sizes}: {SMALLEST} at least, to have items left to hand out")
    results = [run(options.database, size) for size in sizes]
    _show(results)
    print(
        json.dumps(
            {
                "benchmark": "store",
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "device": processor_name(),
                "database": options.database,
                "sizes": results,
            }
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
