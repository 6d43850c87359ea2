from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from rlhf_lab.store import AssignmentPlan, PreferenceStore, audit, chain, events
from rlhf_lab.store.audit import KEPT, audit_session
from rlhf_lab.store.schema import MIGRATIONS
from rlhf_lab.types import Ranking, Version
from tests.store.helpers import NOON, fill, prompt, ranking, response, skip, undo


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    place = tmp_path_factory.mktemp("audit") / "lab.sqlite"
    with PreferenceStore(place) as store:
        fill_lab(store)
    return place


@pytest.fixture
def lab(template, tmp_path):
    shutil.copy(template, tmp_path / "lab.sqlite")
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        yield store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request):
    """The same lab, in each database in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("lab")
        return
    with PreferenceStore(request.getfixturevalue("postgres_url")) as store:
        fill_lab(store)
        yield store


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


def test_a_lab_that_nobody_touched_passes(either):
    report = audit(either, progress=True)
    assert report.ok
    assert report.judgments == 5
    assert report.head == either.chain_head()
    assert str(report) == f"ok: 5 judgments, the chain holds; head {either.chain_head()}"
    assert f"<p>{report}</p></div>" in report._repr_html_()


def test_an_empty_lab_passes(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        assert str(audit(store)) == f"ok: 0 judgments, the chain holds; head 0:{'0' * 64}"


ALTERED = {
    "id": "'rX'",
    "prompt_id": f"'{prompt('one').id}'",
    "annotator": "'eve'",
    "kind": "'skip'",
    "shown_order": '\'["two-0", "two-1"]\'',
    "tiers": '\'[["two-0"], ["two-1"]]\'',
    "strength": "'slightly'",
    "criteria": '\'{"two-0": {"helpful": 5}}\'',
    "comment": "'as told'",
    "flags": "'[\"all bad\"]'",
    "occasion": "'repeat'",
    "seconds": "2.500001",
    "supersedes": "'r1'",
    "created_at": "'2025-03-01 12:00:00.000001'",
    "hash": f"'{'a' * 64}'",
}


def test_every_field_of_a_judgment_is_in_the_list_above():
    assert set(ALTERED) == {*chain.FIELDS, "hash"}


@pytest.mark.parametrize("column", ALTERED)
def test_an_altered_field_is_found_and_its_row_is_named(lab, column):
    tamper(lab, f"UPDATE judgments SET {column} = {ALTERED[column]} WHERE seq = 3")
    name = "rX" if column == "id" else "r3"
    by = "eve" if column == "annotator" else "ann"
    of = prompt("one" if column == "prompt_id" else "two").id
    assert first(lab).startswith(
        f"judgment 3 (id '{name}', by '{by}', prompt '{of}') does not follow from the one before"
    )


def test_one_altered_row_is_one_break_of_the_chain(lab):
    tamper(lab, "UPDATE judgments SET comment = 'x' WHERE seq = 2")
    report = audit(lab)
    assert report.found == 1
    assert str(report).startswith("NOT ok: 1 problem in 5 judgments. Keep the lab as it is")
    assert "rlhf-lab restore FILE NEW_DIR" in str(report)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("shown_order", "'not json'"),
        ("shown_order", "'5'"),
        ("shown_order", "'[{\"a\": 1}, null]'"),
        ("tiers", "'{'"),
        ("created_at", "'yesterday'"),
        ("seconds", "'long'"),
        ("comment", "'\\json:oh'"),
        ("comment", "CAST(X'ff' AS TEXT)"),
    ],
)
def test_a_value_that_cannot_be_read_is_a_problem_and_no_traceback(tmp_path, column, value):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        prompts = fill(store, *"abc")
        for n, one in enumerate(prompts):
            store.submit(ranking(f"r{n}", one))
        with store.database.engine.connect() as connection:
            connection.exec_driver_sql("DROP TRIGGER judgments_no_update")
            connection.exec_driver_sql(f"UPDATE judgments SET {column} = {value} WHERE seq = 2")
            connection.commit()
        report = audit(store)
    assert report.problems[0].startswith("judgment 2")
    assert "does not follow" in report.problems[0]
    assert sum("does not follow" in problem for problem in report.problems) == 1


def test_an_altered_response_is_found_at_the_first_judgment_that_showed_it(either):
    tamper(either, "UPDATE responses SET text = 'better' WHERE id = 'two-0'")
    report = audit(either)
    assert report.problems[0].startswith("judgment 2 (id 'r2'")
    assert "or a response that it shows was altered" in report.problems[0]
    assert report.found == 2  # r2 and r3 show it


def test_a_response_passed_off_as_another_versions_is_found(lab):
    tamper(lab, "UPDATE responses SET version = 'policy@1' WHERE id = 'one-1'")
    assert first(lab).startswith("judgment 1 (id 'r1'")


def test_a_removed_response_is_found(lab):
    tamper(lab, "DELETE FROM responses WHERE id = 'one-1'")
    assert first(lab).startswith("judgment 1 (id 'r1'")


def test_a_judgment_removed_from_the_middle_is_found_at_the_next(lab):
    tamper(lab, "DELETE FROM judgments WHERE seq = 2")
    report = audit(lab)
    assert report.problems[0].startswith("judgment 3 (id 'r3'")
    assert any(p.startswith("the lab notes 5 judgments") for p in report.problems)
    assert any("name a supersedes that is not among judgments" in p for p in report.problems)


def test_a_judgment_removed_from_the_end_is_found_by_the_noted_head(either):
    tamper(
        either,
        "DELETE FROM active_judgments WHERE judgment_id = 'r5'",
        "UPDATE assignments SET judgment_id = NULL WHERE judgment_id = 'r5'",
        "DELETE FROM judgments WHERE seq = 5",
    )
    report = audit(either)
    assert report.found == 1
    assert "the lab notes 5 judgments" in report.problems[0]
    assert "the record has 4 ending in" in report.problems[0]


def test_swapped_judgments_are_found_at_the_first_of_them(lab):
    tamper(
        lab,
        "UPDATE judgments SET seq = 100 WHERE seq = 3",
        "UPDATE judgments SET seq = 3 WHERE seq = 4",
        "UPDATE judgments SET seq = 4 WHERE seq = 100",
    )
    assert first(lab).startswith("judgment 3 (id 'r4'")


COPY = (
    "INSERT INTO judgments (seq, id, prompt_id, annotator, kind, shown_order, tiers, strength, "
    "criteria, comment, flags, occasion, seconds, supersedes, created_at, hash) SELECT {seq}, "
    "'forged', prompt_id, annotator, kind, shown_order, tiers, strength, criteria, comment, flags, "
    "occasion, seconds, supersedes, created_at, {hash} FROM judgments WHERE seq = 1"
)


def test_a_judgment_inserted_before_the_others_is_found(lab):
    tamper(lab, COPY.format(seq=0, hash="hash"))
    assert first(lab).startswith("judgment 0 (id 'forged'")


def test_a_judgment_appended_with_its_right_hash_is_found_by_the_noted_head(lab):
    values = {
        "id": "forged",
        **{name: None for name in chain.FIELDS if name != "id"},
        "prompt_id": prompt("one").id,
        "annotator": "ann",
        "kind": "ranking",
        "shown_order": ["one-1", "one-0"],
        "tiers": [["one-0"], ["one-1"]],
        "comment": "clear",
        "seconds": 2.5,
        "created_at": NOON,
    }
    digests = [(f"one-{n}", chain.response_digest("policy@0", f"answer {n}")) for n in (0, 1)]
    last = lab.chain_head().partition(":")[2]
    tamper(lab, COPY.format(seq=6, hash=f"'{chain.link(last, values, digests)}'"))
    report = audit(lab)
    assert not any("does not follow" in p for p in report.problems)
    assert "the lab notes 5 judgments" in report.problems[0]


@pytest.mark.parametrize(
    "noted", [{"length": 4, "hash": "b" * 64}, {"length": 5, "hash": "b" * 64}, {"length": 5}, [5]]
)
def test_an_altered_note_of_the_head_is_found(lab, noted):
    tamper(lab, "UPDATE settings SET value = :noted WHERE key = 'chain'", noted=json.dumps(noted))
    report = audit(lab)
    assert report.found == 1
    assert "head that the lab notes" in report.problems[0] or "lab notes" in report.problems[0]


def test_what_a_version_saw_must_be_a_point_of_the_chain(lab):
    tamper(lab, f"UPDATE versions SET judged = '3:{'c' * 64}'")
    assert first(lab).startswith("version reward@0 saw 3 judgments ending in cccccccccccc…")
    tamper(lab, f"UPDATE versions SET judged = '9:{'c' * 64}'")
    assert first(lab).startswith("version reward@0 saw 9 judgments, the record has 5")
    tamper(lab, "UPDATE versions SET judged = 'three'")
    assert first(lab) == "version reward@0 says 'three', which is no head (NUMBER:HASH)"


def test_a_head_noted_elsewhere_shows_a_record_that_was_rewritten_throughout(lab):
    assert audit(lab, expected=lab.chain_head()).ok
    report = audit(lab, expected=f"5:{'d' * 64}")
    assert report.problems[0].startswith("the head to expect saw 5 judgments ending in dddd")


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


# -- traces


def test_a_trace_tells_where_a_judgment_comes_from_and_what_became_of_it(either):
    found = either.trace("r2")
    two = either.prompts()[1]
    assert found.prompt == two
    assert found.candidates == (response(two, 1), response(two, 0))
    assert found.judgment.id == "r2"
    assert not found.counts
    assert [event.id for event in found.superseded_by] == ["r3"]
    assert (found.place, found.length) == (2, 5)
    assert found.previous == either.trace("r1").hash
    assert found.hash == either.trace("r3").previous
    assert either.trace("r3").supersedes == found.judgment
    assert either.trace("r3").counts
    assert either.trace("r1").previous == ""
    assert either.trace("r5").judgment.kind == "skip"
    text = str(found)
    for part in (
        "r2 (ranking, superseded)",
        "ann, 2025-03-01 12:00:00 UTC, 2.5 s",
        "strength:      much",
        "flags:         unsafe",
        "superseded by: r3 (ranking",
        "2 of 5",
        "A. rank 2  policy@0, two-1: answer 1",
        "B. rank 1  policy@0, two-0: answer 0",
    ):
        assert part in text
    assert "two-0: helpful 4" in str(either.trace("r3"))


def test_the_trace_of_an_undo_names_what_it_took_back(lab):
    lab.submit(undo("u1", ranking("r1", prompt("one"))))
    assert lab.trace("u1").supersedes.id == "r1"
    assert lab.trace("u1").candidates == ()
    assert [event.id for event in lab.trace("r1").superseded_by] == ["u1"]


def test_hostile_texts_in_a_trace_act_neither_on_a_notebook_nor_on_a_terminal(tmp_path):
    evil = "<script>alert(1)</script>\x1b[2J\ud800 \u202etxet\n" + "x" * 5000
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        one = prompt("<img src=x onerror=alert(1)>")
        store.add_prompts([one])
        store.add_responses([response(one, n, id=f"{n}", text=evil) for n in (0, 1)])
        store.submit(
            ranking(
                "r<b>",
                one,
                annotator="<i>eve",
                comment=evil,
                shown_order=("1", "0"),
                ranking=Ranking(tiers=(("0",), ("1",))),
                created_at=NOON + timedelta(seconds=1),
            )
        )
        found = store.trace("r<b>")
    for shown in (str(found), found._repr_html_()):
        shown.encode("utf-8")
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert len(shown) < 4000
        assert "\\x1b[2J\\ud800 \\u202etxet⏎" in shown
    for tag in ("<script", "<img", "<b>", "<i>"):
        assert tag not in found._repr_html_()


def test_the_trace_of_an_unknown_judgment_is_refused(lab):
    with pytest.raises(Exception, match=r"judgment 'r99' is not in this lab: judgments\("):
        lab.trace("r99")
