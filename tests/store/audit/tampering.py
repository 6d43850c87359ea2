"""Labs to audit, and ways to falsify them."""

from __future__ import annotations

from sqlalchemy import text

from rlhf_lab.store import audit
from rlhf_lab.types import Version
from tests.store.helpers import fill, ranking, skip


def fill_lab(store):
    """Five judgments of two prompts, the second of them corrected; a version after the third."""
    one, two = fill(store, "one", "two")
    store.assignments.offer()
    for event in [
        ranking("r1", one, comment="clear"),
        ranking("r2", two, strength="much", flags=("unsafe",)),
        ranking("r3", two, best=1, supersedes="r2", criteria={"two-0": {"helpful": 4}}),
    ]:
        store.submit(event)
    store.add_version(Version(name="reward@0", parent=None, path="checkpoints/reward@0"))
    store.submit(ranking("r4", one, annotator="bob"))
    store.submit(skip("r5", two, annotator="bob"))


def tamper(store, *statements, **values):
    """Write past the triggers that make judgments append-only."""
    with store.database.engine.connect() as connection:
        if store.database.is_sqlite:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("BEGIN")
            for name in ("update", "delete", "replace"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS judgments_no_{name}")
        else:
            # Foreign keys are triggers as well.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            connection.execute(text(statement), values)
        connection.commit()
        connection.invalidate()


def first(store) -> str:
    report = audit(store)
    assert not report.ok
    return report.problems[0]
