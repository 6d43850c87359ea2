from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import JudgmentTable, PreferenceStore, prompt_table, response_table
from rlhf_lab.store.showing import printable
from rlhf_lab.types import Message, Prompt, Ranking
from tests.store.helpers import NOON, fill, prompt, ranking, response, skip, undo

EVIL = "<script>alert('x')</script>\x1b[31m\ud800\u202e\0" + "y" * 5000


class Tables:
    def __init__(self, store):
        self.store = store
        self.prompts = prompt_table(store.database)
        self.responses = response_table(store.database)
        self.judgments = JudgmentTable(store.database)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def lab(request, tmp_path_factory):
    """Read by these tests, never written to."""
    if request.param == "sqlite":
        place = tmp_path_factory.mktemp("listing") / "lab.sqlite"
    else:
        from tests.postgres import new_database

        place = new_database(request.getfixturevalue("postgres_server"))
    with PreferenceStore(place) as store:
        fill_tables(store)
        yield Tables(store)


def fill_tables(store):
    one, two = fill(store, "one", "two")
    chat = Prompt(
        messages=(
            Message(role="system", content='Sei NETT, 100% "gut".'),
            Message(role="user", content="Größe_X\0 C:\\temp"),
        ),
        split="heldout",
        source="file",
        tags=('say "a"', "schön"),
    )
    store.add_prompts([chat, prompt("tagged", tags=("a",))])
    store.add_responses(
        [
            response(chat, 0, id='c"0\\', text=EVIL, version="policy@1", purpose="evaluation"),
            response(chat, 1, id="c1", text="ÄRGER: 50%_off", version="policy@1"),
        ]
    )
    first = ranking("r1", one, comment="Überraschend GUT")
    second = ranking("r2", one, best=1, supersedes="r1", strength="much")
    later = NOON + timedelta(days=1)
    for said in (
        first,
        second,
        ranking("r3", two, annotator="bob", created_at=later),
        undo("u3", ranking("r3", two), annotator="bob"),
        skip("s1", two, comment="50% sure"),
        ranking(
            "rc",
            chat,
            annotator="bob",
            comment=EVIL,
            shown_order=("c1", 'c"0\\'),
            ranking=Ranking(tiers=(("c1", 'c"0\\'),)),
            created_at=later,
        ),
    ):
        store.submit(said)


def ids(table):
    return [value.id for value in table]


def texts(table):
    return [value.text for value in table]


def test_tables_hold_what_the_store_holds_in_its_order(lab):
    store = lab.store
    assert list(lab.prompts) == store.prompts()
    assert list(lab.responses) == store.responses()
    assert ids(lab.judgments) == ["r2", "s1", "rc"]
    everything = store.judgments(kinds=("ranking", "skip", "undo"), include_superseded=True)
    assert list(lab.judgments.with_superseded()) == everything
    assert [len(t) for t in (lab.prompts, lab.responses, lab.judgments)] == [4, 6, 3]


def test_rows_are_filtered_by_each_field(lab):
    assert texts(lab.prompts.where(split="heldout")) == ["Größe_X\0 C:\\temp"]
    assert texts(lab.prompts.where(source="user")) == ["one", "two", "tagged"]
    assert texts(lab.prompts.where(tag="a")) == ["tagged"]
    assert texts(lab.prompts.where(tag='say "a"')) == ["Größe_X\0 C:\\temp"]
    assert len(lab.prompts.where(tag=["a", "schön"])) == 2
    assert texts(lab.prompts.where(prompt=prompt("two").id)) == ["two"]
    assert ids(lab.responses.where(version="policy@1")) == ['c"0\\', "c1"]
    assert ids(lab.responses.where(version="policy@1", purpose="candidate")) == ["c1"]
    assert len(lab.responses.where(end_reason="length")) == 0
    assert len(lab.responses.where(split="heldout", source="file", tag="schön")) == 2
    assert ids(lab.judgments.where(annotator="bob")) == ["rc"]
    assert ids(lab.judgments.where(kind="skip")) == ["s1"]
    assert ids(lab.judgments.where(strength="much")) == ["r2"]
    assert ids(lab.judgments.where(occasion="regular")) == ["r2", "s1", "rc"]
    assert ids(lab.judgments.where(version="policy@1")) == ["rc"]
    assert ids(lab.judgments.where(version="policy@0")) == ["r2"]
    assert ids(lab.judgments.where(prompt=prompt("one").id)) == ["r2"]
    assert ids(lab.judgments.where(split="heldout")) == ["rc"]
    assert ids(lab.judgments.where(since=NOON + timedelta(hours=1))) == ["rc"]
    assert ids(lab.judgments.where(since="2025-03-02")) == ["rc"]
    assert ids(lab.judgments.where(since=date(2025, 3, 1))) == ["r2", "s1", "rc"]
    assert ids(lab.judgments.with_superseded().where(kind="undo")) == ["u3"]
    assert ids(lab.judgments.where(kind="ranking").where(annotator=("ann", "bob"))) == ["r2", "rc"]


def test_a_response_whose_id_needs_escaping_is_found_among_those_shown(lab):
    found = lab.judgments.where(version="policy@1").search("alert('X')")
    assert ids(found) == ["rc"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ONE", ["one"]),
        ("größe", ["Größe_X\0 C:\\temp"]),
        ("GRÖSSE", []),
        ("grÖß", ["Größe_X\0 C:\\temp"]),
        ('"GUT".', ["Größe_X\0 C:\\temp"]),
        ("c:\\TEMP", ["Größe_X\0 C:\\temp"]),
        ("x\0 c", ["Größe_X\0 C:\\temp"]),
        ("100%", ["Größe_X\0 C:\\temp"]),
        ("1%0", []),
        ("e_x", ["Größe_X\0 C:\\temp"]),
        ("o_e", []),
        ("o", ["one", "two"]),
        ("user", []),
        ("]", []),
        ('"', ["Größe_X\0 C:\\temp"]),
        ("[[", []),
        ("\\u00f6", []),
        ("\ud800", []),
    ],
)
def test_words_are_found_in_prompts_as_people_read_them(lab, words, found):
    assert texts(lab.prompts.search(words)) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ärger", ["c1"]),
        ("50%_OFF", ["c1"]),
        ("50%off", []),
        ("5_%", []),
        ("SCRIPT>", ['c"0\\']),
        ("[31m\ud800\u202e\0y", ['c"0\\']),
        ("ANSWER 1", ["one-1", "two-1"]),
        ("json:", []),
    ],
)
def test_words_are_found_in_responses(lab, words, found):
    assert ids(lab.responses.search(words)) == found


def test_words_are_found_in_comments_and_in_what_was_judged(lab):
    assert ids(lab.judgments.search("50% SURE")) == ["s1"]
    assert ids(lab.judgments.search("überraschend gut")) == []
    assert ids(lab.judgments.with_superseded().search("überraschend gut")) == ["r1"]
    assert ids(lab.judgments.search("two")) == ["s1"]
    assert ids(lab.judgments.search("ärger")) == ["rc"]
    assert ids(lab.judgments.search("answer 0")) == ["r2"]


def test_rows_are_taken_by_place_from_either_end(lab):
    assert lab.prompts[0].text == "one"
    assert lab.prompts[-1].text == "tagged"
    assert lab.prompts[-4].text == "one"
    assert lab.judgments[2].id == "rc"
    for place in (4, -5):
        with pytest.raises(IndexError, match=rf"row {place} of 4 prompts"):
            lab.prompts[place]


def test_slices_are_tables_that_can_be_narrowed_further(lab):
    assert texts(lab.prompts[1:3]) == ["two", "Größe_X\0 C:\\temp"]
    assert texts(lab.prompts[:-1][-2:]) == ["two", "Größe_X\0 C:\\temp"]
    assert texts(lab.prompts[1:].where(split="train")) == ["two", "tagged"]
    assert len(lab.prompts[3:1]) == 0
    assert len(lab.prompts[2:100]) == 2
    with pytest.raises(ConfigError, match=r"cut in one piece. Use list\(table\)\[::2\]"):
        lab.prompts[::2]


def test_the_newest_come_first(lab):
    assert ids(lab.judgments.newest(2)) == ["rc", "s1"]
    assert ids(lab.judgments.newest(2).newest(1)) == ["s1"]
    assert ids(lab.judgments.newest(3)[:2]) == ["rc", "s1"]
    assert lab.judgments.newest(2)[0].id == "rc"
    assert lab.judgments.newest(2)[-1].id == "s1"
    assert ids(lab.judgments.newest(2).where(kind="skip")) == ["s1"]
    assert len(lab.judgments.newest(2)) == 2
    with pytest.raises(ConfigError, match="at least 1"):
        lab.judgments.newest(0)


def test_a_table_never_changes(lab):
    table = lab.judgments
    for other in (table.where(kind="skip"), table.search("a"), table.newest(1), table[:1]):
        assert other is not table
    table.with_superseded()
    assert ids(table) == ["r2", "s1", "rc"]
    assert bool(table)
    assert not table.where(annotator="nobody")


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"colour": "red"}, "'colour' is nothing to filter judgments by: use annotator, kind, occ"),
        ({"kind": "rank"}, "kind='rank': use 'ranking', 'skip', 'undo', or a list"),
        ({"kind": "undo"}, r"Use \.with_superseded\(\)\.where\(kind='undo'\)"),
        ({"kind": ["skip", "undo"]}, r"Use \.with_superseded"),
        ({"split": "test"}, "split='test': use 'train', 'heldout', or"),
        ({"annotator": None}, "annotator=None: use a text"),
        ({"annotator": []}, "annotator=.*: use a text, or a list of one or more"),
        ({"annotator": [3]}, "annotator=3: use a text"),
        ({"since": "soon"}, "since='soon' is no time"),
        ({"since": datetime(2025, 3, 1, 12)}, "has no time zone"),
        ({"since": 5}, "since=5: use a datetime"),
    ],
)
def test_what_cannot_be_filtered_by_is_said(lab, filters, says):
    with pytest.raises(ConfigError, match=says):
        lab.judgments.where(**filters)


def test_words_must_be_given_and_the_whole_record_be_asked_for_first(lab):
    with pytest.raises(ConfigError, match="nothing to search for"):
        lab.prompts.search(" ")
    for cut in (lab.judgments.newest(1), lab.judgments[:1]):
        with pytest.raises(ConfigError, match=r"call it before newest\(\) or a slice"):
            cut.with_superseded()


def test_tables_stream_over_more_rows_than_a_batch(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        many = [prompt(f"p{n}") for n in range(1203)]
        store.add_prompts(many)
        table = prompt_table(store.database)
        assert list(table) == many
        assert [p.text for p in table.newest(1100)][::1099] == ["p1202", "p103"]
        reading = iter(table)
        assert next(reading) == many[0]
        store.add_prompts([prompt("meanwhile")])  # a loop over a table blocks nobody
        assert sum(1 for _ in reading) == 1203
        assert "1,204 prompts, the first 20" in repr(table)


def test_the_version_of_what_was_shown_is_looked_up_by_prompt(tmp_path):
    """By version, each judgment would read all responses of that version."""
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        fill_tables(store)
        asked = []
        event.listen(
            store.database.engine,
            "before_cursor_execute",
            lambda connection, cursor, sql, values, *rest: asked.append((sql, values)),
        )
        assert len(JudgmentTable(store.database).where(version="policy@0")) == 1
        sql, values = asked[-1]
        with store.database.read() as session:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
            steps = [row[3] for row in plan]
    assert any("responses USING INDEX ix_responses_prompt_id" in step for step in steps)
    assert not any("ix_responses_version" in step for step in steps)


# -- shown


def test_hostile_texts_act_neither_on_a_notebook_nor_on_a_terminal(lab):
    for table in (lab.prompts, lab.responses, lab.judgments, lab.judgments.with_superseded()):
        for shown in (repr(table), table._repr_html_()):
            shown.encode("utf-8")
            assert not set(shown) & set("\x1b\u202e\0")
            assert len(shown) < 9000
        assert "<script" not in table._repr_html_()
    assert "&lt;script&gt;" in lab.judgments._repr_html_()
    assert "background" not in lab.judgments._repr_html_()


def test_a_table_says_how_many_rows_it_has_and_shows_them(lab):
    html = lab.judgments._repr_html_()
    assert "<p>3 judgments</p>" in html
    assert ">annotator</th>" in html
    assert ">A &gt; B<" in html
    assert "where(annotator=, kind=, occasion=" in html
    lines = repr(lab.prompts).splitlines()
    assert lines[0] == "4 prompts"
    assert lines[1].split() == ["prompt", "split", "source", "tags", "id"]
    assert lines[2].split() == ["one", "train", "user", prompt("one").id]
    assert repr(lab.prompts.search("nothing")) == "no prompts"
    assert "<table" not in lab.prompts.search("nothing")._repr_html_()


def test_a_notebook_leaves_texts_alone(lab):
    """JupyterLab would typeset what is between two prices, and turn cells to the right."""
    for table in (lab.prompts, lab.responses, lab.judgments, lab.prompts.search("nothing")):
        html = table._repr_html_()
        assert html.startswith("<div class='tex2jax_ignore mathjax_ignore' style='overflow-x:auto;")
        assert "overflow-wrap:anywhere" in html
        assert html.count("<td ") == html.count("<td dir='auto' style='text-align:start;")


def test_a_ranking_reads_in_the_letters_that_were_on_the_screen(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        (one,) = fill(store, "one", responses=4)
        ids = [f"one-{n}" for n in range(4)]
        order, tiers = (ids[2], ids[0], ids[3], ids[1]), ((ids[1],), (ids[3], ids[2]), (ids[0],))
        store.submit(ranking("r", one, shown_order=order, ranking=Ranking(tiers=tiers)))
        assert "D > A = C > B" in repr(JudgmentTable(store.database))
        trace = str(store.trace("r"))
        assert "A. rank 2  policy@0, one-2" in trace
        assert "D. rank 1  policy@0, one-1" in trace
        assert repr(prompt_table(store.database)).startswith("1 prompt\n")


def test_spaces_of_other_scripts_are_spaces():
    assert printable("全角\u3000空白 et 10\u202f% \u200b") == "全角\u3000空白 et 10\u202f% \\u200b"


@pytest.mark.parametrize("lines", [1, 30, 99, 100, 101, 200])
def test_a_text_with_line_ends_of_windows_is_cut_with_a_mark(lines):
    for rest in range(98, 104):
        text = "\r\n" * lines + "x" * (rest - lines)
        whole = "⏎" * lines + "x" * (rest - lines)
        assert printable(text, 100) == (whole if len(whole) <= 100 else whole[:99] + "…")


# -- elsewhere


def test_a_data_frame_has_every_field(lab):
    frame = lab.judgments.to_pandas()
    assert list(frame["id"]) == ["r2", "s1", "rc"]
    assert frame["tiers"][0] == [["one-1"], ["one-0"]]
    assert frame["comment"][2] == EVIL.replace("\ud800", "?")
    assert frame["created_at"][0] == NOON
    assert list(lab.responses.to_pandas()["seed"])[:2] == [2**70, 2**70 + 1]
    assert list(lab.prompts.search("nothing").to_pandas().columns)[:2] == ["id", "text"]


def test_a_missing_pandas_is_said(lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(StoreError, match=r"pip install pandas, or use to_dataset\(\)"):
        lab.prompts.to_pandas()


def test_a_dataset_has_every_field(lab):
    judged = lab.judgments.to_dataset()
    assert judged["id"] == ["r2", "s1", "rc"]
    assert judged[0]["tiers"] == [["one-1"], ["one-0"]]
    assert judged[1]["tiers"] is None
    assert judged[0]["created_at"].astimezone(UTC) == NOON
    assert judged[2]["comment"] == EVIL.replace("\ud800", "?")
    said = lab.responses.to_dataset()
    assert said[0]["seed"] == str(2**70)
    assert said[0]["sampling"]["temperature"] == 0.7
    assert said[0]["token_ids"] == [0, 1]
    asked = lab.prompts.to_dataset()
    assert asked[2]["messages"][0]["role"] == "system"
    assert len(lab.prompts.search("nothing").to_dataset()) == 0
