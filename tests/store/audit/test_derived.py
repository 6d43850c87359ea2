"""What follows from the record, and the audit as a whole."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from rlhf_lab.store import AssignmentPlan, PreferenceStore, audit, chain, events
from rlhf_lab.store.audit import KEPT, audit_session
from rlhf_lab.store.schema import MIGRATIONS
from tests.store.audit.tampering import first, tamper
from tests.store.helpers import NOON, fill, prompt, ranking, skip


def test_an_altered_prompt_is_found_and_named(lab):
    name = prompt("one").id
    tamper(lab, 'UPDATE prompts SET messages = \'[["user", "One"]]\' WHERE seq = 1')
    assert first(lab).startswith(f"prompt 1 (id '{name}') was altered")
    tamper(lab, "UPDATE prompts SET messages = '7' WHERE seq = 1")
    assert first(lab).startswith("prompt 1 ")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM active_judgments WHERE judgment_id = 'r3'", "judgment 3 (id 'r3') counts by"),
        ("UPDATE active_judgments SET judgment_id = 'r2' WHERE seq = 3", "judgment 2 (id 'r2') is"),
        ("UPDATE active_judgments SET kind = 'skip' WHERE seq = 1", "with another kind than in"),
        ("UPDATE active_judgments SET item_id = NULL WHERE seq = 1", "with another item_id than"),
        ("UPDATE items SET done = 1 WHERE seq = 1", "notes 1 rankings, 2 count"),
        (
            "UPDATE items SET state = 'full' WHERE seq = 1",
            "is 'full' with 2 rankings, and the plan",
        ),
        ("UPDATE assignments SET judgment_id = NULL WHERE judgment_id = 'r1'", "that counts is r1"),
        ("DELETE FROM assignments WHERE judgment_id = 'r4'", "judgment r4 of item"),
    ],
)
def test_what_is_derived_must_follow_from_the_record(lab, statement, says):
    tamper(lab, statement)
    assert any(says in problem for problem in audit(lab).problems)


def test_plans_undo_redo_gold_and_late_judgments_leave_everything_in_step(lab):
    lab.assignments.plan = AssignmentPlan(overlap=2)
    one, two = lab.prompts()
    for who in ("ann", "bob", "cy", "dee"):
        lab.submit(ranking(f"late-{who}", one, annotator=who))
        assert audit(lab).ok
    lab.assignments.undo("ann")
    lab.assignments.undo("bob")
    assert audit(lab).ok
    lab.assignments.redo("bob")
    lab.assignments.make_gold(["r3"])
    lab.submit(ranking("gold", two, annotator="cy"))
    lab.assignments.plan = AssignmentPlan(overlap=None)
    assert audit(lab).ok


def test_many_at_once_settle_the_assignments_of_everybody(lab):
    one = lab.prompts()[0]
    many = [ranking(f"m-{who}", one, annotator=who) for who in ("cy", "dee", "eli")]
    with lab.database.write() as session:
        events.append_many(session, many, NOON)
    assert audit(lab).ok


def test_only_the_first_problems_are_kept_and_all_are_counted(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        prompts = fill(store, *(f"p{n}" for n in range(KEPT + 5)))
        for n, one in enumerate(prompts):
            store.submit(skip(f"s{n}", one))
        tamper(store, "UPDATE judgments SET comment = '<script>'")
        report = audit(store)
    assert report.found == KEPT + 5
    assert len(report.problems) == KEPT
    assert str(report).endswith("and 5 more")
    assert "<script>" not in report._repr_html_()


def test_an_upgraded_lab_verifies(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'lab.sqlite'}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0001")
        one = prompt("one").id
        when = "2025-03-01 12:00:00.000000"
        for statement in [
            f"INSERT INTO prompts VALUES (1, '{one}', '[[\"user\", \"one\"]]', 'train', 'u', '[]')",
            *(
                f"INSERT INTO responses VALUES ({n + 1}, 'one-{n}', '{one}', 'answer {n}', '[]', "
                f"'policy@0', 'null', '', 'stop', 'candidate', '{when}')"
                for n in (0, 1)
            ),
            f"INSERT INTO judgments VALUES (1, 'r1', '{one}', 'ann', 'ranking', "
            '\'["one-0", "one-1"]\', \'[["one-0"], ["one-1"]]\', \'\\json:"\\u0000"\', 2.5, '
            f"NULL, '{when}')",
            f"INSERT INTO judgments VALUES (2, 'u1', '{one}', 'ann', 'undo', '[]', NULL, '', 0.0, "
            f"'r1', '{when}')",
        ]:
            connection.exec_driver_sql(statement)
    engine.dispose()
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        assert audit(store).ok
        store.submit(ranking("r9", store.prompts()[0], annotator="bob"))
        assert str(audit(store)).startswith("ok: 3 judgments")
        tamper(store, "UPDATE judgments SET comment = '' WHERE seq = 1")
        assert first(store).startswith("judgment 1 (id 'r1'")


def test_an_audit_sees_one_state_while_others_judge(either):
    """Were the reads to see what is committed in between, counts and chain would differ."""
    with (
        PreferenceStore(either.database.url.render_as_string(hide_password=False)) as other,
        either.database.read() as session,
    ):
        before = chain.read_head(session)
        other.submit(ranking("meanwhile", either.prompts()[0], annotator="cy"))
        report = audit_session(session)
        assert report.ok
        assert report.head == str(before)
    assert audit(either).judgments == 6
