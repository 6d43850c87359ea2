"""A lab with every kind of row, and a way to compare two of them row by row."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import select

from rlhf_lab.store import AssignmentPlan, PreferenceStore
from rlhf_lab.store.tables import Base
from rlhf_lab.types import Demonstration, Message, Prompt, Version
from tests.store.helpers import NOON, fill, prompt, ranking, response, skip, undo


def fill_with_everything(store: PreferenceStore) -> None:
    one, two, three = fill(store, "one", "zwei 'ü'", "nul \0 in it", responses=2)
    chat = Prompt(
        messages=(Message(role="system", content="Be kind."), *prompt("four").messages),
        split="heldout",
        source='a "file".jsonl',
        tags=("question", "schön"),
    )
    store.add_prompts([chat])
    store.add_responses(
        [
            response(chat, 0, id="c0", text="half \ud800 of it", sampling=None, seed=None),
            response(chat, 1, id="c1", text="\0", version="import:file", token_ids=()),
            response(chat, 2, id="c2", purpose="evaluation", end_reason="length"),
        ]
    )
    store.assignments.offer()
    store.assignments.plan = AssignmentPlan(overlap=2, gold_rate=0.1)
    first = ranking("r1", one, strength="much", comment="\\json: odd", flags=("unsafe",))
    second = ranking("r2", one, best=1, supersedes="r1", criteria={"one-0": {"helpful": 4}})
    for event in (first, second, undo("u1", second), skip("s1", two), ranking("r3", three)):
        store.submit(event)
    store.submit(ranking("r4", three, annotator="bob", comment="a\x1bb", seconds=0.1 + 0.2))
    store.assignments.make_gold(["r3"])
    store.assignments.next_item("cy")
    draft = Demonstration(id="d1", prompt_id=one.id, text="So.", annotator="ann", created_at=NOON)
    later = NOON + timedelta(microseconds=1)
    store.add_demonstration(draft)
    store.add_demonstration(
        Demonstration(
            id="d2", prompt_id=one.id, text="So!", annotator="ann", edited_from="one-0",
            supersedes="d1", seconds=7.5, created_at=later,
        )
    )  # fmt: skip
    for name, parent, figures in [
        ("policy@0", None, {}),
        ("reward@0", None, {"loss": math.nan}),
        ("policy@1", "policy@0", {"kl": 1e-17, "worst": -math.inf}),
    ]:
        with_ = ("reward@0",) if parent else ()
        path = f"checkpoints/{name}"
        store.add_version(
            Version(
                name=name, parent=parent, path=path, metrics=figures, trained_with=with_,
                created_at=later,
            )
        )  # fmt: skip
    store.log_metrics("ppo", "policy@1", 3, {"kl": 0.1, "nan": math.nan})
    store.set_setting("odd", {"text": "ü \ud800 \0", "none": None, "list": [1, 2.5, True]})
    store.set_setting("nothing", None)


def all_rows(store: PreferenceStore) -> dict[str, list[tuple]]:
    """Every value of every table, as the code reads it."""
    with store.database.read() as session:
        return {
            table.name: [
                tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
        }


def as_multiset(rows: dict[str, list[tuple]]) -> dict[str, list[str]]:
    """For databases that sort texts differently."""
    return {name: sorted(map(repr, of)) for name, of in rows.items()}
