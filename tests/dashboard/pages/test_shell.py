"""The frame around every page, and the pieces that pages are made of."""

import logging
import re
from datetime import UTC, datetime

import panel as pn
import pytest
from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.models import InlineStyleSheet
from markupsafe import Markup
from panel.io.server import html_page_for_render_items

from rlhf_lab.dashboard import shell
from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages import PAGES
from rlhf_lab.errors import ConfigError, SignedOut
from rlhf_lab.lab import Lab
from tests.dashboard.pages.html_of import elements, text_of
from tests.dashboard.pages.lab_items import act
from tests.widgets.xss_corpus import PAYLOADS

WHEN = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
PIECES = {
    "heading": lambda t: shell.heading(t, t, shell.button(t, "go", key=t)),
    "section": lambda t: shell.section(t, t, note=t),
    "empty_state": lambda t: shell.empty_state(t, t, shell.link(t, "/rank")),
    "notice": lambda t: shell.notice("error", t),
    "stats": lambda t: shell.stats(shell.stat(t, t, t)),
    "badge": lambda t: shell.badge(t),
    "progress": lambda t: shell.progress(1, 2, t),
    "data_table": lambda t: shell.data_table([t, t], [[t, t]], caption=t, keys=[t]),
    "button": lambda t: shell.button(t, t, key=t, confirm=t, label=t),
    "field": lambda t: shell.field(t, t, t, help=t, placeholder=t),
    "area": lambda t: shell.field(t, t, t, kind="area"),
    "choice": lambda t: shell.choice(t, t, {t: t}, t, help=t),
    "form": lambda t: shell.form(t, shell.field(t, "x"), submit=t, key=t, confirm=t),
    "details": lambda t: shell.details(t, t),
    "time": lambda t: shell.time(None, never=t),
    "html": lambda t: shell.html("<p title='{{ t }}'>{{ t }}</p>", t=t),
}


def page_html(context, body) -> str:
    """The whole page, as its server answers with it."""
    document = Document()
    framed = shell.frame(context, "rank", body)
    framed.server_doc(document)
    jsons, items = standalone_docs_json_and_render_items(document.roots)
    return html_page_for_render_items(
        ("", ""), jsons, items, "", document.template, document.template_variables
    )


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_text_is_a_text_in_every_piece(piece):
    make = PIECES[piece]
    harmless = elements(make("a text"))
    for payload in PAYLOADS:
        made = make(payload)
        assert elements(made) == harmless, payload


def test_a_fragment_takes_what_is_no_html_of_ours_for_text():
    fragment = shell.Fragment("<img src=x onerror=HIT()>")
    assert fragment.html == "&lt;img src=x onerror=HIT()&gt;"
    fragment.put("<b>")
    assert fragment.html == "&lt;b&gt;"
    fragment.put(Markup("<b>bold</b>"))
    assert fragment.html == "<b>bold</b>"


def test_a_fragment_without_anything_to_show_takes_no_room():
    fragment = shell.Fragment()
    assert not fragment.visible
    fragment.put("news")
    assert fragment.visible
    fragment.put("")
    assert not fragment.visible


def test_links_lead_nowhere_but_into_the_dashboard():
    assert 'href="/rounds?x=1"' in shell.link("Rounds", "/rounds?x=1")
    for address in ("//evil.example", "https://evil.example", "javascript:HIT()", ""):
        with pytest.raises(ValueError, match="begins with one slash"):
            shell.link("x", address)


def test_what_a_page_sends_is_text_or_nothing():
    sent = shell.Act.parse(
        {"act": "save", "key": 7, "values": {"name": " Ada ", "age": 3, "list": ["x"]}}
    )
    assert (sent.name, sent.key) == ("save", "")
    assert [sent.value(name) for name in ("name", "age", "list", "absent")] == ["Ada", "", "", ""]
    for nothing in (None, "act", [], {"act": ["save"], "values": "name"}):
        assert shell.Act.parse(nothing) == shell.Act(name="", key="", values={})


def test_an_act_of_the_page_is_handled_and_said_to_be():
    done = []
    fragment = shell.Fragment("x", on_act=done.append)
    fragment.acted = {"act": "go", "key": "a", "values": {}, "number": 1}
    fragment.acted = {"act": "go", "key": "a", "values": {}, "number": 2}
    assert [(one.name, one.key) for one in done] == [("go", "a")] * 2
    assert fragment.handled == 2


def test_an_act_that_fails_is_handled_too():
    def fail(_):
        raise RuntimeError("the disk is gone")

    fragment = shell.Fragment("x", on_act=fail)
    with pytest.raises(RuntimeError):
        fragment.act(act("go"))
    assert fragment.handled == 1


def test_each_act_goes_to_the_function_of_its_name():
    done = []
    on_act = shell.each(
        put_away=lambda a: done.append(("put away", a.key)),
        save=lambda a: f"Saved {a.key}.",
    )
    assert on_act(act("save", "x")) == "Saved x."
    on_act(act("put-away", "y"))
    assert on_act(act("__class__")) is None
    assert done == [("put away", "y")]


def told(context: Context) -> str:
    return text_of(shell.messages(context).html)


def test_what_came_of_an_act_is_told(context):
    def refuse():
        raise ConfigError("k=1: at least 2.")

    shell.acting(context, lambda: "Saved.")()
    assert told(context) == "Saved. Close"
    shell.acting(context, refuse)()
    assert told(context) == "K=1: at least 2. Close"
    assert 'role="alert"' in shell.messages(context).html
    shell.messages(context).act(act("close"))
    assert told(context) == ""


def test_an_unforeseen_error_is_logged_and_its_text_stays_there(context, caplog):
    def fail():
        raise KeyError("a secret prompt")

    with caplog.at_level(logging.ERROR):
        shell.acting(context, fail)()
    assert told(context) == "That did not work: KeyError. The server's log says more. Close"
    assert "an act on a page failed" in caplog.text


def test_who_is_signed_out_is_led_to_sign_in_again(context, accounts):
    accounts.sign_out(context.actor.sign_in_id)
    shell.acting(context, lambda: context.actor.require("ask_job").name)()
    assert shell.messages(context).address == "/login?ended=1"


def test_a_page_that_only_looks_on_notices_that_it_is_signed_out(context, accounts):
    looked = []
    follow = shell.following(context, lambda: looked.append(1))
    follow()
    assert (len(looked), shell.messages(context).address) == (1, "")
    accounts.disable("ada", by="root")
    follow()
    assert (len(looked), shell.messages(context).address) == (1, "/login?ended=1")


def test_a_look_that_fails_does_not_end_the_following(context, caplog):
    def fail():
        raise OSError("the database is locked")

    with caplog.at_level(logging.ERROR):
        shell.following(context, fail)()
    assert "could not be brought up to date" in caplog.text


def test_messages_of_two_pages_do_not_mix(context, context_of):
    other = context_of("ben", "annotator")
    shell.tell(context, "ok", "Saved.")
    assert told(other) == ""


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("annotator", ["rank", "evaluate", "calibrate"]),
        ("researcher", list(PAGES)),
        ("admin", list(PAGES)),
    ],
)
def test_everybody_is_led_to_the_pages_that_they_may_see(context_of, role, names):
    account = context_of("cleo", role).actor.account()
    assert [page.name for page in shell.navigation(account)] == names


def test_the_frame_says_where_one_is_and_who(context):
    page = page_html(context, pn.Column())
    assert "<title>Rank · lab</title>" in page
    assert '<a href="/rank" aria-current="page">Rank</a>' in page
    assert page.count("aria-current") == 1
    assert '<form method="post" action="/logout"' in page
    assert '<p class="lab-who">ada<small>researcher</small></p>' in page


def test_nothing_in_a_page_comes_from_elsewhere_or_runs_in_a_tag(context):
    page = page_html(context, shell.Fragment("x"))
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert "/assets/dashboard.css" in addresses
    assert [a for a in addresses if not re.match("/(?!/)|#", a)] == []
    assert not {name for name in elements(page) if name.startswith("on")}


def test_a_hostile_name_of_a_lab_or_a_person_is_a_text_in_the_frame(tmp_path, accounts, context_of):
    harmless = elements(page_html(context_of("cleo", "annotator"), shell.Fragment("x")))
    for number, payload in enumerate(p for p in PAYLOADS if "/" not in p and "\0" not in p):
        name = " ".join(payload.split())[:64].strip()
        if number % 20 or not name.isprintable() or len(payload.encode()) > 200:
            continue
        context = context_of(name, "annotator")
        with Lab(tmp_path / payload, progress=False) as lab:
            named = Context(
                lab=lab,
                actor=context.actor,
                jobs=context.jobs,
                accounts=accounts,
                base_url=context.base_url,
            )
            assert elements(page_html(named, shell.Fragment("x"))) == harmless, payload


def test_nobody_gets_a_frame_who_is_signed_out(context, accounts):
    accounts.sign_out(context.actor.sign_in_id)
    with pytest.raises(SignedOut):
        shell.frame(context, "rank", pn.Column())


def test_all_components_of_a_page_share_one_style(context):
    document = Document()
    inner = shell.card("Title", pn.widgets.Button(label="Go"), shell.Fragment("x"))
    shell.frame(context, "rank", shell.page_of(inner)).server_doc(document)
    models = [model for root in document.roots for model in root.references()]
    styles = {m.id for m in models if isinstance(m, InlineStyleSheet) and ".lab-card" in m.css}
    assert len(styles) == 1
    styled = [m for m in models if styles & {getattr(s, "id", "") for s in _sheets(m)}]
    assert {"Button", "Column", "AnyWidgetComponent"} <= {type(m).__name__ for m in styled}


def _sheets(model):
    return getattr(model, "stylesheets", [])


def test_times_say_when_also_without_a_script():
    shown = shell.time(WHEN)
    assert 'datetime="2026-03-04T05:06:00+00:00"' in shown
    assert text_of(shown) == "2026-03-04 05:06 UTC"
    assert text_of(shell.time(None)) == "never"


def test_a_table_names_its_rows_and_its_columns():
    table = shell.data_table(["Who", "How many", ""], [["Ada", 3, "x"]], figures={1}, keys=["a"])
    assert '<th scope="row">Ada</th>' in table
    assert '<th scope="col" class="lab-figure">How many</th>' in table
    assert '<span class="lab-sr-only">Actions</span>' in table
    assert '<tr data-row="a">' in table
