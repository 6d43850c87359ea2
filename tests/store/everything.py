"""A lab with every kind of row, and a way to compare two of them row by row."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import select

from rlhf_lab.store import AssignmentPlan, PreferenceStore
from rlhf_lab.store.job_events import NewEvent
from rlhf_lab.store.tables import AccountRow, Base, FailedSignInRow, SignInRow, TicketRow
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
    fill_with_a_team(store)


def fill_with_a_team(store: PreferenceStore) -> None:
    """Jobs that are over and sign-ins that have ended: a restored lab has them as they were."""
    made = store.jobs.ask("ppo", {"steps": 2, "kl_coef": 0.1}, "ada \0", id="job 1")
    store.jobs.take("pid 1")
    figures = {"step": 1, "figures": {"kl": "nan", "score": 1e-17}, "done": 1}
    told = [NewEvent("add", figures), NewEvent("show", {"samples": [{"now": "half \ud800"}]})]
    store.jobs.tell(made.id, "pid 1", told, done=1, total=2, kept=True)
    store.jobs.note_resume(made.id, "pid 1", {"present": "policy@0"})
    store.jobs.finish(made.id, "pid 1", "failed", "ü: ended")
    store.jobs.cancel(store.jobs.ask("undo", {}, "bob").id, "ada \0")
    with store.database.write() as session:
        session.add(
            AccountRow(
                name="Ada", key="ada", role="admin", password="$argon2id$v=19$", subject=None,
                disabled=False, created_by="", created_at=NOON,
            )
        )  # fmt: skip
        session.flush()
        session.add_all(
            [
                TicketRow(
                    hash="h1", purpose="invite", name="Ada", role="admin", created_by="",
                    created_at=NOON, expires_at=NOON + timedelta(days=7), used_at=NOON,
                ),
                SignInRow(
                    id="s1", hash="h2", name="Ada", created_at=NOON, seen_at=NOON,
                    expires_at=NOON + timedelta(days=30), ended_at=NOON,
                ),
                FailedSignInRow(about="account:ada", failed_at=NOON),
            ]
        )  # fmt: skip


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
