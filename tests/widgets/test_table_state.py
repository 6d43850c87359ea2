"""The table widget without a browser, over a real store."""

import json

import pytest

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import PreferenceStore, TableBrowser
from rlhf_lab.store.listing import response_table
from rlhf_lab.types import TablePage, TableQuery
from rlhf_lab.widgets import TableWidget
from rlhf_lab.widgets.table_state import TableState
from tests.store.helpers import fill, prompt, response

EVIL = "<img src=x onerror=alert(1)> \ud800 \0 \u202e $\\text{<script>alert(1)</script>}$"


@pytest.fixture
def store(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        yield store


@pytest.fixture
def source(store):
    """120 responses, "answer 0" to "answer 119", of versions policy@0 and policy@1 in turn."""
    one = prompt("one")
    store.add_prompts([one])
    store.add_responses(
        response(one, n, text=f"answer {n}", version=f"policy@{n % 2}") for n in range(120)
    )
    return TableBrowser(response_table(store.database))


@pytest.fixture
def state(source):
    return TableState(source, page_size=25)


def query(number: int, **fields) -> dict:
    asked = {"search": "", "filters": {}, "sort": "", "descending": False, "page": 0}
    return {
        "seq": number,
        "id": f"query-{number:04}",
        "type": "query",
        "number": number,
        "page_size": 25,
        **asked,
        **fields,
    }


def page(state: TableState) -> dict:
    return state.content["page"]


def texts(state: TableState) -> list[str]:
    return [row["cells"]["response"] for row in page(state)["rows"]]


def choice(state: TableState, column: str, label: str) -> str:
    (found,) = (one for one in state.content["columns"] if one["name"] == column)
    return next(one["key"] for one in found["choices"] if one["label"] == label)


def test_the_first_page_is_there_at_once(state):
    assert texts(state) == [f"answer {n}" for n in range(119, 94, -1)]
    assert (page(state)["number"], page(state)["phase"], state.total) == (0, "ready", 120)
    assert state.content["name"] == "responses"
    assert state.view == {"detail": None}
    json.dumps(state.values())


def test_a_query_is_answered_with_its_number_and_all_that_it_asked(state):
    key = choice(state, "version", "policy@1")
    asked = {
        "search": "Answer 1",
        "filters": {"version": key},
        "sort": "when",
        "descending": True,
        "page": 0,
    }
    state.apply([query(1, **asked)])
    answer = page(state)
    assert {name: answer[name] for name in asked} == asked
    # Odd ones that start with a 1: 1, five from 11 to 19 and ten from 101 to 119.
    assert (answer["number"], answer["total"], len(texts(state))) == (1, 16, 16)
    assert texts(state)[:2] == ["answer 119", "answer 117"]  # times go up with numbers
    assert state.acked_seq == 1


def test_turning_pages_shows_every_row_once(state):
    seen = list(texts(state))
    for number in range(1, 5):
        state.apply([query(number, page=number)])
        seen += texts(state)
    assert sorted(seen) == sorted(f"answer {n}" for n in range(120))
    assert len(texts(state)) == 20


def test_a_page_behind_the_last_is_the_last(state):
    state.apply([query(1, page=99)])
    assert page(state)["page"] == 4
    assert texts(state)[-1] == "answer 0"
    state.apply([query(2, page=3, search="no such words")])
    assert (page(state)["page"], page(state)["total"], texts(state)) == (0, 0, [])


def test_a_late_question_changes_nothing_but_is_acknowledged(state):
    state.apply([query(3, search="answer 7")])
    shown = texts(state)
    state.apply([{**query(2, search="answer 8"), "seq": 4}])
    assert texts(state) == shown
    assert (page(state)["number"], page(state)["search"]) == (3, "answer 7")
    assert state.acked_seq == 4


def test_of_questions_that_come_at_once_the_last_alone_is_read(state, source, monkeypatch):
    asked = []
    read = source.page

    def note(wanted, offset, limit) -> TablePage:
        asked.append(wanted.search)
        return read(wanted, offset, limit)

    monkeypatch.setattr(source, "page", note)
    state.apply([query(n, search="answer"[:n]) for n in (1, 2, 3)])
    assert asked == ["ans"]
    assert (state.acked_seq, page(state)["number"]) == (3, 3)
    # The page still has them when it sends the next one.
    state.apply([query(n, search="answer"[:n]) for n in (1, 2, 3, 4)])
    assert asked == ["ans", "answ"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sort": "response"}, "sort='response': use one of length, version"),
        ({"page_size": 26}, "page_size=26: use one of 25, 50, 100, 200."),
        ({"filters": {"version": "other"}}, "'version' has no such value any more"),
        ({"filters": {"colour": "red"}}, "'colour' has no such value any more"),
    ],
)
def test_what_cannot_be_asked_is_answered_with_the_reason(state, fields, said):
    state.apply([query(1, **fields)])
    assert state.notice
    assert said in state.notice["text"]
    assert (page(state)["phase"], page(state)["number"]) == ("error", 1)
    state.apply([query(2)])
    assert (page(state)["phase"], len(texts(state))) == ("ready", 25)


@pytest.mark.parametrize("value", [None, -1, "2", True, 1.5, [], {}])
def test_numbers_that_are_none_count_as_the_first_page(state, value):
    state.apply([query(1, page=value)])
    assert page(state)["page"] == 0
    state.apply([{**query(2), "number": value}])
    assert page(state)["number"] == 1


def test_a_source_that_fails_is_told_and_asked_again_on_refresh(state, source, monkeypatch):
    def fail(*_) -> TablePage:
        raise StoreError("the disk is gone.")

    with monkeypatch.context() as broken:
        broken.setattr(source, "page", fail)
        state.apply([query(1, search="answer 7")])
    assert state.notice == {
        "id": 1,
        "tone": "error",
        "text": "The rows could not be read. the disk is gone.",
    }
    assert (page(state)["phase"], page(state)["search"]) == ("error", "answer 7")
    state.apply([{"seq": 2, "id": "refresh-1", "type": "refresh"}])
    assert (page(state)["phase"], page(state)["number"]) == ("ready", 1)
    assert texts(state)[0] == "answer 79"


def test_a_refresh_shows_new_rows_and_new_values(state, store):
    fill(store, "two", responses=1)
    store.add_responses([response(prompt("two"), 5, text="brand new", version="policy@9")])
    told = []
    state.on_change(lambda: told.append(1))
    state.refresh()
    assert told == [1]
    assert texts(state)[0] == "brand new"
    assert state.total == 122
    assert choice(state, "version", "policy@9")


def test_a_row_is_shown_whole_and_only_while_it_is_on_the_page(state):
    key = page(state)["rows"][0]["key"]
    state.apply([{"seq": 1, "id": "detail-1", "type": "detail", "row": key}])
    detail = state.view["detail"]
    assert (detail["row"], detail["title"], detail["error"]) == (key, "response", "")
    assert ["id", "one-119"] in detail["facts"]
    assert detail["texts"][0] == {"label": "Prompt", "note": "", "html": "<p>one</p>\n"}
    assert detail["texts"][1]["html"] == "<p>answer 119</p>\n"
    state.apply([query(2, page=1), {"seq": 3, "id": "detail-3", "type": "detail", "row": key}])
    assert state.view["detail"]["row"] == key
    assert state.view["detail"]["error"] == "This row is not on the page any more."


def test_a_detail_that_fails_says_why(state, source, monkeypatch):
    monkeypatch.setattr(source, "detail", lambda row: 1 / 0)
    key = page(state)["rows"][0]["key"]
    state.apply([{"seq": 1, "id": "detail-1", "type": "detail", "row": key}])
    error = "This row could not be read. ZeroDivisionError: division by zero"
    assert state.view["detail"]["error"] == error
    assert page(state)["phase"] == "ready"


def test_hostile_texts_cross_as_plain_text_or_as_safe_html(store):
    one = prompt(EVIL.replace("\ud800", ""))
    store.add_prompts([one])
    store.add_responses([response(one, 0, id=EVIL, text=EVIL, version=EVIL)])
    state = TableState(TableBrowser(response_table(store.database)))
    key = page(state)["rows"][0]["key"]
    (version,) = (one for one in state.content["columns"] if one["name"] == "version")
    label = version["choices"][0]["label"]
    assert label.startswith("<img src=x onerror=alert(1)> \ufffd \ufffd")
    state.apply(
        [
            query(1, filters={"version": version["choices"][0]["key"]}, search="\ud800"),
            {"seq": 2, "id": "detail-1", "type": "detail", "row": key},
        ]
    )
    assert page(state)["total"] == 1
    detail = state.view["detail"]
    assert detail["error"] == ""
    for text in detail["texts"]:
        assert "<img" not in text["html"]
        assert "<script" not in text["html"]
    json.dumps(state.values(), ensure_ascii=False).encode("utf-8")


def test_an_unknown_event_is_told(state):
    state.apply([{"seq": 1, "id": "whatever", "type": "delete"}])
    assert state.notice
    assert state.notice["text"] == "'delete' is no event: query, detail or refresh."


def test_sizes_of_pages_are_few(source):
    with pytest.raises(ConfigError, match="page_size=10: use one of 25, 50, 100, 200"):
        TableState(source, page_size=10)


def test_the_widget_syncs_the_page(source):
    widget = TableWidget(source, page_size=100)
    widget.events = [query(1, page=1, page_size=100)]
    assert widget.acked_seq == 1
    assert len(widget.content["page"]["rows"]) == 20
    widget.refresh()
    assert widget.state.total == 120
    widget.close()


def test_an_empty_table_is_ready(store):
    state = TableState(TableBrowser(response_table(store.database)))
    assert (page(state)["phase"], page(state)["total"], texts(state)) == ("ready", 0, [])


def test_a_source_may_be_anything_that_reads_pages():
    class Squares:
        name = "squares"
        searches = "squares"

        def columns(self) -> list:
            return []

        def page(self, query: TableQuery, offset: int, limit: int) -> TablePage:
            return TablePage(total=0, rows=())

        def detail(self, row_id: str) -> None:
            raise AssertionError

    assert TableState(Squares()).total == 0
