"""Tables page by page: rows, their number, order, and one row whole."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import JudgmentTable, PreferenceStore, TableBrowser, engine, prompt_table
from rlhf_lab.store.listing import response_table
from rlhf_lab.store.tables import ResponseRow
from rlhf_lab.types import Ranking, TableQuery
from tests.store.helpers import NOON, fill, prompt, ranking, response, skip, undo

EVIL = "<script>alert('x')</script>\x1b[31m\ud800\u202e\0" + "y" * 5000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    if request.param == "sqlite":
        place = tmp_path / "lab.sqlite"
    else:
        from tests.postgres import new_database

        place = new_database(request.getfixturevalue("postgres_server"))
    with PreferenceStore(place) as store:
        yield store


@pytest.fixture
def many(store):
    """Thirty responses: versions policy@0 to 2 in turn, "rare" in one text, ids "one-0" on."""
    one = prompt("one", split="heldout")
    store.add_prompts([one])
    store.add_responses(
        response(
            one,
            n,
            text="RÄRE words" if n == 17 else f"answer {n}",
            version=f"policy@{n % 3}",
            created_at=NOON + timedelta(seconds=n),
        )
        for n in range(30)
    )
    return store


def responses(store) -> TableBrowser:
    return TableBrowser(response_table(store.database))


def numbers(page) -> list[int]:
    return [int(row.id.rpartition("-")[2]) for row in page.rows]


def test_pages_start_with_what_was_stored_last_and_tell_how_many_rows_there_are(many):
    first = responses(many).page(TableQuery(), 0, 4)
    assert (first.total, numbers(first)) == (30, [29, 28, 27, 26])
    assert numbers(responses(many).page(TableQuery(), 28, 4)) == [1, 0]
    behind = responses(many).page(TableQuery(), 30, 4)
    assert (behind.total, behind.rows) == (30, ())


def test_rows_with_the_same_key_keep_their_order_whichever_way_it_goes(many):
    browser = responses(many)
    for descending, versions in ((False, (0, 1, 2)), (True, (2, 1, 0))):
        query = TableQuery(sort="version", descending=descending)
        pages = [browser.page(query, offset, 7) for offset in range(0, 30, 7)]
        seen = [number for page in pages for number in numbers(page)]
        assert seen == [n for version in versions for n in range(version, 30, 3)]


def test_a_search_ignores_case_and_adds_to_filters(many):
    browser = responses(many)
    assert numbers(browser.page(TableQuery(search="räre"), 0, 10)) == [17]
    assert numbers(browser.page(TableQuery(search=" \t"), 0, 2)) == [29, 28]  # nothing asked for
    found = browser.page(TableQuery(search="ANSWER 1", filters={"version": "policy@1"}), 0, 10)
    assert (found.total, numbers(found)) == (5, [19, 16, 13, 10, 1])
    nothing = browser.page(TableQuery(search="no such words"), 0, 10)
    assert (nothing.total, nothing.rows) == (0, ())


def test_a_text_is_looked_at_once_for_both_the_rows_and_their_number(many, monkeypatch):
    looked = Counter()
    contains = engine._contains
    monkeypatch.setattr(
        engine, "_contains", lambda value, words: looked.update([value]) or contains(value, words)
    )
    with PreferenceStore(many.database.url.render_as_string(hide_password=False)) as store:
        if not store.database.is_sqlite:
            pytest.skip("PostgreSQL looks at texts itself")
        assert responses(store).page(TableQuery(search="answer 2"), 0, 3).total == 11
    assert looked.total() == 30


def test_no_page_reads_more_rows_than_it_shows(many):
    fetched = []

    def note(row, context) -> None:
        fetched.append(row)

    event.listen(ResponseRow, "load", note)
    try:
        responses(many).page(TableQuery(sort="when"), 10, 5)
    finally:
        event.remove(ResponseRow, "load", note)
    assert len(fetched) == 5


def test_a_table_with_filters_of_its_own_stays_within_them(many):
    browser = TableBrowser(response_table(many.database).where(version="policy@2").newest(3))
    assert numbers(browser.page(TableQuery(), 0, 10)) == [29, 26, 23]
    assert numbers(browser.page(TableQuery(sort="when"), 0, 10)) == [23, 26, 29]


def test_columns_list_the_values_there_are(many):
    columns = {column.name: column for column in responses(many).columns()}
    assert columns["version"].values == ("policy@0", "policy@1", "policy@2")
    assert columns["end_reason"].values == ("stop", "length")
    assert columns["split"].values == ("train", "heldout")
    assert not columns["split"].shown
    assert columns["id"].values == columns["response"].values == ()
    assert [name for name, one in columns.items() if one.sortable] == [
        "length", "version", "end_reason", "purpose", "when",
    ]  # fmt: skip


def test_a_column_of_too_many_values_is_none_to_filter_by(store):
    store.add_prompts(prompt(str(n), source=f"file {n}") for n in range(51))
    columns = {one.name: one for one in TableBrowser(prompt_table(store.database)).columns()}
    assert columns["source"].values == ()
    assert columns["source"].sortable


def test_every_column_that_says_so_can_be_sorted_and_filtered_by(store):
    fill(store, "one", "two")
    store.submit(ranking("r", prompt("one"), strength="much", comment="So."))
    for table in (
        prompt_table(store.database),
        response_table(store.database),
        JudgmentTable(store.database),
    ):
        browser = TableBrowser(table)
        total = browser.page(TableQuery(), 0, 10).total
        assert total > 0
        for column in browser.columns():
            shown = browser.page(TableQuery(), 0, 10).rows[0].cells
            assert (column.name in shown) == column.shown
            if column.sortable:
                query = TableQuery(sort=column.name, descending=True)
                assert browser.page(query, 0, 10).total == total
            found = [
                browser.page(TableQuery(filters={column.name: value}), 0, 10).total
                for value in column.values
            ]
            assert not found or sum(found) == total


def test_unknown_filters_are_refused(many):
    with pytest.raises(ConfigError, match="'colour' is nothing to filter responses by"):
        responses(many).page(TableQuery(filters={"colour": "red"}), 0, 5)


def test_cells_are_one_short_line_in_which_nothing_acts(store):
    one = prompt("What?\nReally?")
    store.add_prompts([one])
    store.add_responses([response(one, 0, id="a\nb", text=EVIL, version=EVIL)])
    (row,) = responses(store).page(TableQuery(), 0, 5).rows
    assert row.id == "a\nb"
    assert row.cells["id"] == "a⏎b"
    assert row.cells["prompt"] == "What? Really?"
    assert row.cells["response"].startswith(
        "<script>alert('x')</script>\\x1b[31m\\ud800\\u202e\\x00"
    )
    assert max(map(len, row.cells.values())) == 320
    assert row.cells["length"] == "5,035"
    version = next(one for one in responses(store).columns() if one.name == "version").values
    assert responses(store).page(TableQuery(filters={"version": version[0]}), 0, 5).total == 1


def test_judgments_are_those_that_count_unless_the_whole_record_is_asked_for(store):
    one, two = fill(store, "one", "two")
    first = ranking("r1", one)
    for said in (first, undo("u1", first), skip("s1", two)):
        store.submit(said)
    table = JudgmentTable(store.database)
    counting, whole = TableBrowser(table), TableBrowser(table.with_superseded())
    assert [row.id for row in counting.page(TableQuery(), 0, 9).rows] == ["s1"]
    assert [row.id for row in whole.page(TableQuery(), 0, 9).rows] == ["s1", "u1", "r1"]
    kinds = [
        next(one.values for one in browser.columns() if one.name == "kind")
        for browser in (counting, whole)
    ]
    assert kinds == [("ranking", "skip"), ("ranking", "skip", "undo")]
    undos = TableQuery(filters={"kind": "undo"})
    assert [row.id for row in whole.page(undos, 0, 9).rows] == ["u1"]


def test_the_detail_of_a_response_has_its_prompt_its_text_and_its_ranks(store):
    (one,) = fill(store, "one", responses=3)
    shown = ("one-2", "one-1", "one-0")
    tiers = (("one-1",), ("one-0", "one-2"))
    store.submit(ranking("r1", one, shown_order=shown, ranking=Ranking(tiers=tiers)))
    store.submit(ranking("r2", one, annotator="bob"))  # of two others
    detail = responses(store).detail("one-2")
    facts = detail.facts
    assert ("id", "one-2") in facts
    assert ("length", "8 characters, 2 tokens") in facts
    assert ("judged", "rank 2 of 2 by ann, 2025-03-01 12:00:00 UTC (r1)") in facts
    assert [name for name, _ in facts].count("judged") == 1
    seed = f"seed {2**70 + 2}"
    assert ("sampling", f"temperature 0.7, at most 128 tokens, {seed}") in facts
    assert [(text.label, text.text) for text in detail.texts] == [
        ("Prompt", "one"),
        ("Response", "answer 2"),
    ]


def test_the_detail_of_a_prompt_has_its_newest_responses(store):
    (one,) = fill(store, "one", responses=12)
    store.submit(ranking("r1", one))
    detail = TableBrowser(prompt_table(store.database)).detail(one.id)
    assert dict(detail.facts) == {
        "id": one.id,
        "split": "train",
        "source": "user",
        "responses": "12, the newest 10 below",
        "judgments": "1",
    }
    assert [text.text for text in detail.texts][:2] == ["one", "answer 11"]
    assert len(detail.texts) == 11


def test_the_detail_of_a_judgment_is_its_trace(store):
    (one,) = fill(store, "one")
    store.submit(replace(ranking("r1", one, best=1), comment="Better."))
    detail = TableBrowser(JudgmentTable(store.database)).detail("r1")
    facts = dict(detail.facts)
    assert facts["judgment"] == "r1 (ranking, counts)"
    assert facts["comment"] == "Better."
    assert facts["chain"].startswith("1 of 1, ")
    assert [(text.label, text.note, text.text) for text in detail.texts] == [
        ("Prompt", "", "one"),
        ("A. rank 1", "policy@0, one-1", "answer 1"),
        ("B. rank 2", "policy@0, one-0", "answer 0"),
    ]


@pytest.mark.parametrize("table", [prompt_table, response_table, JudgmentTable])
def test_the_detail_of_a_row_that_is_not_there_is_refused(store, table):
    with pytest.raises(StoreError, match="'gone' is not in this lab"):
        TableBrowser(table(store.database)).detail("gone")
