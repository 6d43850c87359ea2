"""The Data page: what is shown, what comes in, and who may."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from rlhf_lab.dashboard.pages import data, data_export, data_import, data_trace
from rlhf_lab.dashboard.shell import Act, Fragment, messages
from rlhf_lab.errors import NotAllowed, SignedOut
from rlhf_lab.store.exchange.formats import FORMATS
from rlhf_lab.store.tables import has_lone_surrogate
from rlhf_lab.types import Ranking
from rlhf_lab.widgets.panel import TablePane
from tests.dashboard.pages.html_of import elements, fragments, hostile, text_of
from tests.store.helpers import fill, prompt, ranking, response
from tests.widgets.xss_corpus import NAMED

EVIL = "<script>HIT()</script><img src=x: onerror=HIT()>"


def panes(view) -> list[TablePane]:
    return list(view.select(TablePane))


def act(fragment: Fragment, name: str, key: str = "", **values: str) -> None:
    fragment.act(Act(name=name, key=key, values=values))


def with_act(view, name: str) -> Fragment:
    [found] = [f for f in fragments(view) if f'data-act="{name}"' in f.html]
    return found


def told(context) -> str:
    return text_of(messages(context).html)


def test_an_empty_lab_says_what_to_do_first(context):
    view = data.page(context)
    [shown] = [f for f in fragments(view) if "No data yet" in f.html]
    assert "add some below" in text_of(shown.html)
    assert panes(view) == []
    assert "Nothing to export yet" in "".join(f.html for f in fragments(view))
    act(with_act(view, "add"), "add", prompts="What is tea?", split="")
    assert [f for f in fragments(view) if "No data yet" in f.html] == []
    assert panes(view)[0].state.total == 1


def test_what_there_is_is_counted_and_in_tables(context):
    fill(context.store, "a", "b", "c")
    [a, *_] = context.store.prompts()
    context.store.submit(ranking("j1", a))
    view = data.page(context)
    top = text_of(fragments(view)[0].html)
    assert "Prompts 3" in top
    assert "Responses 6" in top
    assert "Rankings 1" in top
    assert [pane.state.total for pane in panes(view)] == [3, 6, 1, 1]


def test_prompts_are_added_one_in_a_line_and_show_at_once(context):
    view = data.page(context)
    form = with_act(view, "add")
    act(form, "add", prompts="  What is tea?\n\nWhat is rice?\r\nWhat is tea?  ", split="heldout")
    assert [(p.text, p.split) for p in context.store.prompts()] == [
        ("What is tea?", "heldout"),
        ("What is rice?", "heldout"),
    ]
    assert told(context).startswith("2 new prompts. 1 were there already.")
    assert panes(view)[0].state.total == 2
    act(form, "add", prompts=" \n ", split="")
    assert "There is no line with text" in told(context)


def test_a_split_that_is_none_is_the_usual_one(context):
    form = with_act(data.page(context), "add")
    act(form, "add", prompts="\n".join(f"p{n}" for n in range(40)), split="everything")
    splits = {p.split for p in context.store.prompts()}
    assert splits == {"train", "heldout"}


def test_an_annotator_sees_nothing_of_it(context_of):
    with pytest.raises(NotAllowed):
        data.page(context_of("bob", "annotator"))


def test_whoever_is_demoted_can_do_nothing_more_with_an_open_page(context, accounts):
    fill(context.store, "a")
    view = data.page(context)
    form, export, trace = (with_act(view, name) for name in ("add", "narrow", "trace"))
    accounts.set_role("ada", "annotator", by="root")
    act(form, "add", prompts="one more", split="")
    assert "Import: this needs the role researcher" in told(context)
    assert len(context.store.prompts()) == 1
    act(export, "narrow", split="train", ties="both")
    assert "Export: this needs the role researcher" in told(context)
    assert "split=train" not in export.html
    act(trace, "trace", judgment="j1")
    assert "See_data: this needs the role researcher" in told(context)
    pane = panes(view)[0]
    pane.state.apply([{"seq": 1, "id": "event-0001", "type": "refresh"}])
    assert "see_data: this needs" in pane.state.notice["text"]
    accounts.disable("ada", by="root")
    with pytest.raises(SignedOut):
        context.actor.require("import")
    act(form, "add", prompts="one more", split="")
    assert messages(context).address.startswith("/login")
    assert len(context.store.prompts()) == 1


# -- importing


def test_a_report_shows_what_is_new_and_each_rejected_row(context):
    shown = data_import.report(
        200,
        {
            "summary": "a.jsonl (trl): 3 rows; new: 2 prompts",
            "rows": 3,
            "new": {"prompts": 2, "judgments": 1},
            "known": {"prompts": 1},
            "rejected": [{"line": 2, "field": "prompt", "reason": "is no text"}],
            "rejections": 7,
        },
    )
    text = text_of(shown)
    assert "a.jsonl (trl): 3 rows; new: 2 prompts" in text
    assert "New prompts 2 1 known" in text
    assert "7 rejected rows, the first 1 below" in text
    assert "2 prompt is no text" in text


@pytest.mark.parametrize(
    ("status", "reply", "expected"),
    [
        (413, {"error": "x.csv is larger than 64 MiB"}, "x.csv is larger than 64 MiB"),
        (422, {"error": "bad", "rejected": [{"line": 1}], "rejections": 1}, "1 rejected row"),
        (
            422,
            {"error": "a.csv: 1 of 2 rows rejected:\n  line 1", "rejected": [{"line": 1}]},
            "a.csv: 1 of 2 rows rejected. Nothing was stored: repair these rows",
        ),
        (0, {}, "The file could not be sent: try again."),
        (200, {}, "Imported."),
        (200, {"rows": "many", "new": ["no"], "known": None, "rejected": "x"}, "Rows 0"),
        (500, {"error": None, "rejected": [1, None, {"reason": ["x"]}]}, "['x']"),
    ],
)
def test_whatever_a_browser_passes_on_is_shown(status, reply, expected):
    assert expected in text_of(data_import.report(status, reply))


def test_an_import_is_seen_at_once(context):
    view = data.page(context)
    [upload] = view.select(data_import.Upload)
    context.lab.add_prompts(["imported meanwhile"])
    upload.answer = {"status": 200, "reply": {"summary": "done", "rows": 1}}
    assert panes(view)[0].state.total == 1
    assert any("done" in f.html for f in fragments(view))
    upload.answer = {"status": "nonsense", "reply": ["none"]}
    assert any("The file could not be sent" in f.html for f in fragments(view))


@pytest.mark.parametrize("name", ["tags-1", "handlers-1", "names-17", "unicode-1"])
def test_hostile_file_names_and_reasons_are_text(name):
    evil = NAMED[name]
    reply = {"error": evil, "rejected": [{"line": 1, "field": evil, "reason": evil}]}
    shown = data_import.report(422, reply)
    assert elements(shown) <= {
        "div",
        "span",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }


# -- exporting


def test_every_format_says_what_it_is_for_and_no_other_is_offered():
    assert set(data_export.PURPOSES) == {form.name for form in FORMATS}


def test_links_ask_for_what_they_say(context):
    fill(context.store, "a")
    export = with_act(data.page(context), "narrow")
    asked = [parse_qs(urlsplit(address).query) for address in _links(export.html)]
    assert len(asked) == len(FORMATS) * len(data_export.KINDS)
    assert {one["what"][0] for one in asked} == {"judgments", "prompts", "demonstrations"}
    for one in asked:
        [form] = [f for f in FORMATS if f.name == one["format"][0]]
        assert form.what == one["what"][0]
        assert "split" not in one
    act(export, "narrow", split="heldout", ties="drop")
    asked = [parse_qs(urlsplit(address).query) for address in _links(export.html)]
    assert all(one["split"] == ["heldout"] for one in asked)
    assert {("ties" in one, one["what"][0]) for one in asked} == {
        (True, "judgments"),
        (False, "prompts"),
        (False, "demonstrations"),
    }
    act(export, "narrow", split="../../etc", ties='"><script>')
    assert "etc" not in export.html
    assert "<script" not in unescape(export.html)


def _links(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="(/download[^"]*)"', html)]


# -- tracing


def test_a_trace_shows_who_said_what_of_what(context):
    fill(context.store, "a")
    [a] = context.store.prompts()
    context.store.submit(ranking("j1", a, comment=EVIL))
    trace = with_act(data.page(context), "trace")
    act(trace, "trace", judgment="j1")
    text = text_of(trace.html)
    assert "j1 (ranking, counts)" in text
    assert "ann" in text
    assert EVIL in text
    assert "answer 0" in text
    assert not hostile(trace.html)
    act(trace, "trace", judgment="unknown")
    assert "Judgment 'unknown' is not in this lab" in told(context)


def test_a_judgment_in_the_address_is_traced(context, monkeypatch):
    fill(context.store, "a")
    [a] = context.store.prompts()
    context.store.submit(ranking("j1", a))
    for asked, expected in ((b"j1", "j1 (ranking, counts)"), (b"\xff<b>", "Trace a judgment")):
        monkeypatch.setattr(data_trace, "asked_for", lambda _, asked=asked: asked.decode("latin-1"))
        assert expected in text_of(data_trace.trace_card(context).html)


def test_no_payload_becomes_an_element_of_a_trace(context):
    store = context.store
    # Each kind of payload; how a text is rendered has tests of its own.
    some = dict(list(NAMED.items())[::4])
    whole = {name: text for name, text in some.items() if not has_lone_surrogate(text)}
    asked = {name: prompt(text, source=text) for name, text in whole.items()}
    store.add_prompts(asked.values())
    for name, about in asked.items():
        ids = (f"{name}-0", f"{name}-1")
        store.add_responses(response(about, n, id=i, text=whole[name]) for n, i in enumerate(ids))
        said = Ranking(tiers=(ids,))
        store.submit(ranking(name, about, shown_order=ids, ranking=said, comment=whole[name]))
    trace = data_trace.trace_card(context)
    for name in whole:
        act(trace, "trace", judgment=name)
        assert "Trace of a judgment" in trace.html, name
        assert not hostile(trace.html), name
        assert "comment" in text_of(trace.html), name
