"""The chain of judgments."""

from __future__ import annotations

import json

import pytest

from rlhf_lab.store import PreferenceStore, audit, chain
from tests.store.audit.tampering import first, tamper
from tests.store.helpers import NOON, fill, prompt, ranking


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
