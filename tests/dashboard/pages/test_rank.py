"""The page Rank: what it shows whom, and what happens on it."""

import time

import pytest

from rlhf_lab.annotators import CalibrationQueue
from rlhf_lab.dashboard.pages.rank import RankPage
from rlhf_lab.dashboard.pages.rank_setup import RankingSetup, in_words, setup_form
from rlhf_lab.dashboard.shell import messages
from rlhf_lab.errors import ConfigError, SignedOut
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.calibrating import CalibrationPlan
from rlhf_lab.types import FLAGS
from rlhf_lab.widgets.panel import RankingPane
from rlhf_lab.widgets.ranking_state import RankingState
from tests.dashboard.pages.html_of import elements, fragments, text_of
from tests.dashboard.pages.lab_items import act, answer, make_present, offer
from tests.widgets.xss_corpus import PAYLOADS

SETUP = {"criteria": "helpful", "flags": "", "instructions": "Be kind."}


@pytest.fixture
def ben(context_of):
    return context_of("ben", "annotator")


def shown(page) -> str:
    return " ".join(text_of(f.html) for f in fragments(page.view) if f.visible)


def html_of(page) -> str:
    return "".join(f.html for f in fragments(page.view) if f.visible)


def told(context) -> str:
    return text_of(messages(context).html)


def has_ranker(page) -> bool:
    return bool(list(page.view.select(RankingPane)))


def do(page, name, key="", /, **values):
    """As when somebody does something on the page, wherever on it that is."""
    for fragment in fragments(page.view):
        fragment.act(act(name, key, **values))


# -- what is shown


def test_an_annotator_ranks_and_sees_how_the_work_is_shared_out(lab, ben):
    lab.plan = AssignmentPlan(overlap=3)
    offer(lab, ["Tea?", "Rain?"])
    page = RankPage(ben)
    assert "responses of policy@0 · 3 people per item" in shown(page)
    assert has_ranker(page)
    answer(page.pane.state, 1)
    assert [(j.annotator, j.seconds) for j in lab.store.judgments()] == [("ben", 10.0)]
    assert page.pane.state.view["progress"] == {"done": 1, "total": 2}


def test_only_who_may_set_up_ranking_is_offered_to(lab, ben, context):
    offer(lab, ["Tea?"])
    assert "Set up ranking" not in shown(RankPage(ben))
    assert "Set up ranking" in shown(RankPage(context))


def test_the_plan_in_words():
    assert in_words(AssignmentPlan()) == "everybody ranks every item"
    assert in_words(AssignmentPlan(overlap=1)) == "one person per item"
    assert in_words(AssignmentPlan(overlap=2)) == "2 people per item"


def test_instructions_are_open_for_newcomers_and_folded_later(lab, ben):
    RankingSetup(instructions="Shorter is **better**.").write(lab.store)
    offer(lab, ["Tea?", "Rain?"])
    page = RankPage(ben)
    assert "<strong>better</strong>" in html_of(page)
    assert '<details class="lab-details" open>' in html_of(page)
    answer(page.pane.state, 1)
    assert '<details class="lab-details">' in html_of(RankPage(ben))


def test_hostile_instructions_become_no_element_that_does_something(lab, ben):
    offer(lab, ["Tea?"])
    RankingSetup(instructions="\n\n".join(PAYLOADS)[:20_000]).write(lab.store)
    found = elements(html_of(RankPage(ben)))
    assert not {name for name in found if name.startswith("on")}
    assert not found & {
        "script",
        "img",
        "iframe",
        "form",
        "style",
        "svg",
        "object",
        "input",
        "link",
    }


def test_hostile_criteria_flags_and_instructions_are_texts_in_the_form():
    harmless = elements(setup_form(RankingSetup()))
    for payload in PAYLOADS:
        names = (payload[:40].strip() or "x",)
        setup = RankingSetup(instructions=payload[:20_000], criteria=names, flags=names)
        assert elements(setup_form(setup)) == harmless, payload


def test_what_is_asked_beside_the_ranks_is_the_labs(lab, ben):
    offer(lab, ["Tea?"])
    assert RankPage(ben).pane.state.content["flags"] == list(FLAGS)
    RankingSetup(criteria=("helpful", "honest"), flags=("rude",)).write(lab.store)
    content = RankPage(ben).pane.state.content
    assert (content["criteria"], content["flags"]) == (["helpful", "honest"], ["rude"])


# -- nothing to rank


def test_without_prompts_a_researcher_is_led_to_the_import(context):
    page = RankPage(context)
    assert "No prompts yet" in shown(page)
    assert 'href="/data"' in html_of(page)
    assert not has_ranker(page)


def test_without_responses_a_researcher_is_led_to_the_rounds(lab, context):
    lab.add_prompts(["Tea?"])
    page = RankPage(context)
    assert "policy@0 has not answered any prompts" in shown(page)
    assert 'href="/rounds"' in html_of(page)


def test_an_annotator_waits_and_goes_on_when_something_comes(lab, ben):
    page = RankPage(ben)
    assert "You can leave this page open: it looks by itself." in shown(page)
    assert "href" not in html_of(page)
    offer(lab, ["Tea?"])
    page.follow()
    assert has_ranker(page)
    assert "Nothing to rank yet" not in shown(page)
    answer(page.pane.state, 1)
    assert len(lab.store.judgments()) == 1


def test_who_has_finished_goes_on_when_something_comes(lab, ben):
    offer(lab, ["Tea?"])
    page = RankPage(ben)
    answer(page.pane.state, 1)
    assert page.pane.state.done
    offer(lab, ["Rain?"])
    page.follow()
    assert page.pane.state.view["phase"] == "ranking"


def test_who_waits_for_others_gets_what_they_give_back(lab, ben, context_of):
    lab.plan = AssignmentPlan(overlap=1, lease_seconds=2.0)
    offer(lab, ["Tea?"])
    RankPage(context_of("cleo", "annotator"))
    page = RankPage(ben)
    assert page.pane.state.view["phase"] == "waiting"
    time.sleep(2.1)
    page.follow()
    assert page.pane.state.view["phase"] == "ranking"


# -- calibration comes first


def test_a_newcomer_calibrates_before_anything_is_handed_out_to_them(lab, context_of, context):
    offer(lab, ["Tea?", "Rain?"])
    researcher = RankPage(context)
    answer(researcher.pane.state, 1)
    lab.make_gold(judgment.id for judgment in lab.store.judgments())
    lab.store.assignments.calibration = CalibrationPlan(enabled=True)

    ben = context_of("ben", "annotator")
    page = RankPage(ben)
    assert "Calibrate first 1 item waits whose answers are known." in shown(page)
    assert 'href="/calibrate"' in html_of(page)
    assert not has_ranker(page)
    assert RankPage(context).pane is not None

    answer(RankingState(CalibrationQueue(lab.store, annotator="ben", seed=lab.seed)), 2)
    page.follow()
    assert has_ranker(page)


# -- another version


def test_a_new_version_waits_until_the_item_is_done(lab, ben):
    offer(lab, ["Tea?", "Rain?"])
    page = RankPage(ben)
    pane = page.pane
    offer(lab, ["Tea?"], version="policy@1")
    make_present(lab, "policy@1")
    page.follow()
    assert page.pane is pane
    assert "policy@1 is the present policy now." in shown(page)

    do(page, "go-on")
    assert page.pane is not pane
    assert "responses of policy@1" in shown(page)
    assert "is the present policy now" not in shown(page)
    answer(page.pane.state, 1)
    [judgment] = lab.store.judgments()
    assert all(i.startswith("policy@1") for i in judgment.shown_order)


def test_a_version_that_goes_again_is_told_of_no_more(lab, ben):
    offer(lab, ["Tea?"])
    page = RankPage(ben)
    make_present(lab, "policy@1")
    page.follow()
    make_present(lab, "policy@0")
    page.follow()
    assert "is the present policy now" not in shown(page)


def test_who_has_nothing_in_hand_follows_the_version_at_once(lab, ben):
    offer(lab, ["Tea?"])
    page = RankPage(ben)
    answer(page.pane.state, 1)
    offer(lab, ["Tea?"], version="policy@1")
    make_present(lab, "policy@1")
    page.follow()
    assert "responses of policy@1" in shown(page)
    assert page.pane.state.view["progress"] == {"done": 0, "total": 1}


# -- setting up


def test_a_researcher_sets_up_how_the_team_ranks(lab, context):
    offer(lab, ["Tea?"])
    page = RankPage(context)
    do(page, "set-up", **SETUP)
    assert told(context).startswith("Saved.")
    assert RankingSetup.read(lab.store) == RankingSetup(
        instructions="Be kind.", criteria=("helpful",), flags=()
    )
    assert "Be kind." in shown(page)


def test_what_cannot_be_set_up_is_told_and_changes_nothing(lab, context):
    page = RankPage(context)
    for change, words in (
        ({"criteria": "kind, kind"}, "a name comes twice"),
        ({"flags": ", ".join(f"flag{n}" for n in range(13))}, "13 flags"),
        ({"criteria": "x" * 41}, "the longest of 41 characters"),
        ({"instructions": "x" * 20_001}, "20,001 characters"),
    ):
        do(page, "set-up", **{**SETUP, **change})
        assert words in told(context)
        assert RankingSetup.read(lab.store) == RankingSetup()


def test_an_annotator_who_sends_the_form_all_the_same_is_refused(lab, ben):
    page = RankPage(ben)
    do(page, "set-up", **SETUP)
    assert "this needs the role researcher" in told(ben)
    assert RankingSetup.read(lab.store) == RankingSetup()


def test_a_researcher_who_is_one_no_more_is_refused_at_the_next_act(lab, accounts, context):
    page = RankPage(context)
    accounts.set_role("ada", "annotator", by="root")
    do(page, "set-up", **SETUP)
    assert "needs the role researcher" in told(context)
    assert RankingSetup.read(lab.store) == RankingSetup()


# -- signed out


def test_what_who_is_signed_out_ranks_is_not_saved_and_they_are_told(lab, accounts, ben):
    offer(lab, ["Tea?"])
    page = RankPage(ben)
    accounts.sign_out(ben.actor.sign_in_id)
    answer(page.pane.state, 1)
    assert page.pane.state.notice is not None
    assert "Not saved: " in page.pane.state.notice["text"]
    assert "sign in again" in page.pane.state.notice["text"]
    assert lab.store.judgments() == []


def test_nobody_gets_the_page_who_is_signed_out(accounts, ben):
    accounts.disable("ben", by="root")
    with pytest.raises(SignedOut):
        RankPage(ben)


def test_a_set_up_that_no_page_could_show_is_refused():
    with pytest.raises(ConfigError, match="criteria"):
        RankingSetup(criteria=(" ",))
