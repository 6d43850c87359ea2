"""The table widget's state over many rows: opening, turning pages, searching, sorting, filtering.

python -m benchmarks.tables [--rows 50000] [--repeat 40] [--database sqlite|postgres|FILE]

A lab is filled with as many responses as said, of 100 words each, four to a prompt, and a ranking
for every prompt. Each act is what the widget does between an event and its answer, the page of 50
rows as JSON included; acts of one kind run one after the other on an open lab.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.places import place
from benchmarks.report import processor_name
from rlhf_lab.store import JudgmentTable, PreferenceStore, TableBrowser, events, prompt_table
from rlhf_lab.store.listing import response_table
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, Response, Sampling
from rlhf_lab.widgets.table_state import TableState

PER_PROMPT, WORDS, VERSIONS = 4, 100, 5
RARE, RARE_EVERY = "xylophone", 5_000
CHUNK = 1_000
AT_MOST_MS = 150.0
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
TABLES: dict[str, Callable[[Any], Any]] = {
    "prompts": prompt_table,
    "responses": response_table,
    "judgments": JudgmentTable,
}


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing that people do, and what it asks for."""

    table: str
    name: str
    fields: dict[str, Any]


def fill(store: PreferenceStore, rows: int) -> None:
    """Store so many responses to a quarter as many prompts, each ranked once."""
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(500)]
    numbers = range(0, rows, PER_PROMPT)
    for start in tqdm(range(0, len(numbers), CHUNK), desc="filling", file=sys.stderr):
        answered = dict(_answered(numbers[start : start + CHUNK], words, draw))
        store.add_prompts(answered)
        store.add_responses(one for answers in answered.values() for one in answers)
        said = [_judgment(prompt, answers, draw) for prompt, answers in answered.items()]
        with store.database.write() as session:
            events.append_many(session, said, LONG_AGO)


def _answered(
    numbers: range, words: list[str], draw: random.Random
) -> Iterator[tuple[Prompt, list[Response]]]:
    for number in numbers:
        text = f"{number}: {' '.join(draw.choices(words, k=30))}?"
        prompt = Prompt(
            messages=(Message(role="user", content=text),),
            split="heldout" if number % 5 == 0 else "train",
            source=f"file {draw.randrange(8)}.jsonl",
        )
        yield prompt, [_response(prompt, number + n, words, draw) for n in range(PER_PROMPT)]


def _response(prompt: Prompt, number: int, words: list[str], draw: random.Random) -> Response:
    text = draw.choices(words, k=draw.randint(WORDS // 2, WORDS * 3 // 2))
    if number % RARE_EVERY == 0:
        text[len(text) // 2] = RARE
    return Response(
        id=f"{draw.getrandbits(128):032x}",
        prompt_id=prompt.id,
        text=" ".join(text),
        token_ids=tuple(draw.randrange(50_000) for _ in range(WORDS)),
        version=f"policy@{number % VERSIONS}",
        sampling=Sampling(),
        seed=number,
        end_reason=draw.choice(("stop", "length")),
        created_at=LONG_AGO + timedelta(seconds=draw.randrange(10**7)),
    )


def _judgment(prompt: Prompt, answers: list[Response], draw: random.Random) -> Judgment:
    order = tuple(answer.id for answer in answers)
    return Judgment(
        id=f"{draw.getrandbits(128):032x}",
        prompt_id=prompt.id,
        annotator=draw.choice(("ann", "bob", "cat")),
        shown_order=order,
        ranking=Ranking.from_scores({i: draw.randrange(3) for i in order}),
        seconds=float(draw.randrange(1, 90)),
        created_at=LONG_AGO + timedelta(seconds=draw.randrange(10**7)),
    )


def acts(rows: int) -> list[Act]:
    """What is measured; the state's keys of filter values stand as the values themselves."""
    middle = min(500, rows // 50 // 2)
    found = []
    for table, sort, column, value in (
        ("responses", "when", "version", "policy@3"),
        ("prompts", "source", "split", "heldout"),
        ("judgments", "seconds", "annotator", "bob"),
    ):
        pages = middle if table == "responses" else middle // PER_PROMPT
        asked: dict[str, dict[str, Any]] = {
            f"page {pages}": {"page": pages},
            "search, a rare word": {"search": RARE},
            "search, a frequent word": {"search": "e"},
            f"sort by {sort}": {"sort": sort, "descending": True},
            f"sort by {sort}, page {pages}": {"sort": sort, "page": pages},
            f"filter by {column}": {"filters": {column: value}},
            "filter, sort and search": {
                "filters": {column: value},
                "sort": sort,
                "search": RARE,
            },
        }
        found += [Act(table=table, name=name, fields=fields) for name, fields in asked.items()]
    found.append(
        Act(table="responses", name="sort by length", fields={"sort": "length", "descending": True})
    )
    found.append(
        Act(
            table="judgments", name="filter by version", fields={"filters": {"version": "policy@3"}}
        )
    )
    return found


def measure(store: PreferenceStore, rows: int, repeat: int) -> list[dict[str, Any]]:
    """Milliseconds of every act, at the median and the 95th percentile."""
    found = []
    for name, table in TABLES.items():
        source = TableBrowser(table(store.database))
        times = [_timed(partial(TableState, source)) for _ in range(repeat)]
        found.append(_figures(name, "open", times, TableState(source).total))
        state = TableState(source)
        key = state.content["page"]["rows"][0]["key"]
        for act in [one for one in acts(rows) if one.table == name]:
            sent = [_event(state, number, act) for number in _next(state, repeat)]
            times = [_timed(partial(state.apply, [one]), state) for one in sent]
            if state.notice:
                raise SystemExit(f"{name}, {act.name}: {state.notice['text']}")
            found.append(_figures(name, act.name, times, state.total))
        state = TableState(source)
        asked = [
            {"seq": n, "id": f"detail-{n:03}", "type": "detail", "row": key} for n in range(repeat)
        ]
        times = [_timed(partial(state.apply, [one]), state) for one in asked]
        found.append(_figures(name, "a row whole", times, 1))
    return found


def _next(state: TableState, repeat: int) -> range:
    first = state.content["page"]["number"] + 1
    return range(first, first + repeat)


def _event(state: TableState, number: int, act: Act) -> dict[str, Any]:
    columns = {column["name"]: column for column in state.content["columns"]}
    filters = {
        name: next(one["key"] for one in columns[name]["choices"] if one["label"] == value)
        for name, value in act.fields.get("filters", {}).items()
    }
    asked = {"search": "", "sort": "", "descending": False, "page": 0, "page_size": 50}
    own = {"seq": number, "id": f"{act.table}-{number:06}", "type": "query", "number": number}
    return {**own, **asked, **act.fields, "filters": filters}


def _timed(act: Callable[[], Any], state: TableState | None = None) -> tuple[float, float]:
    """Milliseconds on the clock, and of the processor alone, which a busy machine changes less."""
    start, cpu = time.perf_counter(), time.process_time()
    made = act()
    json.dumps((state or made).values())
    return (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000


def _figures(table: str, act: str, times: list[tuple[float, float]], rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {"table": table, "act": act, "rows": rows}
    for name, ms in zip(("", "cpu_"), zip(*times, strict=True), strict=True):
        found[f"{name}ms"] = statistics.median(ms)
        found[f"{name}p95"] = statistics.quantiles(ms, n=20, method="inclusive")[-1]
    return found


def show(figures: list[dict[str, Any]], title: str) -> None:
    """Print a table, and all figures as JSON in the last line."""
    table = Table(title=title)
    for column in ("table", "act", "rows found", "ms", "p95 ms", "CPU ms", "p95 CPU ms", ""):
        table.add_column(column, justify="right" if "ms" in column or "rows" in column else "left")
    for one in figures:
        verdict = "" if one["p95"] <= AT_MOST_MS else f"above {AT_MOST_MS:g}"
        told = (f"{one[name]:.1f}" for name in ("ms", "p95", "cpu_ms", "cpu_p95"))
        table.add_row(one["table"], one["act"], f"{one['rows']:,}", *told, verdict)
    Console(width=110).print(table)
    print(json.dumps(figures))


def main() -> None:
    """Fill a lab, measure it, and print the figures."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000, help="responses")
    parser.add_argument("--repeat", type=int, default=40, help="times each act is done")
    parser.add_argument(
        "--database", default="sqlite", help="sqlite, postgres, or a file or URL to fill and keep"
    )
    options = parser.parse_args()
    with place(options.database) as location, PreferenceStore(location) as store:
        if not response_table(store.database):
            fill(store, options.rows)
        figures = measure(store, options.rows, options.repeat)
    show(figures, f"{options.rows:,} responses, {options.database}, {processor_name()}")


if __name__ == "__main__":
    main()
